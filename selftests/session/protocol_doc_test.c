// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Documentation/protocol.rst says of each message and each protocol feature of
 * the specification whether it is offered, and is right. What the devices add to
 * the protocol features of every session is compared in net/trace.sh and
 * blk/trace.sh, with the real kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "lib/document.h"
#include "lib/feature_names.h"
#include "lib/session_fixture.h"
#include "wire/message_table.h"

#define ROWS_MAX 80
#define PROTOCOL "Documentation/protocol.rst"

static struct document_row rows[ROWS_MAX];
static unsigned int row_count;

static void read_table(const char *title)
{
	char *text = document_read(PROTOCOL);

	row_count = document_table(text, title, rows, ROWS_MAX);
	free(text);
}

static const struct document_row *find(unsigned int column, const char *name)
{
	const struct document_row *found = NULL;
	unsigned int i;

	for (i = 0; i < row_count; i++) {
		if (strcmp(rows[i].cells[column], name))
			continue;
		if (found)
			fail_msg(PROTOCOL " has %s twice", name);
		found = &rows[i];
	}
	if (!found)
		fail_msg(PROTOCOL " does not have %s", name);
	return found;
}

static bool begins_with(const char *text, const char *word)
{
	const size_t length = strlen(word);

	return !strncmp(text, word, length) &&
	       (!text[length] || strchr(" ,;.", text[length]));
}

static void every_message_has_a_row(void **state)
{
	unsigned int request, count = 0;

	(void)state;
	read_table("Messages");
	for (request = 0; request < VHB_REQUEST_COUNT; request++) {
		if (!vhb_message_row(request))
			continue;
		find(0, vhb_message_name(request));
		count++;
	}
	/* And no row is of another message. */
	assert_int_equal(row_count, count);
}

static void refused_is_what_has_no_handler(void **state)
{
	unsigned int request;

	(void)state;
	read_table("Messages");
	for (request = 0; request < VHB_REQUEST_COUNT; request++) {
		const char *name = vhb_message_name(request);
		bool is_refused;

		if (!vhb_message_row(request))
			continue;
		is_refused = begins_with(find(0, name)->cells[1], "refused");
		if (is_refused && vhb_message_has_handler(request))
			fail_msg(PROTOCOL " says that %s is refused, but sessions have a handler for it",
				 name);
		if (!is_refused && !vhb_message_has_handler(request))
			fail_msg(PROTOCOL " says of %s: \"%s\", but sessions refuse it",
				 name, find(0, name)->cells[1]);
	}
}

static void every_protocol_feature_has_a_row(void **state)
{
	unsigned int bit, count = 0;
	char number[16];

	(void)state;
	read_table("Protocol features");
	for (bit = 0; bit < 64; bit++) {
		const char *name = vhb_protocol_feature_name(bit);

		if (!name)
			continue;
		snprintf(number, sizeof(number), "%u", bit);
		assert_string_equal(find(1, name)->cells[0], number);
		count++;
	}
	assert_int_equal(row_count, count);
}

/* Yes, or which devices, or with which option; then what else there is to say. */
static void the_offer_begins_with_a_known_word(void **state)
{
	unsigned int i;

	(void)state;
	read_table("Protocol features");
	for (i = 0; i < row_count; i++) {
		const char *cell = rows[i].cells[2];

		if (!begins_with(cell, "yes") && !begins_with(cell, "no") &&
		    !begins_with(cell, "net") && !begins_with(cell, "blk") &&
		    !begins_with(cell, "with"))
			fail_msg(PROTOCOL " says of %s: \"%s\"; begin with yes, no, net, blk or with ``--option``",
				 rows[i].cells[1], cell);
	}
}

static void every_session_offers_what_the_table_says(void **state)
{
	struct session_fixture *fixture = *state;
	uint64_t offered;
	unsigned int bit;

	/* A device that adds nothing */
	recorder_set_protocol_features(fixture->recorder, 0);
	fixture_connect(fixture);
	assert_int_equal(frontend_get_protocol_features(&fixture->frontend,
							&offered), 0);
	read_table("Protocol features");
	for (bit = 0; bit < 64; bit++) {
		const char *name = vhb_protocol_feature_name(bit);
		bool is_documented;

		if (!name) {
			assert_false(vhb_has_bit(offered, bit));
			continue;
		}
		is_documented = begins_with(find(1, name)->cells[2], "yes");
		if (is_documented != vhb_has_bit(offered, bit))
			fail_msg(PROTOCOL " says of %s: \"%s\", but sessions %s it whatever the device",
				 name, find(1, name)->cells[2],
				 is_documented ? "do not offer" : "offer");
	}
}

/* A message whose feature nobody can have is refused, and the other way round. */
static void messages_and_features_agree(void **state)
{
	unsigned int request;

	(void)state;
	read_table("Protocol features");
	for (request = 0; request < VHB_REQUEST_COUNT; request++) {
		const struct vhb_message_row *row = vhb_message_row(request);
		const char *feature, *cell;

		if (!row || row->gate_kind == VHB_GATE_NONE)
			continue;
		feature = vhb_protocol_feature_name(row->feature_bit);
		cell = find(1, feature)->cells[2];
		if (vhb_message_has_handler(request) && begins_with(cell, "no"))
			fail_msg("%s has a handler, but %s is not offered",
				 row->name, feature);
		if (!vhb_message_has_handler(request) &&
		    !begins_with(cell, "no"))
			fail_msg("%s is offered, but %s has no handler",
				 feature, row->name);
	}
}

static void who_uses_it_is_said_of_what_exists(void **state)
{
	static const char * const titles[] = { "Who uses what" };
	uint32_t request;
	unsigned int i;

	(void)state;
	read_table(titles[0]);
	for (i = 0; i < row_count; i++) {
		const char *name = rows[i].cells[0];

		for (request = 0; request < VHB_REQUEST_COUNT; request++)
			if (!strcmp(vhb_message_name(request), name))
				break;
		if (request == VHB_REQUEST_COUNT)
			fail_msg("Who uses what: there is no %s", name);
		if (!vhb_message_has_handler(request))
			fail_msg("Who uses what: %s is refused", name);
	}
	for (request = 0; request < VHB_REQUEST_COUNT; request++)
		if (vhb_message_has_handler(request))
			find(0, vhb_message_name(request));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_has_a_row),
		cmocka_unit_test(refused_is_what_has_no_handler),
		cmocka_unit_test(every_protocol_feature_has_a_row),
		cmocka_unit_test(the_offer_begins_with_a_known_word),
		fixture_test(every_session_offers_what_the_table_says),
		cmocka_unit_test(messages_and_features_agree),
		cmocka_unit_test(who_uses_it_is_said_of_what_exists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
