/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_SHIM_LINUX_NOSPEC_H
#define VHB_SHIM_LINUX_NOSPEC_H

/* What is guessed here is in the memory of whoever guesses. */
#define array_index_nospec(index, size) ((void)(size), (index))

#endif
