# SPDX-License-Identifier: GPL-2.0-or-later
ldflags_blk/blk_device_test := -Wl,--wrap=ioctl
ldflags_blk/blk_events_test := -Wl,--wrap=ioctl -Wl,--wrap=vhb_loop_command -Wl,--wrap=vhb_loop_forget
ldflags_blk/blk_setup_test := -Wl,--wrap=ioctl
# Both, as a fortified C library calls the second.
ldflags_blk/blk_file_test := -Wl,--wrap=open -Wl,--wrap=__open_2
