// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "wire/socket.h"

#define SUN_PATH_BYTES 108

/* A directory of its own for each test */
struct place {
	char dir[32];
	char path[64];
};

static int make_place(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	if (!place)
		return -1;
	snprintf(place->dir, sizeof(place->dir), "/tmp/vhb-socket-XXXXXX");
	if (!mkdtemp(place->dir))
		return -1;
	snprintf(place->path, sizeof(place->path), "%s/s", place->dir);
	*state = place;
	return 0;
}

static int remove_place(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	if (rmdir(place->dir) < 0)
		return -1;
	free(place);
	return 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -errno;
	}
	return fd;
}

static int listen_at(const char *path)
{
	int fd = vhb_socket_listen(path);

	assert_true(fd >= 0);
	return fd;
}

/* A socket file whose owner is gone */
static void leave_stale_file(const char *path, int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0);

	memcpy(address.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	close(fd);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & S_IFMT;
}

static void listens_on_a_new_path(void **state)
{
	struct place *place = *state;
	int listen_fd = listen_at(place->path);
	int fd = connect_to(place->path);

	assert_true(fd >= 0);
	assert_true(fcntl(listen_fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(listen_fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	close(listen_fd);
}

static void stale_socket_file_is_replaced(void **state)
{
	struct place *place = *state;
	int listen_fd, fd;

	leave_stale_file(place->path, SOCK_STREAM);
	listen_fd = listen_at(place->path);
	fd = connect_to(place->path);
	assert_true(fd >= 0);
	close(fd);
	close(listen_fd);
}

static void stale_file_of_another_socket_type_is_replaced(void **state)
{
	struct place *place = *state;

	leave_stale_file(place->path, SOCK_DGRAM);
	close(listen_at(place->path));
}

static void path_in_use_is_left_alone(void **state)
{
	struct place *place = *state;
	int listen_fd = listen_at(place->path);
	int fd;

	assert_int_equal(vhb_socket_listen(place->path), -EADDRINUSE);
	fd = connect_to(place->path);
	assert_true(fd >= 0);
	close(fd);
	close(listen_fd);
}

static void *begin_listening(void *argument)
{
	const struct place *place = argument;

	return (void *)(intptr_t)vhb_socket_listen(place->path);
}

static int lock_directory(const struct place *place)
{
	int fd = open(place->dir, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	return fd;
}

/* Of two at the same moment one is between bind() and listen(). */
static void path_of_one_that_is_about_to_listen_is_left_alone(void **state)
{
	struct place *place = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int directory_fd = lock_directory(place);
	pthread_t thread;
	void *result;

	memcpy(address.sun_path, place->path, strlen(place->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	assert_int_equal(pthread_create(&thread, NULL, begin_listening, place),
			 0);
	usleep(100000);
	assert_int_equal(listen(fd, 1), 0);
	close(directory_fd);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_int_equal((intptr_t)result, -EADDRINUSE);
	assert_int_equal(mode_of(place->path), S_IFSOCK);
	close(fd);
}

static void who_keeps_a_directory_locked_is_not_waited_for(void **state)
{
	struct place *place = *state;
	int directory_fd = lock_directory(place);

	leave_stale_file(place->path, SOCK_STREAM);
	close(listen_at(place->path));
	close(directory_fd);
}

static void a_directory_need_not_be_named(void **state)
{
	struct place *place = *state;
	int here = open(".", O_RDONLY | O_DIRECTORY);

	assert_int_equal(chdir(place->dir), 0);
	close(listen_at("s"));
	assert_int_equal(mode_of(place->path), S_IFSOCK);
	assert_int_equal(fchdir(here), 0);
	close(here);
}

static void path_in_use_with_a_full_backlog_is_left_alone(void **state)
{
	struct place *place = *state;
	int listen_fd = listen_at(place->path);
	int fd;

	assert_int_equal(listen(listen_fd, 0), 0);
	fd = connect_to(place->path);
	assert_true(fd >= 0);
	assert_int_equal(vhb_socket_listen(place->path), -EADDRINUSE);
	assert_int_equal(mode_of(place->path), S_IFSOCK);
	close(fd);
	close(listen_fd);
}

static void path_of_a_live_datagram_socket_is_left_alone(void **state)
{
	struct place *place = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(address.sun_path, place->path, strlen(place->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	assert_int_equal(vhb_socket_listen(place->path), -EADDRINUSE);
	assert_int_equal(mode_of(place->path), S_IFSOCK);
	close(fd);
}

static void regular_file_is_left_alone(void **state)
{
	struct place *place = *state;
	int fd = open(place->path, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(vhb_socket_listen(place->path), -EEXIST);
	assert_int_equal(mode_of(place->path), S_IFREG);
}

static void directory_is_left_alone(void **state)
{
	struct place *place = *state;

	assert_int_equal(vhb_socket_listen(place->dir), -EEXIST);
	assert_int_equal(mode_of(place->dir), S_IFDIR);
}

static void symbolic_link_to_a_stale_socket_is_left_alone(void **state)
{
	struct place *place = *state;
	char target[80];

	snprintf(target, sizeof(target), "%s.target", place->path);
	leave_stale_file(target, SOCK_STREAM);
	assert_int_equal(symlink(target, place->path), 0);
	assert_int_equal(vhb_socket_listen(place->path), -EEXIST);
	assert_int_equal(mode_of(place->path), S_IFLNK);
	assert_int_equal(mode_of(target), S_IFSOCK);
	unlink(target);
}

static void missing_directory_is_an_error(void **state)
{
	struct place *place = *state;
	char path[80];

	snprintf(path, sizeof(path), "%s/none", place->path);
	assert_int_equal(vhb_socket_listen(path), -ENOENT);
}

static void empty_path_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(vhb_socket_listen(""), -EINVAL);
}

/* A path of just this length in @place, leading to place->path */
static void path_of_length(const struct place *place, char *path, size_t length)
{
	size_t dir_bytes = strlen(place->dir);

	memset(path, '/', length);
	memcpy(path, place->dir, dir_bytes);
	path[length - 1] = 's';
	path[length] = '\0';
}

static void longest_path_works(void **state)
{
	char path[SUN_PATH_BYTES + 1];
	int listen_fd, fd;

	path_of_length(*state, path, SUN_PATH_BYTES - 1);
	listen_fd = listen_at(path);
	fd = connect_to(path);
	assert_true(fd >= 0);
	close(fd);
	close(listen_fd);
}

static void longer_path_is_an_error_not_cut_short(void **state)
{
	struct place *place = *state;
	char path[SUN_PATH_BYTES + 1];

	path_of_length(place, path, SUN_PATH_BYTES);
	assert_int_equal(vhb_socket_listen(path), -ENAMETOOLONG);
	assert_int_equal(access(place->path, F_OK), -1);
}

static void accept_finds_nobody(void **state)
{
	struct place *place = *state;
	int listen_fd = listen_at(place->path);

	assert_int_equal(vhb_socket_accept(listen_fd), -EAGAIN);
	close(listen_fd);
}

static void accept_takes_front_ends_one_by_one(void **state)
{
	struct place *place = *state;
	int listen_fd = listen_at(place->path);
	int front_ends[2] = { connect_to(place->path),
			      connect_to(place->path) };
	char byte;
	int fd, i;

	for (i = 0; i < 2; i++) {
		fd = vhb_socket_accept(listen_fd);
		assert_true(fd >= 0);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		byte = 'a' + i;
		assert_int_equal(write(front_ends[i], &byte, 1), 1);
		byte = 0;
		assert_int_equal(read(fd, &byte, 1), 1);
		assert_int_equal(byte, 'a' + i);
		close(fd);
		close(front_ends[i]);
	}
	assert_int_equal(vhb_socket_accept(listen_fd), -EAGAIN);
	close(listen_fd);
}

static void accept_on_a_wrong_descriptor_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(vhb_socket_accept(-1), -EBADF);
}

static void refuse(int fd, int error)
{
	enum vhb_socket_kind kind;

	assert_int_equal(vhb_socket_adopt(fd, &kind), error);
}

static void refuse_socket(int domain, int type, int error)
{
	int fd = socket(domain, type, 0);

	assert_true(fd >= 0);
	refuse(fd, error);
	assert_false(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
}

static void adopt_refuses_what_is_not_open(void **state)
{
	(void)state;
	refuse(-1, -EBADF);
	refuse(1000000, -EBADF);
}

static void adopt_refuses_a_file(void **state)
{
	int fd = open("/dev/null", O_RDWR);

	(void)state;
	refuse(fd, -ENOTSOCK);
	close(fd);
}

static void adopt_refuses_a_pipe(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	refuse(fds[0], -ENOTSOCK);
	refuse(fds[1], -ENOTSOCK);
	close(fds[0]);
	close(fds[1]);
}

static void adopt_refuses_a_udp_socket(void **state)
{
	(void)state;
	refuse_socket(AF_INET, SOCK_DGRAM, -EPROTOTYPE);
}

static void adopt_refuses_a_tcp_socket(void **state)
{
	(void)state;
	refuse_socket(AF_INET, SOCK_STREAM, -EPROTOTYPE);
}

static void adopt_refuses_a_unix_datagram_socket(void **state)
{
	(void)state;
	refuse_socket(AF_UNIX, SOCK_DGRAM, -EPROTOTYPE);
}

static void adopt_refuses_a_unix_packet_socket(void **state)
{
	(void)state;
	refuse_socket(AF_UNIX, SOCK_SEQPACKET, -EPROTOTYPE);
}

static void adopt_refuses_a_socket_without_a_peer(void **state)
{
	(void)state;
	refuse_socket(AF_UNIX, SOCK_STREAM, -ENOTCONN);
}

static void adopt_refuses_a_bound_socket_nobody_listens_on(void **state)
{
	struct place *place = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, place->path, strlen(place->path));
	assert_int_equal(bind(fd, (struct sockaddr *)&address,
			      sizeof(address)), 0);
	refuse(fd, -ENOTCONN);
	close(fd);
}

static void accept_as(int fd, enum vhb_socket_kind expected)
{
	enum vhb_socket_kind kind = !expected;

	assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
	assert_int_equal(fcntl(fd, F_SETFD, 0), 0);
	assert_int_equal(vhb_socket_adopt(fd, &kind), 0);
	assert_int_equal(kind, expected);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void adopt_takes_a_listening_socket(void **state)
{
	struct place *place = *state;
	int fd = listen_at(place->path);

	accept_as(fd, VHB_SOCKET_LISTENING);
	close(fd);
}

static void adopt_takes_an_accepted_socket(void **state)
{
	struct place *place = *state;
	int listen_fd = listen_at(place->path);
	int front_end = connect_to(place->path);
	int fd = vhb_socket_accept(listen_fd);

	accept_as(fd, VHB_SOCKET_CONNECTED);
	accept_as(front_end, VHB_SOCKET_CONNECTED);
	close(fd);
	close(front_end);
	close(listen_fd);
}

static void adopt_takes_one_end_of_a_socketpair(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	accept_as(fds[0], VHB_SOCKET_CONNECTED);
	close(fds[0]);
	close(fds[1]);
}

static void adopt_takes_a_socket_whose_peer_has_left(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	close(fds[1]);
	accept_as(fds[0], VHB_SOCKET_CONNECTED);
	close(fds[0]);
}

#define PLACE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, make_place, remove_place)

int main(void)
{
	static const struct CMUnitTest socket[] = {
		PLACE_TEST(listens_on_a_new_path),
		PLACE_TEST(stale_socket_file_is_replaced),
		PLACE_TEST(stale_file_of_another_socket_type_is_replaced),
		PLACE_TEST(path_in_use_is_left_alone),
		PLACE_TEST(path_of_one_that_is_about_to_listen_is_left_alone),
		PLACE_TEST(who_keeps_a_directory_locked_is_not_waited_for),
		PLACE_TEST(a_directory_need_not_be_named),
		PLACE_TEST(path_in_use_with_a_full_backlog_is_left_alone),
		PLACE_TEST(path_of_a_live_datagram_socket_is_left_alone),
		PLACE_TEST(regular_file_is_left_alone),
		PLACE_TEST(directory_is_left_alone),
		PLACE_TEST(symbolic_link_to_a_stale_socket_is_left_alone),
		PLACE_TEST(missing_directory_is_an_error),
		PLACE_TEST(empty_path_is_an_error),
		PLACE_TEST(longest_path_works),
		PLACE_TEST(longer_path_is_an_error_not_cut_short),
		PLACE_TEST(accept_finds_nobody),
		PLACE_TEST(accept_takes_front_ends_one_by_one),
		cmocka_unit_test(accept_on_a_wrong_descriptor_is_an_error),
		cmocka_unit_test(adopt_refuses_what_is_not_open),
		cmocka_unit_test(adopt_refuses_a_file),
		cmocka_unit_test(adopt_refuses_a_pipe),
		cmocka_unit_test(adopt_refuses_a_udp_socket),
		cmocka_unit_test(adopt_refuses_a_tcp_socket),
		cmocka_unit_test(adopt_refuses_a_unix_datagram_socket),
		cmocka_unit_test(adopt_refuses_a_unix_packet_socket),
		cmocka_unit_test(adopt_refuses_a_socket_without_a_peer),
		PLACE_TEST(adopt_refuses_a_bound_socket_nobody_listens_on),
		PLACE_TEST(adopt_takes_a_listening_socket),
		PLACE_TEST(adopt_takes_an_accepted_socket),
		cmocka_unit_test(adopt_takes_one_end_of_a_socketpair),
		cmocka_unit_test(adopt_takes_a_socket_whose_peer_has_left),
	};

	return cmocka_run_group_tests(socket, NULL, NULL);
}
