// SPDX-License-Identifier: GPL-2.0-or-later
#include "option_values.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bits.h"
#include "wire/protocol.h"

int vhb_value_number(const char *text, uint64_t min, uint64_t max,
		     uint64_t *number_out)
{
	unsigned long long number;

	if (!*text || text[strspn(text, "0123456789")])
		return -EINVAL;
	errno = 0;
	number = strtoull(text, NULL, 10);
	if (errno || number < min || number > max)
		return -ERANGE;
	*number_out = number;
	return 0;
}

static bool is_listed(const int *fds, unsigned int count, int fd)
{
	while (count)
		if (fds[--count] == fd)
			return true;
	return false;
}

int vhb_value_fds(const char *text, int *fds, unsigned int max,
		  unsigned int *count_out)
{
	/* Ten digits are more than INT_MAX has. */
	char item[12];
	unsigned int count = 0;
	uint64_t number;
	size_t length;

	for (;; text += length + 1) {
		length = strcspn(text, ",");
		if (length >= sizeof(item))
			return -EINVAL;
		memcpy(item, text, length);
		item[length] = '\0';
		if (vhb_value_number(item, 0, INT_MAX, &number))
			return -EINVAL;
		if (is_listed(fds, count, number))
			return -EEXIST;
		if (count == max)
			return -E2BIG;
		fds[count++] = number;
		if (!text[length])
			break;
	}
	*count_out = count;
	return 0;
}

int vhb_value_mac(const char *text, uint8_t mac[6])
{
	static const uint8_t zero[6];
	uint8_t bytes[6];
	unsigned int i;

	for (i = 0; i < sizeof(bytes); i++) {
		char digits[3] = { text[0], text[0] ? text[1] : '\0', '\0' };

		if (!isxdigit((unsigned char)digits[0]) ||
		    !isxdigit((unsigned char)digits[1]) ||
		    text[2] != (i + 1 < sizeof(bytes) ? ':' : '\0'))
			return -EINVAL;
		bytes[i] = strtoul(digits, NULL, 16);
		text += 3;
	}
	if (bytes[0] & 1 || !memcmp(bytes, zero, sizeof(zero)))
		return -EADDRNOTAVAIL;
	memcpy(mac, bytes, sizeof(bytes));
	return 0;
}

/* Beside these are those that sessions and devices offer of their own accord. */
static const struct {
	const char *name;
	enum vhb_protocol_feature_bit bit;
} protocol_features[] = {
	{ "inband-notifications", VHB_PROTOCOL_F_INBAND_NOTIFICATIONS },
	{ "gpa-addresses", VHB_PROTOCOL_F_GPA_ADDRESSES },
};

static uint64_t protocol_feature_mask(const char *name, size_t length)
{
	unsigned int i;

	for (i = 0; i < VHB_ARRAY_COUNT(protocol_features); i++)
		if (strlen(protocol_features[i].name) == length &&
		    !memcmp(protocol_features[i].name, name, length))
			return vhb_bit(protocol_features[i].bit);
	return 0;
}

int vhb_value_protocol_features(const char *text, uint64_t *mask_out)
{
	uint64_t mask = 0, found;
	size_t length;

	for (;; text += length + 1) {
		length = strcspn(text, ",");
		found = protocol_feature_mask(text, length);
		if (!found)
			return -EINVAL;
		if (mask & found)
			return -EEXIST;
		mask |= found;
		if (!text[length])
			break;
	}
	*mask_out = mask;
	return 0;
}

bool vhb_value_is_interface_name(const char *text)
{
	size_t length = strlen(text);

	if (!length || length >= IFNAMSIZ || !strcmp(text, ".") ||
	    !strcmp(text, ".."))
		return false;
	for (; *text; text++)
		if (isspace((unsigned char)*text) || strchr("/:%", *text))
			return false;
	return true;
}
