// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/blk_variants.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LAYOUTS 2
#define VARIANTS_MAX (LAYOUTS * DISK_KINDS)
#define CASES_MAX 32
#define NAME_BYTES 80

static const char * const layouts[LAYOUTS] = { "split", "packed" };
static struct disk disks[DISK_KINDS];
static struct blk_variant variants[VARIANTS_MAX];
static struct CMUnitTest tests[VARIANTS_MAX * CASES_MAX];
static char names[VARIANTS_MAX * CASES_MAX][NAME_BYTES];

static size_t add_variant(const struct blk_suite *suite,
			  struct blk_variant *variant, size_t count)
{
	for (size_t i = 0; i < suite->case_count; i++, count++) {
		snprintf(names[count], NAME_BYTES, "%s: %s, %s",
			 suite->cases[i].name, variant->disk->name,
			 layouts[variant->is_packed]);
		tests[count] = (struct CMUnitTest){
			names[count], suite->cases[i].function, suite->set_up,
			suite->tear_down, variant
		};
	}
	return count;
}

int blk_run_suite(const struct blk_suite *suite)
{
	size_t count = 0;
	int ret;

	if (suite->kind_count > DISK_KINDS || suite->case_count > CASES_MAX)
		abort();
	for (size_t i = 0; i < suite->kind_count; i++) {
		disk_open(&disks[i], suite->kinds[i]);
		for (size_t j = 0; j < LAYOUTS; j++) {
			struct blk_variant *variant =
				&variants[i * LAYOUTS + j];

			variant->disk = &disks[i];
			variant->is_packed = j;
			count = add_variant(suite, variant, count);
		}
	}
	ret = _cmocka_run_group_tests(suite->name, tests, count, NULL, NULL);
	for (size_t i = 0; i < suite->kind_count; i++)
		disk_close(&disks[i]);
	return ret;
}
