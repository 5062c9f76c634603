// SPDX-License-Identifier: GPL-2.0-or-later
#include "kdev/module.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <sys/utsname.h>

#include <libkmod.h>

#include "lib/clock.h"
#include "lib/log.h"

/* devtmpfs makes the node from a kernel thread, after the module is in. */
#define NODE_WAIT_MS 1000
#define NODE_POLL_MS 10

static int open_node(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static bool is_missing(int error)
{
	return error == -ENOENT || error == -ENODEV || error == -ENXIO;
}

/* How else the broker can get at this device */
static const char *fd_option(const char *module_name)
{
	return strcmp(module_name, "tun") ? "--vhost-fd" : "--tap-fd";
}

/* Where a module comes from that this kernel does not have */
static const char *source_of(const char *module_name)
{
	return strcmp(module_name, "vhost_bridge") ?
		       "install or boot a kernel that has it" :
		       "build it ('make modules') and load it with insmod as root";
}

/* libkmod writes to standard error by itself; one line is enough. */
static void discard_log(void *data, int priority, const char *file, int line,
			const char *function, const char *format, va_list args)
{
	(void)data;
	(void)priority;
	(void)file;
	(void)line;
	(void)function;
	(void)format;
	(void)args;
}

/* Return: 0, -ENOENT when this kernel has no such module, another -errno. */
static int insert_module(const char *name)
{
	struct kmod_list *list = NULL, *entry;
	struct kmod_ctx *ctx;
	int ret;

	ctx = kmod_new(NULL, NULL);
	if (!ctx)
		return -ENOMEM;
	kmod_set_log_fn(ctx, discard_log, NULL);

	/* It fails when there is no directory of modules for this kernel. */
	ret = kmod_module_new_from_lookup(ctx, name, &list);
	if (ret < 0 || !list) {
		ret = -ENOENT;
		goto free_context;
	}

	kmod_list_foreach(entry, list) {
		struct kmod_module *module = kmod_module_get_module(entry);

		ret = kmod_module_probe_insert_module(module, 0, NULL, NULL,
						      NULL, NULL);
		kmod_module_unref(module);
		/* Above zero: kept back by a rule of the administrator */
		if (ret > 0)
			ret = -EPERM;
		if (ret)
			break;
	}
	kmod_module_unref_list(list);
free_context:
	kmod_unref(ctx);
	return ret;
}

static int wait_for_node(const char *path)
{
	int waited_ms;
	int fd;

	for (waited_ms = 0; ; waited_ms += NODE_POLL_MS) {
		fd = open_node(path);
		if (!is_missing(fd) || waited_ms >= NODE_WAIT_MS)
			return fd;
		vhb_pause_ms(NODE_POLL_MS);
	}
}

static void report_no_module(const char *path, const char *name, int error)
{
	const char *option = fd_option(name);
	struct utsname kernel = { .release = "?" };

	if (error == -ENOENT) {
		uname(&kernel);
		vhb_err("no driver for %s: kernel %s has no module %s: %s, or pass a ready descriptor with %s",
			path, kernel.release, name, source_of(name), option);
	} else if (error == -EPERM || error == -EACCES) {
		vhb_err("no driver for %s: loading module %s is not allowed: run 'modprobe %s' as root, or pass a ready descriptor with %s",
			path, name, name, option);
	} else {
		vhb_err("no driver for %s: module %s does not load (%s): see the kernel's log, or pass a ready descriptor with %s",
			path, name, strerrordesc_np(-error), option);
	}
}

static void report_no_node(const char *path, const char *name, int error)
{
	const char *option = fd_option(name);

	if (error == -EACCES || error == -EPERM)
		vhb_err("%s may not be opened by this user: run as root or as a member of its group, or pass a ready descriptor with %s",
			path, option);
	else if (error == -EMFILE)
		vhb_err("%s does not open, this process may have no more descriptors: raise the limit ('ulimit -n', or LimitNOFILE= of a systemd unit)",
			path);
	else if (is_missing(error))
		vhb_err("no %s although module %s is loaded: make the node (is /dev a devtmpfs, is this a container without it?), or pass a ready descriptor with %s",
			path, name, option);
	else
		vhb_err("%s does not open (%s): try another path, or pass a ready descriptor with %s",
			path, strerrordesc_np(-error), option);
}

int vhb_kdev_open(const char *path, const char *module_name)
{
	int fd, ret;

	fd = open_node(path);
	if (is_missing(fd)) {
		ret = insert_module(module_name);
		if (ret) {
			report_no_module(path, module_name, ret);
			return ret;
		}
		vhb_info("loaded kernel module %s for %s", module_name, path);
		fd = wait_for_node(path);
	}
	if (fd < 0)
		report_no_node(path, module_name, fd);
	return fd;
}
