// SPDX-License-Identifier: GPL-2.0-or-later
/* The write cache mode goes with the guest, from one broker to the next. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <linux/virtio_blk.h>

#include "lib/bits.h"
#include "lib/broker.h"
#include "lib/device_state.h"
#include "lib/module.h"

#define ok(call) assert_int_equal(call, 0)

#define FILE_PATH "/dev/shm/vhb-state-test.img"
#define WCE_OFFSET offsetof(struct virtio_blk_config, wce)
#define TIMEOUT_MS 20000

static const char *const arguments[] = { "--blk-file=" FILE_PATH, NULL };

static void start(struct broker *broker, struct frontend *frontend)
{
	const uint64_t mask = vhb_bit(VHB_PROTOCOL_F_REPLY_ACK) |
			      vhb_bit(VHB_PROTOCOL_F_CONFIG) |
			      vhb_bit(VHB_PROTOCOL_F_DEVICE_STATE);

	ok(broker_start_device(broker, "blk", arguments));
	ok(frontend_connect(frontend, broker->socket_path, TIMEOUT_MS));
	ok(frontend_set_protocol_features(frontend, mask));
	frontend->need_reply = true;
}

static void stop(struct broker *broker, struct frontend *frontend)
{
	frontend_close(frontend);
	ok(broker_stop(broker));
}

static unsigned int mode(struct frontend *frontend)
{
	uint8_t wce = 7;

	ok(frontend_get_config(frontend, WCE_OFFSET, 0, &wce, 1));
	return wce;
}

static void cache_mode_is_carried_over(void **state)
{
	const uint8_t writethrough = 0;
	struct frontend frontend;
	struct broker broker;
	uint8_t stream[64];
	size_t bytes = sizeof(stream);

	(void)state;
	start(&broker, &frontend);
	assert_int_equal(mode(&frontend), 1);
	ok(frontend_set_config(&frontend, WCE_OFFSET, 0, &writethrough, 1));
	ok(device_state_save(&frontend, stream, &bytes));
	stop(&broker, &frontend);

	start(&broker, &frontend);
	assert_int_equal(mode(&frontend), 1);
	ok(device_state_load(&frontend, stream, bytes));
	assert_int_equal(mode(&frontend), 0);
	stop(&broker, &frontend);
}

static void refused_state_changes_nothing(void **state)
{
	const uint8_t writethrough = 0;
	struct frontend frontend;
	struct broker broker;
	uint8_t stream[64];
	size_t bytes = sizeof(stream);

	(void)state;
	start(&broker, &frontend);
	ok(device_state_save(&frontend, stream, &bytes));
	ok(frontend_set_config(&frontend, WCE_OFFSET, 0, &writethrough, 1));
	assert_int_equal(device_state_load(&frontend, stream, bytes - 1),
			 -EREMOTEIO);
	stream[20] ^= 1;
	assert_int_equal(device_state_load(&frontend, stream, bytes),
			 -EREMOTEIO);
	assert_int_equal(mode(&frontend), 0);
	stop(&broker, &frontend);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cache_mode_is_carried_over),
		cmocka_unit_test(refused_state_changes_nothing),
	};
	int fd, ret;

	module_need();
	fd = open(FILE_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 1 << 20))
		return 1;
	close(fd);
	ret = cmocka_run_group_tests_name("blk state", tests, NULL, NULL);
	unlink(FILE_PATH);
	module_restore();
	return ret ? 1 : 0;
}
