// SPDX-License-Identifier: GPL-2.0-or-later
/* Device nodes that open, or do not, and what is said then. */
#include "net/net_fixture.h"

#include <stdlib.h>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kdev/module.h"

static void test_a_node_that_is_there(void **state)
{
	int fd = vhb_kdev_open("/dev/null", "vhb_no_such_module");

	(void)state;
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
	close(fd);
}

static void test_no_node_and_no_module(void **state)
{
	int before = count_fds();

	(void)state;
	assert_fails(vhb_kdev_open("/dev/vhb-none", "vhb_no_such_module"),
		     -ENOENT, "no module vhb_no_such_module");
	assert_fails(vhb_kdev_open("/dev/vhb-none", "vhb_no_such_module"),
		     -ENOENT, "--vhost-fd");
	assert_int_equal(count_fds(), before);
}

static void test_tun_has_its_own_remedy(void **state)
{
	(void)state;
	assert_fails(vhb_kdev_open("/", "tun"), -EISDIR, "--tap-fd");
}

/* The node is there, but no driver has its number. */
static void test_node_without_driver(void **state)
{
	char path[] = "/tmp/vhb-node-XXXXXX";
	int fd;

	(void)state;
	assert_non_null(mkdtemp(path));
	rmdir(path);
	if (mknod(path, S_IFCHR | 0600, makedev(240, 4711))) {
		print_message("# needs mknod: %s\n", strerror(errno));
		skip();
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0 || (errno != ENXIO && errno != ENODEV)) {
		print_message("# needs a /tmp where device nodes work\n");
		unlink(path);
		skip();
	}
	assert_fails(vhb_kdev_open(path, "vhb_no_such_module"), -ENOENT,
		     "no module");
	unlink(path);
}

static void test_node_of_somebody_else(void **state)
{
	char path[] = "/tmp/vhb-node-XXXXXX";
	int fd;

	(void)state;
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	if (geteuid()) {
		unlink(path);
		print_message("# needs root, to be somebody else\n");
		skip();
	}
	assert_int_equal(seteuid(65534), 0);
	assert_fails(vhb_kdev_open(path, "vhost_net"), -EACCES,
		     "may not be opened by this user");
	assert_int_equal(seteuid(0), 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_node_that_is_there),
		cmocka_unit_test(test_no_node_and_no_module),
		cmocka_unit_test(test_tun_has_its_own_remedy),
		cmocka_unit_test(test_node_without_driver),
		cmocka_unit_test(test_node_of_somebody_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
