# SPDX-License-Identifier: GPL-3.0-or-later
#
# The front door. The build itself is meson's (meson.build); each target here is a short name
# for what HACKING.md spells out. BUILD=FOLDER builds elsewhere.
BUILD ?= build
PREFIX ?= /usr/local
export BUILD
# sfdisk, mkntfs and losetup are not on the path of every user
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.PHONY: all test demo bench fuzz soak sanitize install clean help

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)
	@ln -sf src/cli/sharevm $(BUILD)/sharevm

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo "meson is missing; run: tools/setup.sh build"; exit 1; }
	meson setup $(BUILD) --prefix=$(PREFIX)

# Installs what is missing, builds, runs every test. The last line tells how many passed.
test:
	@tools/setup.sh build test
	@$(MAKE) --no-print-directory all
	@tools/run-tests.sh $(BUILD)

# Makes a full 8 GB machine, extends it to 60 GB, and proves it with other people's tools.
demo:
	@tools/setup.sh build demo
	@$(MAKE) --no-print-directory all
	@tools/demo.sh

# sharevm beside ntfsresize and sfdisk by hand, sleuthkit and 7-Zip, and qemu-img, and against
# the machine's own limit. All are run; it fails where one of them falls short.
bench:
	@tools/setup.sh build bench
	@$(MAKE) --no-print-directory all
	@short=0; for bench in bench.sh bench-browse.sh bench-convert.py; do \
		tools/$$bench || short=1; echo; done; exit $$short

# Each fuzzer for SECONDS (60), with the sanitizers, and the line coverage of the parsers.
fuzz:
	@tools/setup.sh fuzz
	@tools/fuzz.sh

# The full product of every matrix: an hour or more.
soak:
	@tools/setup.sh build test demo
	@$(MAKE) --no-print-directory all
	@tools/run-tests.sh $(BUILD) soak

# The unit tests and fuzz corpora once more, under the address and behaviour sanitizers.
sanitize:
	@tools/setup.sh build test
	@[ -f build-san/build.ninja ] || meson setup build-san -Db_sanitize=address,undefined
	@ninja -C build-san
	@tools/run-tests.sh build-san unit fuzz

install: all
	meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) build-san build-fuzz build-cov

help:
	@echo "make            build $(BUILD)/sharevm"
	@echo "make demo       extend a sample machine from 8 GB to 60 GB and prove it"
	@echo "make test       run all tests (installs what is missing)"
	@echo "make bench      compare with ntfsresize, sleuthkit, 7-Zip and qemu-img"
	@echo "make fuzz       fuzz every parser (SECONDS=60 each)"
	@echo "make soak       the full product of every test matrix"
	@echo "make sanitize   unit tests under the sanitizers"
	@echo "make install    into PREFIX ($(PREFIX))"
