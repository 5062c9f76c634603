# SPDX-License-Identifier: GPL-2.0-or-later
ldflags_loop/shortage_test := -Wl,--wrap=io_uring_submit -Wl,--wrap=io_uring_submit_and_wait
