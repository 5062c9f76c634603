# SPDX-License-Identifier: GPL-2.0-or-later
ldflags_net/net_control_test := -Wl,--wrap=ioctl
ldflags_net/net_control_hostile_test := -Wl,--wrap=ioctl
ldflags_net/net_control_log_test := -Wl,--wrap=ioctl
ldflags_net/net_workers_test := -Wl,--wrap=ioctl
ldflags_net/net_link_test := -Wl,--wrap=ioctl
ldflags_net/net_device_test := -Wl,--wrap=ioctl
ldflags_net/net_setup_test := -Wl,--wrap=ioctl
