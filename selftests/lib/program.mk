# SPDX-License-Identifier: GPL-2.0-or-later

ldflags_lib/log_test := -Wl,--wrap=clock_gettime
