/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit.h"

#include "base/num.h"
#include "cli/grid.h"

/* An output that is kept in memory, as wide as asked for. */
struct page {
	char *text;
	size_t n;
	struct sv_out out;
};

static void open_page(struct page *p, unsigned width)
{
	*p = (struct page){0};
	p->out = (struct sv_out){.file = open_memstream(&p->text, &p->n), .width = width};
}

static void expect(struct page *p, const char *text)
{
	fclose(p->out.file);
	assert_string_equal(p->text, text);
	free(p->text);
}

static const struct sv_grid_col cols[] = {
	{"NAME", .shrinks = true}, {"SIZE", .right = true}, {"WHAT"}};

static struct sv_grid *sample(void)
{
	struct sv_grid *g = sv_grid_new(cols, SV_ARRAY_LEN(cols));

	sv_grid_add(g, SV_STYLE_NONE, "a rather long name");
	sv_grid_add(g, SV_STYLE_NONE, "60G");
	sv_grid_add(g, SV_STYLE_NONE, "one two three four");
	sv_grid_add(g, SV_STYLE_NONE, "b");
	sv_grid_add(g, SV_STYLE_NONE, "1.5T");
	sv_grid_add(g, SV_STYLE_NONE, "%s", "");
	return g;
}

static void aligns_and_breaks_the_last_column(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_grid *g = sample();
	struct page p;

	(void)state;
	open_page(&p, 48);
	assert_ok(sv_grid_print(g, &p.out, 2, &err));
	sv_grid_free(g);
	expect(&p, "  NAME                SIZE  WHAT\n"
		   "  a rather long name   60G  one two three four\n"
		   "  b                   1.5T\n");
	g = sample();
	open_page(&p, 42);
	p.out.terminal = true;
	assert_ok(sv_grid_print(g, &p.out, 0, &err));
	sv_grid_free(g);
	expect(&p, "NAME              SIZE  WHAT\n"
		   "a rather long n~   60G  one two three four\n"
		   "b                 1.5T\n");
}

static void prints_tabs_when_plain(void **state)
{
	struct sv_err err = SV_ERR_INIT;
	struct sv_grid *g = sample();
	struct page p;

	(void)state;
	open_page(&p, 20);
	p.out.plain = true;
	assert_ok(sv_grid_print(g, &p.out, 2, &err));
	sv_grid_free(g);
	expect(&p, "a rather long name\t60G\tone two three four\nb\t1.5T\t\n");
}

static void shows_escapes_of_a_guest_as_text(void **state)
{
	struct page p;

	(void)state;
	open_page(&p, 80);
	sv_out_line(&p.out, "%s", "evil\033[2J\nname");
	expect(&p, "evil\\x1b[2J\\x0aname\n");
}

static void styles_only_in_colour(void **state)
{
	struct page p;

	(void)state;
	open_page(&p, 80);
	sv_out_in(&p.out, SV_STYLE_BAD, "x");
	p.out.colour = true;
	sv_out_in(&p.out, SV_STYLE_BAD, "y");
	expect(&p, "x\033[31my\033[0m");
}

static void draws_gauges_of_both_kinds(void **state)
{
	struct page p;

	(void)state;
	open_page(&p, 80);
	sv_out_gauge(&p.out, SV_STYLE_GOOD, 1, 1000, 4); /* a little is not nothing */
	sv_out_gauge(&p.out, SV_STYLE_GOOD, 2000, 1000, 4);
	p.out.utf8 = true;
	sv_out_gauge(&p.out, SV_STYLE_GOOD, 1, 2, 4);
	expect(&p, "[#---][####]██░░");
}

static void breaks_paragraphs_at_blanks(void **state)
{
	struct page p;

	(void)state;
	open_page(&p, 40);
	sv_out_f(&p.out, "note: ");
	sv_out_wrap(&p.out, 6, 6, "the quick brown fox jumps over the lazy dog");
	expect(&p, "note: the quick brown fox jumps over the\n      lazy dog\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligns_and_breaks_the_last_column),
		cmocka_unit_test(prints_tabs_when_plain),
		cmocka_unit_test(shows_escapes_of_a_guest_as_text),
		cmocka_unit_test(styles_only_in_colour),
		cmocka_unit_test(draws_gauges_of_both_kinds),
		cmocka_unit_test(breaks_paragraphs_at_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
