/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef VHB_OPTIONS_H
#define VHB_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "control/status_command.h"
#include "control/top_command.h"
#include "kdev/blk.h"
#include "kdev/net.h"

/**
 * enum vhb_action - what the command line asks for
 * @VHB_ACTION_RUN: be a back-end
 * @VHB_ACTION_STATUS: vhb_status_run() and end
 * @VHB_ACTION_TOP: vhb_top_run() and end
 * @VHB_ACTION_HELP: vhb_options_print_help() and end
 * @VHB_ACTION_VERSION: print the version and end
 * @VHB_ACTION_CAPABILITIES: vhb_capabilities_print() and end
 */
enum vhb_action {
	VHB_ACTION_RUN,
	VHB_ACTION_STATUS,
	VHB_ACTION_TOP,
	VHB_ACTION_HELP,
	VHB_ACTION_VERSION,
	VHB_ACTION_CAPABILITIES,
};

/**
 * enum vhb_queue_num_unit - what GET_QUEUE_NUM counts
 * @VHB_QUEUE_NUM_QUEUES: virtqueues, as the specification says and Cloud
 *                        Hypervisor, crosvm and rust-vmm read it
 * @VHB_QUEUE_NUM_PAIRS: queue pairs, as other net back-ends answer
 */
enum vhb_queue_num_unit {
	VHB_QUEUE_NUM_QUEUES,
	VHB_QUEUE_NUM_PAIRS,
};

/**
 * struct vhb_options - the command line
 * @action: what to do. Only with VHB_ACTION_RUN all other members are checked
 * @type_name: device type, "net" or "blk", or a command; NULL when it was not given, which only
 *             VHB_ACTION_HELP and VHB_ACTION_VERSION allow
 * @socket_path: listen here; NULL when @socket_fd is given
 * @socket_fd: a socket we inherited; -1 when @socket_path is given
 * @is_client: connect to @socket_path, where the front-end listens
 * @once: end after the first front-end
 * @has_postcopy: postcopy migration may be offered
 * @protocol_features_mask: to offer besides what is always offered
 * @has_iommu: offer VIRTIO_F_ACCESS_PLATFORM
 * @verbosity: how often --verbose was given
 * @control_dir: where the control socket goes; NULL for the usual places
 * @no_control: no control socket
 * @has_trace: --trace=protocol
 * @trace_path: to this file; NULL for standard error
 * @log_reply_bytes: length of the reply to SET_LOG_BASE; 0 for what suits
 * @queue_num_unit: what GET_QUEUE_NUM counts
 * @net: how to set up a net device
 * @blk: how to set up a block device
 * @status: what to show, with VHB_ACTION_STATUS
 * @top: likewise, with VHB_ACTION_TOP
 *
 * Strings point into argv. Descriptors are numbers only: whether they are open
 * is for those to find out who use them.
 */
struct vhb_options {
	enum vhb_action action;
	const char *type_name;
	const char *socket_path;
	int socket_fd;
	bool is_client;
	bool once;
	bool has_postcopy;
	uint64_t protocol_features_mask;
	bool has_iommu;
	unsigned int verbosity;
	const char *control_dir;
	bool no_control;
	bool has_trace;
	const char *trace_path;
	unsigned int log_reply_bytes;
	enum vhb_queue_num_unit queue_num_unit;
	struct vhb_net_config net;
	struct vhb_blk_config blk;
	struct vhb_status_config status;
	struct vhb_top_config top;
};

/**
 * vhb_options_parse() - read the command line
 * @argc: as main() got it
 * @argv: as main() got it; not changed
 * @out: the options
 *
 * The device type is the first argument, or the end of the program's name:
 * vhost-bridge-net is vhost-bridge net. Every value is checked as far as it can
 * be without asking the kernel. A usage error is reported in one line.
 *
 * Return: 0, or -EINVAL for a usage error (exit status 2).
 */
int vhb_options_parse(int argc, char **argv, struct vhb_options *out);

/**
 * vhb_options_print_help() - what --help says
 * @options: as parsed; its type decides what is explained
 * @out: where to
 */
void vhb_options_print_help(const struct vhb_options *options, FILE *out);

#endif
