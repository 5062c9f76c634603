/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_NET_NET_FIXTURE_H
#define SELFTESTS_NET_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/capability.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>

#include <libmnl/libmnl.h>

/**
 * DOC: what the tests of taps and links share
 *
 * Each test has a network namespace of its own, so that nothing of the machine
 * is touched and nothing has to be cleaned up.
 */

/**
 * struct fixture_test - what run_if_ready() runs
 * @run: the test
 *
 * cmocka skips tests, not set-ups: a set-up says in @missing what it misses.
 */
struct fixture_test {
	void (*run)(void **state);
};

static char missing[160];
static int fds_before;

static inline void run_if_ready(void **state)
{
	const struct fixture_test *test = *state;

	if (*missing) {
		print_message("# needs %s\n", missing);
		skip();
	}
	test->run(state);
}

#define FIXTURE_TEST(name) {						\
	#name, run_if_ready, setup, teardown,				\
	&(struct fixture_test){ name }					\
}

/** enter_netns() - a fresh network namespace: 0 or -errno */
static inline int enter_netns(void)
{
	return unshare(CLONE_NEWNET) ? -errno : 0;
}

/** count_entries() - entries of a directory, or -errno */
static inline int count_entries(const char *path)
{
	struct dirent *entry;
	int count = 0;
	DIR *dir;

	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			count++;
	}
	closedir(dir);
	return count;
}

static inline int count_fds(void)
{
	return count_entries("/proc/self/fd");
}

/** try_net_admin() - CAP_NET_ADMIN in force or not: 0 or -1 */
static inline int try_net_admin(bool effective)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return -1;
	if (effective)
		data[0].effective |= 1U << CAP_NET_ADMIN;
	else
		data[0].effective &= ~(1U << CAP_NET_ADMIN);
	return syscall(SYS_capset, &header, data);
}

/** set_net_admin() - give up CAP_NET_ADMIN for a while, or take it back */
static inline void set_net_admin(bool effective)
{
	assert_int_equal(try_net_admin(effective), 0);
}

/** begin_netns_test() - for set-ups: a fresh network namespace with taps */
static inline int begin_netns_test(void)
{
	int ret;

	/* A test that failed without it has not taken it back. */
	try_net_admin(true);
	ret = access("/dev/net/tun", R_OK | W_OK) ? -errno : enter_netns();
	if (ret)
		snprintf(missing, sizeof(missing),
			 "/dev/net/tun and a network namespace of its own (root): %s",
			 strerror(-ret));
	fds_before = count_fds();
	return 0;
}

/** end_netns_test() - for tear-downs: no descriptor was left open */
static inline int end_netns_test(void)
{
	return count_fds() == fds_before ? 0 : -1;
}

/** is_open() - is this descriptor in use? */
static inline bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/** make_queue() - open a queue of a tap or tun as another program would */
static inline int make_queue(const char *name, unsigned int flags)
{
	struct ifreq request = { .ifr_flags = flags };
	int fd, error;

	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, TUNSETIFF, &request)) {
		error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

/** make_persistent() - 'ip tuntap add' for this user: 0 or -errno */
static inline int make_persistent(const char *name, unsigned int flags)
{
	int fd = make_queue(name, flags);
	int ret = 0;

	if (fd < 0)
		return fd;
	/* 6.12 lets nobody but its owner use it without CAP_NET_ADMIN. */
	if (ioctl(fd, TUNSETOWNER, geteuid()) || ioctl(fd, TUNSETPERSIST, 1))
		ret = -errno;
	close(fd);
	return ret;
}

/** make_bridge() - what 'ip link add NAME type bridge' does: 0 or -errno */
static inline int make_bridge(const char *name)
{
	union {
		uint8_t bytes[512];
		struct nlmsghdr align;
	} buffer;
	struct nlmsghdr *header = mnl_nlmsg_put_header(buffer.bytes);
	struct mnl_socket *socket;
	struct nlattr *link_info;
	ssize_t size_bytes;
	int ret;

	header->nlmsg_type = RTM_NEWLINK;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE |
			      NLM_F_EXCL;
	mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	link_info = mnl_attr_nest_start(header, IFLA_LINKINFO);
	mnl_attr_put_strz(header, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(header, link_info);

	socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!socket)
		return -errno;
	if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0) {
		ret = -errno;
	} else {
		size_bytes = mnl_socket_recvfrom(socket, &buffer,
						 sizeof(buffer));
		ret = mnl_cb_run(&buffer, size_bytes, 0, 0, NULL, NULL) < 0 ?
		      -errno : 0;
	}
	mnl_socket_close(socket);
	return ret;
}

/**
 * struct caught_lines - what was written to standard error
 * @saved_fd: where it really goes
 * @fd: where it went
 * @text: all of it
 */
struct caught_lines {
	int saved_fd;
	int fd;
	char text[4096];
};

static inline void catch_lines(struct caught_lines *lines)
{
	lines->saved_fd = dup(STDERR_FILENO);
	lines->fd = memfd_create("lines", MFD_CLOEXEC);
	assert_true(lines->saved_fd >= 0 && lines->fd >= 0);
	assert_true(dup2(lines->fd, STDERR_FILENO) >= 0);
}

/** release_lines() - end it: the number of lines */
static inline int release_lines(struct caught_lines *lines)
{
	ssize_t size_bytes;
	int count = 0;
	char *c;

	dup2(lines->saved_fd, STDERR_FILENO);
	close(lines->saved_fd);
	size_bytes = pread(lines->fd, lines->text, sizeof(lines->text) - 1, 0);
	close(lines->fd);
	lines->text[size_bytes < 0 ? 0 : size_bytes] = '\0';
	for (c = lines->text; *c; c++)
		count += *c == '\n';
	return count;
}

/**
 * assert_fails() - a call fails with an error and says so in one line
 * @call: the call
 * @error: what it returns
 * @remedy: must be in the line
 */
#define assert_fails(call, error, remedy) do {				\
	struct caught_lines lines;					\
	int error_got, line_count;					\
									\
	catch_lines(&lines);						\
	error_got = (call);						\
	line_count = release_lines(&lines);				\
	print_message("# %s", lines.text);				\
	assert_int_equal(error_got, error);				\
	assert_int_equal(line_count, 1);				\
	assert_non_null(strstr(lines.text, remedy));			\
} while (0)

#endif
