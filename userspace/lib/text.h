/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_LIB_TEXT_H
#define VHB_LIB_TEXT_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct vhb_text - text being put together in room that is fixed
 * @bytes: the text, with a NUL at its end
 * @room_bytes: how much fits, the NUL included; at least 4
 * @used_bytes: without the NUL
 *
 * What does not fit is cut off and replaced by "...". Whatever is added, there
 * is nothing in it but printable ASCII: any other byte becomes \xHH.
 */
struct vhb_text {
	char *bytes;
	size_t room_bytes;
	size_t used_bytes;
};

/**
 * vhb_text_begin() - an empty text
 * @text: set up by this
 * @bytes: where it goes
 * @room_bytes: how much fits there
 */
void vhb_text_begin(struct vhb_text *text, char *bytes, size_t room_bytes);

/**
 * vhb_text_add() - add to its end
 * @text: the text
 * @format: as in printf(); at most 1023 bytes come of it
 */
void vhb_text_add(struct vhb_text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * vhb_text_add_hex() - add bytes, two digits each
 * @text: the text
 * @bytes: the bytes
 * @size_bytes: how many
 * @shown_bytes: "..." stands for those beyond these
 */
void vhb_text_add_hex(struct vhb_text *text, const uint8_t *bytes,
		      size_t size_bytes, size_t shown_bytes);

#endif
