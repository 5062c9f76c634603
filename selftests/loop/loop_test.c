// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/bits.h"
#include "lib/resources.h"
#include "loop/loop.h"

/* More watches than this loop has room for */
#define MANY_WATCHES 4000
/* More turns than a generation has values */
#define MANY_TURNS 70000
#define PEER_WAIT_MS 5000

/**
 * struct fixture - a loop and what the watchers of a test work with
 * @loop: the loop
 * @before: what the process held at first
 */
struct fixture {
	struct vhb_loop *loop;
	struct resources before;
};

/**
 * struct seen - what a watcher noted
 * @loop: stopped by it when @stop_at calls were made
 * @stop_at: 0 for never
 * @calls: how often it was called
 * @events: with what, the last time
 * @fd: watched again each time unless negative
 * @ref: names the watch
 * @other: a watch it forgets when it is called
 */
struct seen {
	struct vhb_loop *loop;
	unsigned int stop_at;
	unsigned int calls;
	unsigned int events;
	int fd;
	struct vhb_watch_ref ref;
	struct vhb_watch_ref *other;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	resources_count(&fixture->before);
	assert_int_equal(vhb_loop_create(&fixture->loop), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;
	struct resources before = fixture->before;

	vhb_loop_destroy(fixture->loop);
	free(fixture);
	resources_assert_same(&before);
	return 0;
}

static void note(void *argument, unsigned int events)
{
	struct seen *seen = argument;

	seen->calls++;
	seen->events = events;
	if (seen->other)
		vhb_loop_unwatch(seen->loop, seen->other);
	if (seen->calls == seen->stop_at)
		vhb_loop_stop(seen->loop);
	else if (seen->fd >= 0)
		assert_int_equal(vhb_loop_watch(seen->loop, seen->fd, POLLIN,
						note, seen, &seen->ref), 0);
}

static int new_eventfd(unsigned int count)
{
	int fd = eventfd(count, EFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void watch(struct seen *seen, int fd, unsigned int events)
{
	assert_int_equal(vhb_loop_watch(seen->loop, fd, events, note, seen,
					&seen->ref), 0);
}

/* Lets the loop work off what is ready, up to this point. */
static void turn(struct vhb_loop *loop)
{
	struct seen last = { .loop = loop, .stop_at = 1, .fd = -1 };
	int fd = new_eventfd(1);

	watch(&last, fd, POLLIN);
	assert_int_equal(vhb_loop_run(loop), 0);
	assert_int_equal(last.calls, 1);
	close(fd);
}

static void a_ready_descriptor_calls_its_watcher(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .stop_at = 1, .fd = -1 };
	int fd = new_eventfd(1);

	watch(&seen, fd, POLLIN);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_int_equal(seen.calls, 1);
	assert_int_equal(seen.events, POLLIN);
	close(fd);
}

static void a_watch_is_spent_after_one_call(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .fd = -1 };
	int fd = new_eventfd(1);

	watch(&seen, fd, POLLIN);
	turn(fixture->loop);
	turn(fixture->loop);
	assert_int_equal(seen.calls, 1);
	close(fd);
}

static void a_watcher_may_watch_again(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .stop_at = 5 };
	int fd = new_eventfd(1);

	seen.fd = fd;
	watch(&seen, fd, POLLIN);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_int_equal(seen.calls, 5);
	close(fd);
}

static void room_to_write_is_reported(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .stop_at = 1, .fd = -1 };
	int fd = new_eventfd(0);

	watch(&seen, fd, POLLOUT);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_int_equal(seen.events, POLLOUT);
	close(fd);
}

static void a_peer_that_hangs_up_is_reported(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .stop_at = 1, .fd = -1 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	watch(&seen, fds[0], POLLIN);
	close(fds[1]);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_true(seen.events & POLLHUP);
	close(fds[0]);
}

static void a_descriptor_that_cannot_be_watched_is_reported(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .stop_at = 1, .fd = -1 };

	watch(&seen, 10000, POLLIN);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_int_equal(seen.events, POLLNVAL);
}

static void an_unwatched_descriptor_calls_nobody(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .fd = -1 };
	int fd = new_eventfd(0);

	watch(&seen, fd, POLLIN);
	vhb_loop_unwatch(fixture->loop, &seen.ref);
	assert_int_equal(seen.ref.value, 0);
	eventfd_write(fd, 1);
	turn(fixture->loop);
	assert_int_equal(seen.calls, 0);
	close(fd);
}

static void unwatching_after_it_became_ready_still_calls_nobody(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .fd = -1 };
	int fd = new_eventfd(1);

	watch(&seen, fd, POLLIN);
	/* Shows the watch to the kernel, which completes it at once. */
	vhb_loop_signal(fixture->loop, fd);
	vhb_loop_unwatch(fixture->loop, &seen.ref);
	turn(fixture->loop);
	assert_int_equal(seen.calls, 0);
	close(fd);
}

static void a_late_completion_does_not_reach_the_next_watch(void **state)
{
	struct fixture *fixture = *state;
	struct seen first = { .loop = fixture->loop, .fd = -1 };
	struct seen second = { .loop = fixture->loop, .fd = -1 };
	int ready_fd = new_eventfd(1);
	int quiet_fd = new_eventfd(0);

	watch(&first, ready_fd, POLLIN);
	vhb_loop_signal(fixture->loop, ready_fd);
	vhb_loop_unwatch(fixture->loop, &first.ref);
	/* Takes the slot that has just become free. */
	watch(&second, quiet_fd, POLLIN);
	turn(fixture->loop);
	assert_int_equal(first.calls, 0);
	assert_int_equal(second.calls, 0);
	vhb_loop_unwatch(fixture->loop, &second.ref);
	close(ready_fd);
	close(quiet_fd);
}

static void a_watcher_may_forget_another_that_is_ready(void **state)
{
	struct fixture *fixture = *state;
	struct seen first = { .loop = fixture->loop, .fd = -1 };
	struct seen second = { .loop = fixture->loop, .fd = -1 };
	int fd = new_eventfd(1);

	first.other = &second.ref;
	second.other = &first.ref;
	watch(&first, fd, POLLIN);
	watch(&second, fd, POLLIN);
	turn(fixture->loop);
	assert_int_equal(first.calls + second.calls, 1);
	close(fd);
}

static void an_empty_or_spent_reference_is_ignored(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .fd = -1 };
	struct vhb_watch_ref nothing = { 0 };
	struct vhb_watch_ref spent, nonsense;
	int fd = new_eventfd(1);

	vhb_loop_unwatch(fixture->loop, &nothing);
	watch(&seen, fd, POLLIN);
	spent = seen.ref;
	turn(fixture->loop);
	assert_int_equal(seen.calls, 1);
	vhb_loop_unwatch(fixture->loop, &spent);
	for (unsigned int bit = 0; bit < 64; bit++) {
		nonsense.value = vhb_bit(bit);
		vhb_loop_unwatch(fixture->loop, &nonsense);
	}
	close(fd);
}

static void references_stay_apart_when_generations_start_over(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .fd = -1 };
	int fd = new_eventfd(0);

	for (unsigned int i = 0; i < MANY_TURNS; i++) {
		watch(&seen, fd, POLLIN);
		assert_int_not_equal(seen.ref.value, 0);
		vhb_loop_unwatch(fixture->loop, &seen.ref);
	}
	watch(&seen, fd, POLLIN);
	eventfd_write(fd, 1);
	turn(fixture->loop);
	assert_int_equal(seen.calls, 1);
	close(fd);
}

static void too_many_watches_are_refused_and_the_others_work(void **state)
{
	struct fixture *fixture = *state;
	struct seen *seen = calloc(MANY_WATCHES, sizeof(*seen));
	int fd = new_eventfd(0);
	unsigned int count, i;
	int ret = 0;

	for (count = 0; count < MANY_WATCHES; count++) {
		seen[count].loop = fixture->loop;
		seen[count].fd = -1;
		ret = vhb_loop_watch(fixture->loop, fd, POLLIN, note,
				     &seen[count], &seen[count].ref);
		if (ret)
			break;
	}
	assert_int_equal(ret, -ENOMEM);
	/* What 129 vrings may need, all at once; see loop.c. */
	assert_true(count > 129 * 5 + 12);

	vhb_loop_unwatch(fixture->loop, &seen[0].ref);
	eventfd_write(fd, 1);
	turn(fixture->loop);
	assert_int_equal(seen[0].calls, 0);
	for (i = 1; i < count; i++)
		assert_int_equal(seen[i].calls, 1);
	free(seen);
	close(fd);
}

static void stop_ends_the_run_before_the_next_watcher(void **state)
{
	struct fixture *fixture = *state;
	struct seen first = { .loop = fixture->loop, .stop_at = 1, .fd = -1 };
	struct seen second = { .loop = fixture->loop, .stop_at = 1, .fd = -1 };
	int fd = new_eventfd(1);

	watch(&first, fd, POLLIN);
	watch(&second, fd, POLLIN);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_int_equal(first.calls + second.calls, 1);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_int_equal(first.calls + second.calls, 2);
	close(fd);
}

static void a_loop_with_live_watches_can_be_destroyed(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .fd = -1 };
	struct resources *before = &fixture->before;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	watch(&seen, fds[0], POLLIN);
	turn(fixture->loop);
	vhb_loop_destroy(fixture->loop);
	fixture->loop = NULL;
	close(fds[0]);
	close(fds[1]);
	resources_assert_same(before);
	assert_int_equal(seen.calls, 0);
}

static void no_loop_can_be_destroyed(void **state)
{
	(void)state;
	vhb_loop_destroy(NULL);
}

static void assert_peer_sees_end(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	char byte;

	assert_int_equal(poll(&pollfd, 1, PEER_WAIT_MS), 1);
	assert_int_equal(read(fd, &byte, 1), 0);
}

static void the_peer_sees_the_end_right_after_unwatch_and_close(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .fd = -1 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	watch(&seen, fds[0], POLLIN);
	/* The kernel now holds the file for the watch. */
	turn(fixture->loop);
	vhb_loop_unwatch(fixture->loop, &seen.ref);
	close(fds[0]);
	/* The loop does not turn. */
	assert_peer_sees_end(fds[1]);
	close(fds[1]);
}

static void a_watch_never_shown_to_the_kernel_can_be_forgotten(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .fd = -1 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				    fds), 0);
	watch(&seen, fds[0], POLLIN);
	vhb_loop_unwatch(fixture->loop, &seen.ref);
	close(fds[0]);
	assert_peer_sees_end(fds[1]);
	close(fds[1]);
	turn(fixture->loop);
	assert_int_equal(seen.calls, 0);
}

static void a_signal_reaches_an_eventfd_that_is_closed_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .stop_at = 1, .fd = -1 };
	int fd = new_eventfd(0);
	int copy_fd = dup(fd);
	eventfd_t count = 0;

	vhb_loop_signal(fixture->loop, copy_fd);
	close(copy_fd);
	watch(&seen, fd, POLLIN);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	assert_int_equal(eventfd_read(fd, &count), 0);
	assert_int_equal(count, 1);
	close(fd);
}

static int full_eventfd(int flags)
{
	int fd = eventfd(0, EFD_CLOEXEC | flags);

	assert_true(fd >= 0);
	assert_int_equal(eventfd_write(fd, UINT64_MAX - 1), 0);
	return fd;
}

static void a_signal_on_a_full_eventfd_does_not_block(void **state)
{
	struct fixture *fixture = *state;
	int fd = full_eventfd(0);

	for (unsigned int i = 0; i < 100; i++)
		vhb_loop_signal(fixture->loop, fd);
	turn(fixture->loop);
	close(fd);
}

static void a_full_eventfd_is_left_alone_after_a_while(void **state)
{
	struct fixture *fixture = *state;
	struct resources before, now;
	struct pollfd pollfd = { .events = POLLIN };
	eventfd_t count;

	resources_count(&before);
	pollfd.fd = full_eventfd(0);
	for (unsigned int i = 0; i < 100; i++)
		vhb_loop_signal(fixture->loop, pollfd.fd);
	turn(fixture->loop);
	resources_count(&now);
	/* No thread waits for each of them. */
	assert_true(now.thread_count < before.thread_count + 50);

	usleep(1500000);
	turn(fixture->loop);
	assert_int_equal(eventfd_read(pollfd.fd, &count), 0);
	turn(fixture->loop);
	/* Given up: nobody waited for the room there is now. */
	assert_int_equal(poll(&pollfd, 1, 200), 0);
	close(pollfd.fd);
}

static void a_signal_on_what_is_no_eventfd_does_no_harm(void **state)
{
	struct fixture *fixture = *state;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	vhb_loop_signal(fixture->loop, fds[0]);
	vhb_loop_signal(fixture->loop, 10000);
	turn(fixture->loop);
	close(fds[0]);
	close(fds[1]);
}

static void *write_later(void *argument)
{
	usleep(200000);
	eventfd_write(*(int *)argument, 1);
	return NULL;
}

static void the_loop_sleeps_while_nothing_is_ready(void **state)
{
	struct fixture *fixture = *state;
	struct seen seen = { .loop = fixture->loop, .stop_at = 1, .fd = -1 };
	struct rusage before, after;
	int fd = new_eventfd(0);
	pthread_t thread;

	watch(&seen, fd, POLLIN);
	getrusage(RUSAGE_THREAD, &before);
	assert_int_equal(pthread_create(&thread, NULL, write_later, &fd), 0);
	assert_int_equal(vhb_loop_run(fixture->loop), 0);
	getrusage(RUSAGE_THREAD, &after);
	pthread_join(thread, NULL);
	assert_int_equal(seen.calls, 1);
	/* One sleep, one awakening; a little more where cores are scarce. */
	assert_true(after.ru_nvcsw - before.ru_nvcsw < 10);
	close(fd);
}

#define loop_test(function) \
	cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		loop_test(a_ready_descriptor_calls_its_watcher),
		loop_test(a_watch_is_spent_after_one_call),
		loop_test(a_watcher_may_watch_again),
		loop_test(room_to_write_is_reported),
		loop_test(a_peer_that_hangs_up_is_reported),
		loop_test(a_descriptor_that_cannot_be_watched_is_reported),
		loop_test(an_unwatched_descriptor_calls_nobody),
		loop_test(unwatching_after_it_became_ready_still_calls_nobody),
		loop_test(a_late_completion_does_not_reach_the_next_watch),
		loop_test(a_watcher_may_forget_another_that_is_ready),
		loop_test(an_empty_or_spent_reference_is_ignored),
		loop_test(references_stay_apart_when_generations_start_over),
		loop_test(too_many_watches_are_refused_and_the_others_work),
		loop_test(stop_ends_the_run_before_the_next_watcher),
		loop_test(a_loop_with_live_watches_can_be_destroyed),
		loop_test(no_loop_can_be_destroyed),
		loop_test(the_peer_sees_the_end_right_after_unwatch_and_close),
		loop_test(a_watch_never_shown_to_the_kernel_can_be_forgotten),
		loop_test(a_signal_reaches_an_eventfd_that_is_closed_at_once),
		loop_test(a_signal_on_a_full_eventfd_does_not_block),
		loop_test(a_full_eventfd_is_left_alone_after_a_while),
		loop_test(a_signal_on_what_is_no_eventfd_does_no_harm),
		loop_test(the_loop_sleeps_while_nothing_is_ready),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
