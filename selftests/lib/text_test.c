// SPDX-License-Identifier: GPL-2.0-or-later
/* Text in fixed room: what does not fit, and what must not reach a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "lib/text.h"

static void test_pieces_come_one_after_the_other(void **state)
{
	static const uint8_t bytes[] = { 0, 0xab, 0xff };
	struct vhb_text text;
	char room[64];

	(void)state;
	vhb_text_begin(&text, room, sizeof(room));
	assert_string_equal(room, "");
	vhb_text_add(&text, "%s=%d", "a", 1);
	vhb_text_add(&text, " ");
	vhb_text_add_hex(&text, bytes, sizeof(bytes), sizeof(bytes));
	vhb_text_add(&text, " ");
	vhb_text_add_hex(&text, bytes, sizeof(bytes), 2);
	assert_string_equal(room, "a=1 00abff 00ab...");
	assert_int_equal(text.used_bytes, strlen(room));
}

static void test_hostile_bytes_are_escaped(void **state)
{
	struct vhb_text text;
	char room[64];

	(void)state;
	vhb_text_begin(&text, room, sizeof(room));
	vhb_text_add(&text, "%s", "\n\033[2J\x7f\x9b\xff~");
	assert_string_equal(room, "\\x0a\\x1b[2J\\x7f\\x9b\\xff~");
}

/* With each size of room, the byte behind it stays as it is. */
static void test_what_does_not_fit_is_cut(void **state)
{
	static const char whole[] = "ab\\x01cdef\\x02ghij";
	struct vhb_text text;
	size_t size_bytes;
	char room[32];

	(void)state;
	for (size_bytes = 4; size_bytes < sizeof(room); size_bytes++) {
		memset(room, '#', sizeof(room));
		vhb_text_begin(&text, room, size_bytes);
		vhb_text_add(&text, "ab\001cd");
		vhb_text_add(&text, "ef\002gh");
		vhb_text_add(&text, "ij");
		assert_int_equal(room[size_bytes], '#');
		assert_int_equal(text.used_bytes, strlen(room));
		if (size_bytes >= sizeof(whole)) {
			assert_string_equal(room, whole);
			continue;
		}
		assert_int_equal(strlen(room), size_bytes - 1);
		assert_string_equal(room + strlen(room) - 3, "...");
		vhb_text_add(&text, "more");
		assert_int_equal(strlen(room), size_bytes - 1);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_come_one_after_the_other),
		cmocka_unit_test(test_hostile_bytes_are_escaped),
		cmocka_unit_test(test_what_does_not_fit_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
