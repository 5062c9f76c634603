// SPDX-License-Identifier: GPL-2.0-or-later
#include "capabilities.h"

#include <errno.h>
#include <string.h>

#include "lib/bits.h"

static const char * const net_features[] = {
	"tap",
	"tap-fd",
	"queue-pairs",
	"mac",
	"mtu",
	"bridge",
	"datapath",
	"vhost-device",
	"vhost-fd",
	"poll-us",
	"workers",
	"queue-num-as",
	"protocol-features",
	"trust-base",
	"connect",
	"postcopy",
	"once",
};

static const char * const blk_features[] = {
	"blk-file",
	"read-only",
	"num-queues",
	"serial",
	"poll-us",
	"share-rw",
	"vhost-device",
	"vhost-fd",
	"protocol-features",
	"connect",
	"postcopy",
	"once",
};

/* The specification's schema calls some types otherwise than we do. */
static const struct {
	const char *type_name;
	const char *schema_name;
	const char * const *features;
	size_t feature_count;
} capabilities[] = {
	{ "net", "net", net_features, VHB_ARRAY_COUNT(net_features) },
	{ "blk", "block", blk_features, VHB_ARRAY_COUNT(blk_features) },
};

int vhb_capabilities_print(const char *type_name, FILE *out)
{
	size_t i, j;

	for (i = 0; i < VHB_ARRAY_COUNT(capabilities); i++) {
		if (strcmp(capabilities[i].type_name, type_name))
			continue;
		fprintf(out, "{\n  \"type\": \"%s\",\n  \"features\": [",
			capabilities[i].schema_name);
		for (j = 0; j < capabilities[i].feature_count; j++)
			fprintf(out, "%s\n    \"%s\"", j ? "," : "",
				capabilities[i].features[j]);
		fputs("\n  ]\n}\n", out);
		return fflush(out) || ferror(out) ? -EIO : 0;
	}
	return -EINVAL;
}
