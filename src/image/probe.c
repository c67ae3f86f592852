/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a file is by its first and last bytes. Formats that no driver reads are still known by
 * name: a disk image of theirs, or an archive that may hold one, must not be taken for a raw
 * disk. What a raw disk may begin with as a whole (a file system, an ISO, LUKS) is not here.
 */
#include "image/driver.h"

#include "base/num.h"

#include <string.h>

#define BY_QEMU(format)                                                                        \
	"make a raw disk of it: qemu-img convert -f " format " -O raw IN OUT.img"
#define BY_EWF "make a raw disk of it (ewf-tools): ewfexport -f raw -t OUT IN"
#define BY_MAC "make a raw disk of it on a Mac: hdiutil convert IN -format UDTO -o OUT"
#define BY_MAC_LOCKED                                                                          \
	"unlock it on a Mac, which asks for its password: hdiutil convert IN -format UDTO -o OUT"
#define BY_UNPACKING(command) "unpack it, and open the disk image that is in it: " command
#define BY_RESTORING(command) "restore it into a file, and open that: " command

/* Where the bytes are: `at` from the beginning, or from that of the last 512 bytes. */
enum end { HEAD, TAIL };

struct magic {
	struct sv_foreign is;
	enum end end;
	size_t at;
	const char *bytes;
	size_t n;
};

#define MAGIC(end, at, text, name, hint)                                                       \
	{                                                                                      \
		{name, hint}, end, at, text, sizeof(text) - 1                                  \
	}

static const struct magic magics[] = {
	MAGIC(HEAD, 0, "QED\0", "a QED image", BY_QEMU("qed")),
	MAGIC(HEAD, 0, "Bochs Virtual HD Image\0", "a Bochs disk image", BY_QEMU("bochs")),
	MAGIC(HEAD, 0, "#!/bin/sh\n#V2.0 Format\n", "a cloop image", BY_QEMU("cloop")),

	MAGIC(TAIL, 0, "koly", "an Apple disk image (UDIF, .dmg)", BY_QEMU("dmg")),
	MAGIC(HEAD, 0, "encrcdsa", "an encrypted Apple disk image", BY_MAC_LOCKED),
	MAGIC(TAIL, 504, "cdsaencr", "an encrypted Apple disk image", BY_MAC_LOCKED),
	MAGIC(HEAD, 0, "sprs", "an Apple sparse image", BY_MAC),

	MAGIC(HEAD, 0, "EVF\x09\x0d\x0a\xff\0", "an EWF image (EnCase, .E01)", BY_EWF),
	MAGIC(HEAD, 0, "EVF2\x0d\x0a\x81\0", "an EWF image (EnCase, .Ex01)", BY_EWF),
	MAGIC(HEAD, 0, "LVF\x09\x0d\x0a\xff\0", "an EWF file archive (EnCase, .L01), no disk",
		"its files can be exported (ewf-tools): ewfexport -f files -t OUT IN"),
	MAGIC(HEAD, 0, "LEF2\x0d\x0a\x81\0", "an EWF file archive (EnCase, .Lx01), no disk",
		"its files can be exported by EnCase, or by what made it"),
	MAGIC(HEAD, 0, "AFF10\r\n\0", "an AFF image",
		"make a raw disk of it (afflib-tools): affconvert -r IN"),

	MAGIC(HEAD, 0, "\x3a\xff\x26\xed", "an Android sparse image",
		"make a raw disk of it: simg2img IN OUT.img"),
	MAGIC(HEAD, 0, "\0ntfsclone-image", "an ntfsclone image",
		BY_RESTORING("ntfsclone --restore-image --overwrite OUT.img IN")),
	MAGIC(HEAD, 0, "partclone-image", "a Partclone image",
		BY_RESTORING("partclone.restore -C -s IN -O OUT.img")),
	MAGIC(HEAD, 0, "PaRtImAgE-VoLuMe", "a Partimage backup",
		BY_RESTORING("partimage -e restore OUT.img IN")),
	MAGIC(HEAD, 0, "MSWIM\0\0\0", "a Windows image (WIM), no disk",
		"look into it with wimlib: wimdir IN, wimextract IN"),

	MAGIC(HEAD, 4, "1AY&SY", "packed with bzip2", BY_UNPACKING("bunzip2 -k IN")),
	MAGIC(HEAD, 0, "\x04\x22\x4d\x18", "packed with lz4",
		BY_UNPACKING("lz4 -d IN OUT.img")),
	MAGIC(HEAD, 0, "LZIP\1", "packed with lzip", BY_UNPACKING("lzip -dk IN")),
	MAGIC(HEAD, 0, "\x89LZO\0\r\n\x1a\n", "packed with lzop", BY_UNPACKING("lzop -d IN")),
	MAGIC(HEAD, 0, "7z\xbc\xaf\x27\x1c", "a 7z archive", BY_UNPACKING("7z x IN")),
	MAGIC(HEAD, 0, "Rar!\x1a\x07", "a RAR archive", BY_UNPACKING("7z x IN")),
	MAGIC(HEAD, 257, "ustar", "a tar archive",
		BY_UNPACKING("tar -xf IN") " (an .ova need not be: sharevm show IN.ova)"),
};

int sv_probe_read(struct sv_dev *file, struct sv_probe_buf *ret, struct sv_err *err)
{
	uint64_t size = sv_dev_size(file);
	size_t head = (size_t)SV_MIN(size, SV_PROBE_HEAD);
	size_t tail = (size_t)SV_MIN(size, SV_PROBE_TAIL);

	if (sv_dev_read(file, ret->head, head, 0, err) < 0 ||
		sv_dev_read(file, ret->tail, tail, size - tail, err) < 0)
		return -1;
	ret->probe = (struct sv_probe){ret->head, head, ret->tail, tail, size};
	return 0;
}

/* An AFF4 volume is a ZIP archive that tells its name in the comment at its end, and has a file
 * of one name at its beginning. */
static bool is_aff4(const struct sv_probe *p)
{
	static const char first[] = "container.description", name[] = "aff4://";
	const size_t name_at = 30; /* of a local file header */

	return (sv_in_range(name_at, sizeof first - 1, p->n_head) &&
		       !memcmp(p->head + name_at, first, sizeof first - 1)) ||
	       memmem(p->tail, p->n_tail, name, sizeof name - 1);
}

static bool is_zip(const struct sv_probe *p, struct sv_foreign *ret)
{
	static const struct sv_foreign
		aff4 = {"an AFF4 image",
			"make a raw disk of it with the tool that made it, or: aff4imager -e IN"},
		zip = {"a ZIP archive", BY_UNPACKING("7z x IN")};

	if (p->n_head < 4 || memcmp(p->head, "PK\3\4", 4))
		return false;
	*ret = is_aff4(p) ? aff4 : zip;
	return true;
}

static bool has(const struct sv_probe *p, const struct magic *m)
{
	const uint8_t *bytes = m->end == TAIL ? p->tail : p->head;
	size_t n = m->end == TAIL ? p->n_tail : p->n_head;

	return sv_in_range(m->at, m->n, n) && !memcmp(bytes + m->at, m->bytes, m->n);
}

bool sv_probe_foreign(const struct sv_probe *p, struct sv_foreign *ret)
{
	for (size_t i = 0; i < SV_ARRAY_LEN(magics); i++) {
		if (!has(p, &magics[i]))
			continue;
		*ret = magics[i].is;
		return true;
	}
	return is_zip(p, ret);
}
