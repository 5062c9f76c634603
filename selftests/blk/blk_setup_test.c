// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said when a block device cannot be set up, on a made-up module. */
#include "blk/fake_bridge.h"

/* One line that says what is wrong and what to do */
static void refuse(const struct vhb_blk_config *config, int error,
		   const char *what, const char *remedy)
{
	static struct log_capture capture;
	struct vhb_kdev *kdev = NULL;
	int ret;

	log_capture_begin(&capture);
	ret = vhb_blk_create(config, &kdev);
	log_capture_end(&capture);
	assert_int_equal(ret, error);
	assert_null(kdev);
	if (!strstr(capture.text, what))
		assert_string_equal(capture.text, what);
	if (!strstr(capture.text, remedy))
		assert_string_equal(capture.text, remedy);
	assert_int_equal(log_capture_count(&capture, "\n"), 1);
}

static void test_module_is_missing(void **state)
{
	struct vhb_blk_config config = config_of(1);

	(void)state;
	config.vhost_path = "/nonexistent/vhost-bridge-blk";
	refuse(&config, -ENOENT, "/nonexistent/vhost-bridge-blk",
	       "--vhost-fd");
}

static void test_module_is_of_another_release(void **state)
{
	const struct vhb_blk_config config = config_of(1);

	(void)state;
	fake_info.abi = VHOST_BRIDGE_ABI + 1;
	strcpy(fake_info.version, "9.8.7");
	refuse(&config, -EPROTO, "another release of module vhost_bridge, 9.8.7",
	       "load the one of " VHOST_BRIDGE_VERSION);
	/* Its structure has another size. */
	fake_info.abi = VHOST_BRIDGE_ABI;
	fail_next(VHOST_BRIDGE_GET_INFO, 1, -EINVAL);
	refuse(&config, -EPROTO, "another release of module vhost_bridge",
	       "load the one of " VHOST_BRIDGE_VERSION);
}

static void test_device_is_no_block_device(void **state)
{
	const struct vhb_blk_config config = config_of(1);

	(void)state;
	fake_info.virtio_id = 0;
	refuse(&config, -EINVAL, "/dev/null is no block device",
	       "/dev/vhost-bridge-blk");
	fake_info.virtio_id = VIRTIO_ID_BLOCK;
	fail_next(VHOST_BRIDGE_GET_INFO, 1, -ENOTTY);
	refuse(&config, -EINVAL, "/dev/null is no block device",
	       "/dev/vhost-bridge-blk");
}

static void test_version_is_no_string(void **state)
{
	const struct vhb_blk_config config = config_of(1);

	(void)state;
	fake_info.abi = 0;
	memset(fake_info.version, 'x', sizeof(fake_info.version));
	refuse(&config, -EPROTO, "another release", "load the one of");
}

static void test_too_many_queues(void **state)
{
	struct vhb_blk_config config = config_of(VRINGS_MAX);
	struct vhb_kdev *kdev;

	(void)state;
	assert_int_equal(vhb_blk_create(&config, &kdev), 0);
	kdev->ops->destroy(kdev);
	forget_descriptors();
	config.queue_count++;
	refuse(&config, -EINVAL, "can have 16 virtqueues, not 17",
	       "choose a smaller --num-queues");
}

static void test_given_descriptor_is_closed(void **state)
{
	struct vhb_blk_config config = config_of(1);
	unsigned int i;

	(void)state;
	config.vhost_path = NULL;
	for (i = 0; i < 2; i++) {
		config.vhost_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (i)
			config.file_path = "/nonexistent";
		else
			fake_info.virtio_id = 1;
		refuse(&config, i ? -ENOENT : -EINVAL,
		       i ? "/nonexistent" : "the --vhost-fd is no block device",
		       i ? "--blk-file" : "/dev/vhost-bridge-blk");
		assert_false(is_open(config.vhost_fd));
	}
}

static void test_device_is_owned_by_another(void **state)
{
	const struct vhb_blk_config config = config_of(1);

	(void)state;
	fail_next(VHOST_SET_OWNER, 1, -EBUSY);
	refuse(&config, -EBUSY, "/dev/null is in use by another process",
	       "pass a new descriptor");
	fail_next(VHOST_SET_OWNER, 1, -ENOMEM);
	refuse(&config, -ENOMEM, "VHOST_SET_OWNER on /dev/null",
	       "Cannot allocate memory");
}

static void test_module_refuses_the_file(void **state)
{
	const struct vhb_blk_config config = config_of(1);

	(void)state;
	fail_next(VHOST_BRIDGE_BLK_SET_BACKING, 1, -EINVAL);
	refuse(&config, -EINVAL, "module vhost_bridge does not take the --blk-file",
	       "choose another");
	forget_descriptors();
	fail_next(VHOST_GET_FEATURES, 1, -EIO);
	refuse(&config, -EIO, "VHOST_GET_FEATURES of /dev/null",
	       "Input/output error");
}

/* What is wrong with the file is told without the module. */
static void test_file_comes_first(void **state)
{
	struct vhb_blk_config config = config_of(1);

	(void)state;
	config.vhost_path = "/nonexistent";
	config.file_path = "/dev/null";
	refuse(&config, -EINVAL, "/dev/null is neither a block device",
	       "--blk-file");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BLK_TEST(test_module_is_missing),
		BLK_TEST(test_module_is_of_another_release),
		BLK_TEST(test_device_is_no_block_device),
		BLK_TEST(test_version_is_no_string),
		BLK_TEST(test_too_many_queues),
		BLK_TEST(test_given_descriptor_is_closed),
		BLK_TEST(test_device_is_owned_by_another),
		BLK_TEST(test_module_refuses_the_file),
		BLK_TEST(test_file_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
