// SPDX-License-Identifier: GPL-2.0-or-later
/* Logs that are none, or too short for what they would have to hold */
#include "session/log_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lib/random.h"

/* Eight bytes can tell of an error, so the session goes on. */
static int bad_log_setup(void **state)
{
	struct session_fixture *fixture;
	int ret = log_fixture_setup(state);

	if (ret)
		return ret;
	fixture = *state;
	fixture->log_reply_bytes = 8;
	return 0;
}

#define bad_log_test(function) \
	cmocka_unit_test_setup_teardown(function, bad_log_setup, \
					session_fixture_teardown)

static void refuse_file(struct session_fixture *fixture, int fd, uint64_t bytes,
			uint64_t offset)
{
	const struct frontend_log log = {
		.fd = fd,
		.size_bytes = bytes,
		.offset_bytes = offset,
	};
	struct resources before;

	assert_true(fd >= 0);
	resources_count(&before);
	assert_int_equal(set_log(fixture, &log), -EREMOTEIO);
	resources_assert_same(&before);
	fixture_expect_calls(fixture, "");
	assert_true(recorder_is_running(fixture->recorder, 0));
}

static void refuse_and_close(struct session_fixture *fixture, int fd)
{
	refuse_file(fixture, fd, LOG_BYTES, 0);
	close(fd);
}

static int make_memfd(off_t size_bytes, int seals)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	ok(ftruncate(fd, size_bytes));
	if (seals)
		ok(fcntl(fd, F_ADD_SEALS, seals));
	return fd;
}

static void what_is_no_shared_memory_is_refused(void **state)
{
	struct session_fixture *fixture = *state;
	char path[64];
	int fd;

	log_start(fixture, LOG_FEATURES, 1);
	refuse_and_close(fixture, eventfd(0, EFD_CLOEXEC));
	refuse_and_close(fixture, open("/dev/zero", O_RDWR | O_CLOEXEC));
	refuse_and_close(fixture, open("/", O_DIRECTORY | O_CLOEXEC));
	refuse_and_close(fixture, open("/proc/self/mem", O_RDWR | O_CLOEXEC));
	refuse_and_close(fixture, open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	refuse_and_close(fixture, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC,
					 0));
	/* Shared memory, but we may not write there. */
	refuse_and_close(fixture, make_memfd(LOG_BYTES, F_SEAL_WRITE));
	fd = make_memfd(LOG_BYTES, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	refuse_and_close(fixture, open(path, O_RDONLY | O_CLOEXEC));
	close(fd);
}

static void a_log_beyond_its_file_is_refused(void **state)
{
	static const struct {
		uint64_t bytes, offset;
	} ranges[] = {
		{ 0, 0 }, { 0, PAGE }, { LOG_BYTES + 1, 0 },
		{ LOG_BYTES, 1 }, { 1, LOG_BYTES }, { PAGE, 0 },
		{ UINT64_MAX, 0 }, { UINT64_MAX, 1 }, { 1, UINT64_MAX },
		{ LOG_BYTES, UINT64_MAX - LOG_BYTES + 1 },
		{ UINT64_MAX - 4095, 4096 }, { INT64_MAX, 0 },
	};
	struct session_fixture *fixture = *state;
	int fd = make_memfd(LOG_BYTES, 0);
	struct frontend_log log = { .fd = fd, .size_bytes = LOG_BYTES };

	log_start(fixture, LOG_FEATURES, 1);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(ranges); i++)
		refuse_file(fixture, fd, ranges[i].bytes, ranges[i].offset);
	ok(set_log(fixture, &log));
	/* A file so long that it does not fit into any address space */
	ok(ftruncate(fd, INT64_MAX));
	fixture_forget_calls(fixture);
	refuse_file(fixture, fd, INT64_MAX, 0);
	close(fd);
}

/* Whichever of the two comes second is refused. */
static void a_log_is_as_long_as_memory(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct frontend_log exact, short_by_one;

	frontend_log_open(&exact, LOG_BYTES, 1, 5);
	frontend_log_open(&short_by_one, LOG_BYTES - 1, 0, 5);
	log_start(fixture, LOG_FEATURES, 1);
	ok(set_log(fixture, &short_by_one));
	assert_int_equal(frontend_set_features(frontend,
					       LOG_FEATURES | LOG_ALL),
			 -EREMOTEIO);
	assert_int_equal(set_ring_log(fixture, 0, true, 0), -EREMOTEIO);
	fixture_expect_calls(fixture, "SET_LOG_BASE 0\n");

	ok(set_log(fixture, &exact));
	ok(frontend_set_features(frontend, LOG_FEATURES | LOG_ALL));
	fixture_forget_calls(fixture);
	assert_int_equal(set_log(fixture, &short_by_one), -EREMOTEIO);
	fixture_expect_calls(fixture, "");
	assert_true(frontend_log_has(&exact, FIXTURE_MEMORY_BYTES - 1));
	assert_true(frontend_log_is_alone(&exact));
	assert_int_equal(frontend_log_count(&short_by_one), 0);
	frontend_log_close(&exact);
	frontend_log_close(&short_by_one);
}

static void a_ring_is_in_the_log(void **state)
{
	/* The used ring has 6 + 8 * 256 bytes */
	static const uint64_t end = FIXTURE_MEMORY_BYTES;
	static const uint64_t outside[] = {
		end, end - 2048, end + 4, UINT64_C(1) << 63, UINT64_MAX - 3,
		UINT64_MAX - 2055, UINT64_C(1) << 47, end * 8,
	};
	struct session_fixture *fixture = *state;
	struct frontend_log log;

	frontend_log_open(&log, LOG_BYTES, 3, 64);
	log_start(fixture, LOG_FEATURES, 1);
	ok(set_log(fixture, &log));
	fixture_forget_calls(fixture);
	for (unsigned int i = 0; i < VHB_ARRAY_COUNT(outside); i++)
		assert_int_equal(set_ring_log(fixture, 0, true, outside[i]),
				 -EREMOTEIO);
	for (unsigned int i = 1; i < 4; i++)
		assert_int_equal(set_ring_log(fixture, 0, true, i), -EREMOTEIO);
	fixture_expect_calls(fixture, "");
	assert_int_equal(frontend_log_count(&log), 0);
	ok(set_ring_log(fixture, 0, true, end - 2056));
	fixture_expect_calls(fixture, LOG_ADDR_LINE(0, 0x3ff7f8));
	assert_true(frontend_log_is_alone(&log));
	/* One that does not run yet, and a log that it would not be in */
	assert_int_equal(set_ring_log(fixture, 1, true, end), 0);
	assert_int_equal(frontend_set_vring_num(&fixture->frontend, 1, 256), 0);
	assert_int_equal(set_ring_log(fixture, 1, true, end), -EREMOTEIO);
	frontend_log_close(&log);
}

static void memory_does_not_outgrow_the_log(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct guest_memory more;
	struct frontend_log log;

	/* A page more than what whole bytes of the log have bits for */
	ok(guest_memory_create(&more, 1, FIXTURE_MEMORY_BYTES + PAGE,
			       FIXTURE_UVA + 2 * FIXTURE_MEMORY_BYTES));
	frontend_log_open(&log, LOG_BYTES + 32, 0, 32);
	log_start(fixture, LOG_FEATURES | LOG_ALL, 1);
	ok(set_log(fixture, &log));
	fixture_forget_calls(fixture);
	assert_int_equal(frontend_add_mem_reg(frontend, &more.region, more.fd),
			 -EREMOTEIO);
	assert_int_equal(frontend_set_mem_table(frontend, &more.region,
						&more.fd, 1), -EREMOTEIO);
	fixture_expect_calls(fixture, "");
	/* When nothing is marked, memory is free. */
	ok(frontend_set_features(frontend, LOG_FEATURES));
	ok(frontend_add_mem_reg(frontend, &more.region, more.fd));
	assert_int_equal(frontend_set_features(frontend,
					       LOG_FEATURES | LOG_ALL),
			 -EREMOTEIO);
	assert_true(frontend_log_is_alone(&log));
	guest_memory_destroy(&more);
	frontend_log_close(&log);
}

/* What it was told last counts when it starts again. */
static void a_stopped_vring_needs_no_log(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct guest_memory more;
	struct frontend_log log;
	unsigned int base;

	ok(guest_memory_create(&more, 1, FIXTURE_MEMORY_BYTES,
			       FIXTURE_UVA + FIXTURE_MEMORY_BYTES));
	frontend_log_open(&log, LOG_BYTES, 0, 0);
	log_start(fixture, LOG_FEATURES, 1);
	ok(set_log(fixture, &log));
	ok(set_ring_log(fixture, 0, true, USED_GPA(0)));
	assert_int_equal(frontend_add_mem_reg(frontend, &more.region, more.fd),
			 -EREMOTEIO);
	ok(frontend_get_vring_base(frontend, 0, &base));
	ok(frontend_add_mem_reg(frontend, &more.region, more.fd));
	assert_int_equal(frontend_set_vring_kick(frontend, 0,
						 fixture->kick_fds[0]),
			 -EREMOTEIO);
	assert_int_equal(recorder_running(fixture->recorder), 0);
	ok(set_ring_log(fixture, 0, false, 0));
	ok(frontend_set_vring_kick(frontend, 0, fixture->kick_fds[0]));
	assert_int_equal(recorder_running(fixture->recorder), 1);
	assert_true(frontend_log_is_alone(&log));
	guest_memory_destroy(&more);
	frontend_log_close(&log);
}

/* Its own loss: neither we nor the other vrings are hurt. */
static void a_log_that_is_cut_off_hurts_nobody_else(void **state)
{
	struct session_fixture *fixture = *state;
	struct frontend *frontend = &fixture->frontend;
	struct frontend_log log, next;

	recorder_allow_log_misses(fixture->recorder);
	frontend_log_open(&log, LOG_BYTES, PAGE, 0);
	frontend_log_open(&next, LOG_BYTES, 0, 0);
	log_start(fixture, LOG_FEATURES | LOG_ALL, 2);
	ok(set_log(fixture, &log));
	ok(ftruncate(log.fd, 0));
	ok(set_ring_log(fixture, 0, true, USED_GPA(0)));
	fixture_declare_memory(fixture);
	ok(frontend_set_features(frontend, LOG_FEATURES));
	ok(frontend_set_features(frontend, LOG_FEATURES | LOG_ALL));
	ok(set_log(fixture, &next));
	assert_true(frontend_log_has(&next, USED_GPA(0)));
	assert_int_equal(recorder_running(fixture->recorder), 2);
	frontend_log_close(&log);
	frontend_log_close(&next);
}

#define AIMS 10000
#define CANARY_COUNT 64
#define CANARY_BYTES 8192

/* Of the broker's own memory: what lies where mappings and malloc() put it */
struct canaries {
	uint8_t *blocks[CANARY_COUNT];
	uint64_t hash;
};

static uint64_t hash_canaries(const struct canaries *canaries)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (unsigned int i = 0; i < CANARY_COUNT; i++)
		for (unsigned int j = 0; j < CANARY_BYTES; j++)
			hash = (hash ^ canaries->blocks[i][j]) *
			       UINT64_C(0x100000001b3);
	return hash;
}

static void set_canaries(struct canaries *canaries)
{
	for (unsigned int i = 0; i < CANARY_COUNT; i++) {
		if (i % 2)
			canaries->blocks[i] = calloc(1, CANARY_BYTES);
		else
			canaries->blocks[i] =
				mmap(NULL, CANARY_BYTES, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_non_null(canaries->blocks[i]);
		assert_true(canaries->blocks[i] != MAP_FAILED);
	}
	canaries->hash = hash_canaries(canaries);
}

static void free_canaries(struct canaries *canaries)
{
	for (unsigned int i = 0; i < CANARY_COUNT; i++) {
		if (i % 2)
			free(canaries->blocks[i]);
		else
			munmap(canaries->blocks[i], CANARY_BYTES);
	}
}

/* Anywhere, but most often near an edge */
static uint64_t random_place(struct test_random *rng)
{
	static const uint64_t edges[] = {
		0, PAGE, FIXTURE_MEMORY_BYTES, LOG_BYTES * 4096,
		LOG_BYTES * PAGE * 8, UINT64_C(1) << 32, UINT64_C(1) << 47,
		UINT64_C(1) << 62, UINT64_C(1) << 63, UINT64_MAX,
	};
	const uint64_t edge =
		edges[test_random_below(rng, VHB_ARRAY_COUNT(edges))];

	switch (test_random_below(rng, 4)) {
	case 0:
		return test_random_next(rng);
	case 1:
		return edge;
	case 2:
		return edge + test_random_below(rng, 9000);
	default:
		return edge - test_random_below(rng, 9000);
	}
}

/* How often each kind of message was taken, and refused */
enum aim {
	AIM_LOG,
	AIM_MEMORY,
	AIM_FEATURES,
	AIM_RING,
	AIM_KINDS,
};

static int aim_log(struct session_fixture *fixture, struct test_random *rng,
		   struct frontend_log *log)
{
	struct frontend_log next = *log;
	int ret;

	/* Its file is longer: only the log's own length counts. */
	next.offset_bytes = test_random_one_in(rng, 4) ?
				    random_place(rng) :
				    test_random_below(rng, 5000);
	next.size_bytes = test_random_one_in(rng, 4) ?
				  random_place(rng) :
				  LOG_BYTES - 2 + test_random_below(rng, 5);
	ret = set_log(fixture, &next);
	if (!ret)
		*log = next;
	return ret;
}

static int aim_memory(struct session_fixture *fixture, struct test_random *rng)
{
	struct vhb_wire_region region = fixture->memory.region;

	if (!test_random_one_in(rng, 3))
		region.gpa = random_place(rng);
	if (test_random_one_in(rng, 2))
		region.gpa &= ~(PAGE - 1);
	return frontend_set_mem_table(&fixture->frontend, &region,
				      &fixture->memory.fd, 1);
}

static int aim_features(struct session_fixture *fixture,
			struct test_random *rng)
{
	const uint64_t mask = test_random_one_in(rng, 2) ? LOG_ALL : 0;

	return frontend_set_features(&fixture->frontend, LOG_FEATURES | mask);
}

static int aim_ring(struct session_fixture *fixture, struct test_random *rng)
{
	const unsigned int index = test_random_below(rng, 2);
	const uint64_t gpa = test_random_one_in(rng, 4) ? USED_GPA(index) :
							  random_place(rng);

	return set_ring_log(fixture, index, !test_random_one_in(rng, 3), gpa);
}

static int aim(struct session_fixture *fixture, struct test_random *rng,
	       enum aim kind, struct frontend_log *log)
{
	switch (kind) {
	case AIM_LOG:
		return aim_log(fixture, rng, log);
	case AIM_MEMORY:
		return aim_memory(fixture, rng);
	case AIM_FEATURES:
		return aim_features(fixture, rng);
	default:
		return aim_ring(fixture, rng);
	}
}

/*
 * Whatever the kernel may mark is marked after each call, so with a log too short
 * it would be seen behind its end, in its file or anywhere.
 */
static void random_aims_never_leave_the_log(void **state)
{
	struct test_random rng = test_random_of(20261126);
	unsigned int taken[AIM_KINDS] = { 0 }, refused[AIM_KINDS] = { 0 };
	struct session_fixture *fixture = *state;
	unsigned int marked = 0;
	struct canaries canaries;
	struct frontend_log log;

	log_start(fixture, LOG_FEATURES, 2);
	frontend_log_open(&log, LOG_BYTES, 0, 5000 + 3 * PAGE);
	ok(set_log(fixture, &log));
	set_canaries(&canaries);
	for (unsigned int i = 0; i < AIMS; i++) {
		const enum aim kind = test_random_below(&rng, AIM_KINDS);
		const struct frontend_log old = log;

		memset(log.file, 0, log.file_bytes);
		if (aim(fixture, &rng, kind, &log))
			refused[kind]++;
		else
			taken[kind]++;
		/* A message refused half way may have marked in the old one. */
		if (!frontend_log_is_alone(&log) &&
		    !frontend_log_is_alone(&old))
			fail_msg("aim %u left the log", i);
		marked += frontend_log_count(&log) != 0;
		if (i % 500 == 0)
			assert_int_equal(hash_canaries(&canaries),
					 canaries.hash);
	}
	fixture_expect_alive(fixture);
	assert_int_equal(recorder_running(fixture->recorder), 2);
	assert_int_equal(hash_canaries(&canaries), canaries.hash);
	print_message("# marked %u times\n", marked);
	assert_true(marked > AIMS / 20);
	for (unsigned int i = 0; i < AIM_KINDS; i++) {
		print_message("# aims of kind %u: %u taken, %u refused\n", i,
			      taken[i], refused[i]);
		assert_true(taken[i] > 100 && refused[i] > 100);
	}
	free_canaries(&canaries);
	frontend_log_close(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		bad_log_test(what_is_no_shared_memory_is_refused),
		bad_log_test(a_log_beyond_its_file_is_refused),
		bad_log_test(a_log_is_as_long_as_memory),
		bad_log_test(a_ring_is_in_the_log),
		bad_log_test(memory_does_not_outgrow_the_log),
		bad_log_test(a_stopped_vring_needs_no_log),
		bad_log_test(a_log_that_is_cut_off_hurts_nobody_else),
		bad_log_test(random_aims_never_leave_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
