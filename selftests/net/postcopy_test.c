// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/utsname.h>
#include <sys/wait.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "lib/bits.h"
#include "lib/host_link.h"
#include "lib/net_bench.h"
#include "lib/postcopy.h"

/*
 * Guests that come by postcopy to the real vhost-net: with a front-end that
 * brings their pages, and with one that never does.
 */

#define FRAMES 200
/* What a second is on an emulated CPU of a busy host */
#define A_SECOND_MS 2500
#define EXCHANGE_FRAMES 32

/**
 * struct migration - a bench and the pages of its guest
 * @bench: the bench
 * @server: has the pages
 */
struct migration {
	struct net_bench bench;
	struct page_server server;
};

static int set_up(void **state)
{
	static const char *const arguments[] = { "--postcopy", NULL };
	static struct migration migration;

	memset(&migration, 0, sizeof(migration));
	migration.bench.guest.frontend.fd = -1;
	*state = &migration;
	return net_bench_start(&migration.bench, arguments);
}

static int tear_down(void **state)
{
	struct migration *migration = *state;
	struct net_bench *bench = &migration->bench;
	bool is_alive = broker_is_alive(&bench->broker);

	net_guest_close(&bench->guest);
	page_server_stop(&migration->server);
	if (!is_alive)
		broker_show_log(&bench->broker);
	return net_bench_stop(bench) || !is_alive;
}

/* Broker gone: the test has ended it. */
static int tear_down_without_broker(void **state)
{
	struct migration *migration = *state;

	net_guest_close(&migration->bench.guest);
	page_server_stop(&migration->server);
	close(migration->bench.host_fd);
	return 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The front-end up to the acknowledged table */
static void arrive(struct migration *migration)
{
	struct net_guest *guest = &migration->bench.guest;
	struct vhb_wire_region regions[NET_GUEST_REGIONS_MAX];
	struct page_server *server = &migration->server;
	int fds[NET_GUEST_REGIONS_MAX];

	assert_int_equal(net_guest_connect(guest,
					   migration->bench.broker.socket_path),
			 0);
	assert_true(vhb_has_bit(guest->offered_protocol,
				VHB_PROTOCOL_F_PAGEFAULT));
	assert_int_equal(postcopy_advise(&guest->frontend,
					 &server->userfault_fd), 0);
	assert_int_equal(postcopy_listen(&guest->frontend), 0);
	for (unsigned int i = 0; i < guest->config.regions; i++) {
		regions[i] = guest->memory[i].region;
		fds[i] = guest->memory[i].fd;
	}
	assert_int_equal(postcopy_set_mem_table(&guest->frontend, regions, fds,
						guest->config.regions,
						server->bases), 0);
	assert_int_equal(postcopy_ack(&guest->frontend, VHB_SET_MEM_TABLE, 0),
			 0);
}

/* A guest that has been at work elsewhere: its rings are not new. */
static void depart(struct migration *migration,
		   const struct net_guest_config *config)
{
	struct net_bench *bench = &migration->bench;

	assert_int_equal(net_guest_open(&bench->guest, config,
					bench->broker.socket_path), 0);
	assert_int_equal(net_bench_exchange(bench, 0, EXCHANGE_FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(&bench->guest, 0), 0);
	frontend_close(&bench->guest.frontend);
	for (unsigned int i = 0; i < config->regions; i++)
		assert_int_equal(page_server_evacuate(&migration->server,
						      &bench->guest.memory[i]),
				 0);
}

static void migrate(struct migration *migration,
		    const struct net_guest_config *config)
{
	struct net_bench *bench = &migration->bench;
	struct page_server *server = &migration->server;
	unsigned int served_count;

	depart(migration, config);
	arrive(migration);
	assert_int_equal(page_server_start(server), 0);
	assert_int_equal(net_guest_start_pair(&bench->guest, 0), 0);
	assert_int_equal(net_bench_exchange(bench, 0, FRAMES), 0);
	served_count = __atomic_load_n(&server->served_count, __ATOMIC_RELAXED);
	print_message("# %u pages on demand of the broker and its vhost\n",
		      served_count);
	assert_true(served_count > 2);
	assert_int_equal(page_server_bring_all(server), 0);
	assert_int_equal(postcopy_end(&bench->guest.frontend), 0);
	assert_int_equal(server->unknown_count, 0);

	assert_int_equal(net_bench_exchange(bench, 0, FRAMES), 0);
	assert_int_equal(net_guest_stop_pair(&bench->guest, 0), 0);
}

static void traffic_flows_while_pages_arrive(void **state)
{
	struct net_guest_config config = net_guest_config_default;

	config.regions = 3;
	migrate(*state, &config);
}

static void traffic_flows_with_event_idx_and_late_pages(void **state)
{
	struct net_guest_config config = net_guest_config_default;
	struct migration *migration = *state;

	config.features |= vhb_bit(VIRTIO_RING_F_EVENT_IDX);
	migration->server.delay_ms = 20;
	migrate(migration, &config);
}

/* Pages that come and go do no harm to the guest that comes after them. */
static void one_guest_after_another(void **state)
{
	struct migration *migration = *state;
	struct broker_counts before, after;

	for (unsigned int i = 0; i < 4; i++) {
		migrate(migration, &net_guest_config_default);
		net_guest_close(&migration->bench.guest);
		page_server_stop(&migration->server);
		memset(&migration->server, 0, sizeof(migration->server));
		net_bench_forget(&migration->bench);
		if (!i)
			assert_int_equal(broker_count_idle(&migration->bench.broker,
							   &before), 0);
	}
	assert_int_equal(broker_count_idle(&migration->bench.broker, &after),
			 0);
	broker_show_counts("one guest", &before);
	broker_show_counts("four guests", &after);
	assert_int_equal(after.tasks, before.tasks);
	assert_in_range(after.maps, 0, before.maps + 1);
}

static void wait_for_fault(const struct migration *migration)
{
	struct pollfd pollfd = { .fd = migration->server.userfault_fd,
				 .events = POLLIN };

	assert_int_equal(poll(&pollfd, 1, 10000), 1);
	/* Who waits may still be on its way into the queue. */
	usleep(100000);
}

/* The worker waits for a page that a frame is received into. */
static void block_worker(struct migration *migration)
{
	struct net_guest_config config = net_guest_config_default;
	struct net_bench *bench = &migration->bench;

	config.regions = 3;
	assert_int_equal(net_guest_init(&bench->guest, &config), 0);
	arrive(migration);
	assert_int_equal(net_guest_start_pair(&bench->guest, 0), 0);
	assert_int_equal(net_bench_host_queue(bench, 0, 1), 0);
	wait_for_fault(migration);
}

static void start_ring(struct net_guest *guest, unsigned int index)
{
	struct guest_ring *ring = &guest->queues[index].ring;
	struct frontend *frontend = &guest->frontend;
	struct vhb_wire_vring_addr addr;

	guest_ring_addr(ring, index, &addr);
	assert_int_equal(frontend_set_vring_num(frontend, index, ring->num), 0);
	assert_int_equal(frontend_set_vring_base(frontend, index, 0), 0);
	assert_int_equal(frontend_set_vring_addr(frontend, &addr), 0);
	assert_int_equal(frontend_set_vring_kick(frontend, index,
						 ring->kick_fd), 0);
	assert_int_equal(frontend_set_vring_enable(frontend, index, true), 0);
}

/* It waits for a command on the control queue, which it serves itself. */
static void block_control(struct migration *migration)
{
	struct net_guest_config config = net_guest_config_default;
	struct net_guest *guest = &migration->bench.guest;
	struct guest_buffer command[2];

	config.features |= vhb_bit(VIRTIO_NET_F_CTRL_VQ);
	config.regions = 3;
	config.pairs = 2;
	assert_int_equal(net_guest_init(guest, &config), 0);
	command[0] = (struct guest_buffer){ guest->memory[2].region.gpa, 8 };
	command[1] = (struct guest_buffer){ guest->memory[0].region.gpa + 8192,
					    1 };
	assert_true(guest_ring_add(&guest->queues[2].ring, command, 1, 1) >= 0);
	arrive(migration);
	start_ring(guest, 2);
	wait_for_fault(migration);
}

/* The broker itself waits, before an ioctl() that reads the used index. */
static void block_broker(struct migration *migration)
{
	struct net_bench *bench = &migration->bench;

	assert_int_equal(net_guest_init(&bench->guest,
					&net_guest_config_default), 0);
	assert_int_equal(page_server_evacuate(&migration->server,
					      &bench->guest.memory[0]), 0);
	arrive(migration);
	bench->guest.frontend.need_reply = false;
	start_ring(&bench->guest, 1);
	wait_for_fault(migration);
}

/* It keeps its descriptor of the userfaultfd, which would hold who waits. */
static void leave_and_expect_service(struct migration *migration)
{
	struct net_bench *bench = &migration->bench;
	int userfault_fd = migration->server.userfault_fd;
	uint64_t start_ms = now_ms();
	uint64_t features;

	frontend_close(&bench->guest.frontend);
	assert_int_equal(frontend_connect(&bench->guest.frontend,
					  bench->broker.socket_path, 10000), 0);
	assert_int_equal(frontend_get_features(&bench->guest.frontend,
					       &features), 0);
	print_message("# the next front-end was served after %u ms\n",
		      (unsigned int)(now_ms() - start_ms));
	assert_true(now_ms() - start_ms < A_SECOND_MS);

	migration->server.userfault_fd = 0;
	page_server_stop(&migration->server);
	net_guest_close(&bench->guest);
	net_bench_forget(bench);
	assert_int_equal(net_bench_session(bench, &net_guest_config_default,
					   FRAMES), 0);
	close(userfault_fd);
}

static void a_front_end_that_left_does_not_hold_the_worker(void **state)
{
	block_worker(*state);
	leave_and_expect_service(*state);
}

static void a_front_end_that_left_does_not_hold_the_broker(void **state)
{
	block_broker(*state);
	leave_and_expect_service(*state);
}

static void a_front_end_that_left_does_not_hold_the_control_queue(void **state)
{
	block_control(*state);
	leave_and_expect_service(*state);
}

static void expect_end(struct migration *migration)
{
	uint64_t start_ms = now_ms();

	assert_int_equal(broker_stop(&migration->bench.broker), 0);
	print_message("# it ended after %u ms\n",
		      (unsigned int)(now_ms() - start_ms));
	assert_true(now_ms() - start_ms < A_SECOND_MS);
}

static void the_process_ends_while_the_worker_waits(void **state)
{
	block_worker(*state);
	expect_end(*state);
}

static void the_process_ends_while_the_control_queue_waits(void **state)
{
	block_control(*state);
	expect_end(*state);
}

static void the_process_ends_while_the_broker_waits(void **state)
{
	block_broker(*state);
	expect_end(*state);
}

/* Vhost workers are threads of the broker since Linux 6.4. */
static bool is_killed_with_its_workers(void)
{
	struct utsname name;
	unsigned long major, minor;
	char *end;

	assert_int_equal(uname(&name), 0);
	major = strtoul(name.release, &end, 10);
	assert_int_equal(*end, '.');
	minor = strtoul(end + 1, NULL, 10);
	return major > 6 || (major == 6 && minor >= 4);
}

static bool is_gone_within(pid_t pid, unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i += 10) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return true;
		usleep(10000);
	}
	return false;
}

/* Older kernels wait for the page until the front-end is gone, too. */
static void check_killed(struct migration *migration)
{
	struct broker *broker = &migration->bench.broker;
	bool is_gone;

	kill(broker->pid, SIGKILL);
	is_gone = is_gone_within(broker->pid, 1000);
	print_message("# gone %s the front-end\n", is_gone ? "before" : "after");
	assert_int_equal(is_gone, is_killed_with_its_workers());
	page_server_stop(&migration->server);
	if (!is_gone)
		assert_true(is_gone_within(broker->pid, 5000));
	broker->pid = 0;
}

static void a_killed_process_is_gone_with_its_front_end(void **state)
{
	block_worker(*state);
	check_killed(*state);
}

static void a_front_end_that_stays_has_ten_seconds(void **state)
{
	struct migration *migration = *state;
	struct net_bench *bench = &migration->bench;
	uint64_t start_ms = now_ms();
	unsigned int base;

	block_worker(migration);
	bench->guest.frontend.timeout_ms = 30000;
	assert_true(frontend_get_vring_base(&bench->guest.frontend, 0,
					    &base) < 0);
	assert_true(now_ms() - start_ms > 9000);
	assert_true(broker_comes_to_say(&bench->broker, "unanswered"));
	leave_and_expect_service(migration);
}

#define CASE(function) \
	cmocka_unit_test_setup_teardown(function, set_up, tear_down)
#define LAST_CASE(function) \
	cmocka_unit_test_setup_teardown(function, set_up, \
					tear_down_without_broker)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(traffic_flows_while_pages_arrive),
		CASE(traffic_flows_with_event_idx_and_late_pages),
		CASE(one_guest_after_another),
		CASE(a_front_end_that_left_does_not_hold_the_worker),
		CASE(a_front_end_that_left_does_not_hold_the_broker),
		CASE(a_front_end_that_left_does_not_hold_the_control_queue),
		LAST_CASE(the_process_ends_while_the_worker_waits),
		LAST_CASE(the_process_ends_while_the_control_queue_waits),
		LAST_CASE(the_process_ends_while_the_broker_waits),
		LAST_CASE(a_killed_process_is_gone_with_its_front_end),
		CASE(a_front_end_that_stays_has_ten_seconds),
	};

	if (!vhost_net_is_there() || !postcopy_is_possible())
		return SKIP_STATUS;
	if (host_netns_enter())
		return 1;
	if (getenv("VHB_FILTER"))
		cmocka_set_test_filter(getenv("VHB_FILTER"));
	return cmocka_run_group_tests_name("net: postcopy", tests, NULL, NULL);
}
