// SPDX-License-Identifier: GPL-2.0-or-later
/* What a service manager hears from vhb_notify_ready(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/notify.h"

struct manager {
	int fd;
	char dir[32];
	char path[64];
};

/* @name as in NOTIFY_SOCKET */
static void manager_listen(struct manager *manager, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t length = offsetof(struct sockaddr_un, sun_path) +
			   strlen(name);

	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	else
		length++;
	manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(manager->fd >= 0);
	assert_int_equal(bind(manager->fd, (struct sockaddr *)&address, length),
			 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static void manager_expect_ready(const struct manager *manager)
{
	char heard[32] = "";
	ssize_t length;

	length = recv(manager->fd, heard, sizeof(heard) - 1, MSG_DONTWAIT);
	assert_int_equal(length, strlen("READY=1"));
	assert_string_equal(heard, "READY=1");
	/* Once is enough. */
	length = recv(manager->fd, heard, sizeof(heard), MSG_DONTWAIT);
	assert_int_equal(length, -1);
	assert_int_equal(errno, EAGAIN);
}

static int set_up(void **state)
{
	struct manager *manager = calloc(1, sizeof(*manager));

	if (!manager)
		return -1;
	manager->fd = -1;
	strcpy(manager->dir, "/tmp/vhb-notify.XXXXXX");
	if (!mkdtemp(manager->dir))
		return -1;
	snprintf(manager->path, sizeof(manager->path), "%s/socket",
		 manager->dir);
	*state = manager;
	return unsetenv("NOTIFY_SOCKET");
}

static int tear_down(void **state)
{
	struct manager *manager = *state;

	if (manager->fd >= 0)
		close(manager->fd);
	unlink(manager->path);
	rmdir(manager->dir);
	free(manager);
	return 0;
}

static void test_nobody_asked(void **state)
{
	(void)state;
	assert_int_equal(vhb_notify_ready(), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", "", 1), 0);
	assert_int_equal(vhb_notify_ready(), 0);
}

static void test_path(void **state)
{
	struct manager *manager = *state;

	manager_listen(manager, manager->path);
	assert_int_equal(vhb_notify_ready(), 0);
	manager_expect_ready(manager);
}

static void test_abstract_name(void **state)
{
	struct manager *manager = *state;
	char name[80];

	snprintf(name, sizeof(name), "@%s", manager->path);
	manager_listen(manager, name);
	assert_int_equal(vhb_notify_ready(), 0);
	manager_expect_ready(manager);
}

static void test_longest_abstract_name(void **state)
{
	struct manager *manager = *state;
	char name[sizeof(((struct sockaddr_un *)0)->sun_path)];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memcpy(name, "@", 1);
	memcpy(name + 1, manager->dir + strlen("/tmp/"), 17);
	manager_listen(manager, name);
	assert_int_equal(vhb_notify_ready(), 0);
	manager_expect_ready(manager);
}

static void test_nobody_listens(void **state)
{
	struct manager *manager = *state;

	assert_int_equal(setenv("NOTIFY_SOCKET", manager->path, 1), 0);
	assert_int_equal(vhb_notify_ready(), -ENOENT);
}

static void test_no_address(void **state)
{
	char name[200];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
	assert_int_equal(vhb_notify_ready(), -EINVAL);
	assert_int_equal(setenv("NOTIFY_SOCKET", "relative/path", 1), 0);
	assert_int_equal(vhb_notify_ready(), -EINVAL);
	assert_int_equal(setenv("NOTIFY_SOCKET", "@", 1), 0);
	assert_int_equal(vhb_notify_ready(), -EINVAL);
}

#define NOTIFY_TEST(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static const struct CMUnitTest tests[] = {
	NOTIFY_TEST(test_nobody_asked),
	NOTIFY_TEST(test_path),
	NOTIFY_TEST(test_abstract_name),
	NOTIFY_TEST(test_longest_abstract_name),
	NOTIFY_TEST(test_nobody_listens),
	NOTIFY_TEST(test_no_address),
};

int main(void)
{
	int failed = cmocka_run_group_tests_name("notify", tests, NULL, NULL);

	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
