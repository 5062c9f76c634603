// SPDX-License-Identifier: GPL-2.0-or-later
#include "capabilities.h"

#include <errno.h>

#include "option_row.h"

int vhb_capabilities_print(const char *type_name, FILE *out)
{
	const struct vhb_option_set *set = vhb_option_set_find(type_name);
	const struct vhb_option_row *row;
	const char *before = "";
	unsigned int i;

	if (!set || set->is_command)
		return -EINVAL;
	fprintf(out, "{\n  \"type\": \"%s\",\n  \"features\": [",
		set->schema_name);
	for (i = 0; (row = vhb_option_row_at(set, i)); i++) {
		if (row->is_convention)
			continue;
		fprintf(out, "%s\n    \"%s\"", before, row->name);
		before = ",";
	}
	fputs("\n  ]\n}\n", out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
