// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands of the control queue, as a driver sends them. */
#include "net/control_fixture.h"

#define ok(...) assert_int_equal(command(__VA_ARGS__), VIRTIO_NET_OK)
#define bad(...) assert_int_equal(command(__VA_ARGS__), VIRTIO_NET_ERR)

static void begin_control(unsigned int pairs)
{
	begin_guest(pairs, 0);
	assert_int_equal(start_control(0), 0);
}

static struct vhb_net_filter *filter(void)
{
	return &vhb_net_of(guest.kdev)->control.filter;
}

static void test_receive_modes_are_noted(void **state)
{
	const uint8_t on = 1, off = 0, both[] = { 1, 1 };

	(void)state;
	begin_control(1);
	ok(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 1);
	assert_true(filter()->is_promiscuous);
	ok(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, &on, 1);
	assert_true(filter()->is_all_multicast);
	ok(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &off, 1);
	assert_false(filter()->is_promiscuous);
	bad(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, NULL, 0);
	bad(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, both, 2);
	/* VIRTIO_NET_F_CTRL_RX_EXTRA was not offered. */
	bad(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_NOBCAST, &on, 1);
	end_guest();
}

static void test_address_tables_are_measured(void **state)
{
	uint8_t tables[4 + 2 * ETH_ALEN + 4 + 3 * ETH_ALEN] = { 2 };

	(void)state;
	begin_control(1);
	tables[4 + 2 * ETH_ALEN] = 3;
	ok(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, tables,
	   sizeof(tables));
	assert_int_equal(filter()->unicast_count, 2);
	assert_int_equal(filter()->multicast_count, 3);
	bad(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, tables,
	    sizeof(tables) - 1);
	bad(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, tables, 3);
	bad(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, NULL, 0);
	/* Counts whose tables would end where they do, modulo 2^32 */
	memset(tables, 0xff, 4);
	bad(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, tables,
	    sizeof(tables));
	assert_int_equal(filter()->unicast_count, 2);
	assert_int_equal(filter()->multicast_count, 3);
	end_guest();
}

static void test_address_is_set(void **state)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 1, 2, 3 };
	static const uint8_t group[] = { 0x53, 0x54, 0, 1, 2, 3 };
	static const uint8_t zero[ETH_ALEN];
	uint8_t told[ETH_ALEN];

	(void)state;
	begin_control(1);
	ok(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6);
	bad(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, group, 6);
	bad(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, zero, 6);
	bad(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 5);
	bad(VIRTIO_NET_CTRL_MAC, 2, mac, 6);
	assert_int_equal(guest.kdev->ops->get_config(guest.kdev, 0, ETH_ALEN,
						     told), 0);
	assert_memory_equal(told, mac, sizeof(mac));
	end_guest();
}

static void test_vlans_are_noted(void **state)
{
	const uint8_t vlan[] = { 0xff, 0x0f }, none[] = { 0x00, 0x10 };

	(void)state;
	begin_control(1);
	ok(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, vlan, 2);
	assert_int_equal(filter()->vlan_bits[511], 0x80);
	ok(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_DEL, vlan, 2);
	assert_int_equal(filter()->vlan_bits[511], 0);
	bad(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, none, 2);
	bad(VIRTIO_NET_CTRL_VLAN, 2, vlan, 2);
	bad(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, vlan, 1);
	end_guest();
}

static void test_pairs_are_what_the_guest_says(void **state)
{
	const uint8_t one[] = { 1, 0 }, two[] = { 2, 0 }, three[] = { 3, 0 };
	const uint8_t none[] = { 0, 0 }, four[] = { 4, 0 };

	(void)state;
	begin_guest(3, 0);
	/* As long as nobody says otherwise, those that run */
	assert_true(is_queue_attached(guest.kdev, 2));
	assert_int_equal(start_control(0), 0);
	assert_true(is_queue_attached(guest.kdev, 0));
	assert_false(is_queue_attached(guest.kdev, 1));
	ok(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, three, 2);
	assert_true(is_queue_attached(guest.kdev, 2));
	ok(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, two, 2);
	assert_true(is_queue_attached(guest.kdev, 1));
	assert_false(is_queue_attached(guest.kdev, 2));
	bad(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, none, 2);
	bad(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, four, 2);
	bad(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, two, 1);
	bad(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_RSS_CONFIG, two, 2);
	assert_true(is_queue_attached(guest.kdev, 1));
	ok(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, one, 2);
	assert_false(is_queue_attached(guest.kdev, 1));
	end_guest();
}

static void test_pairs_outlive_a_pause(void **state)
{
	const uint8_t two[] = { 2, 0 };
	uint32_t base;

	(void)state;
	begin_control(2);
	ok(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, two, 2);
	assert_int_equal(guest.kdev->ops->stop_vring(guest.kdev, guest.index,
						     &base), 0);
	assert_int_equal(base, 1);
	/* Migration begins: the same driver. */
	assert_int_equal(guest.kdev->ops->set_features(guest.kdev,
						       guest.features), 0);
	assert_int_equal(start_control(base), 0);
	assert_true(is_queue_attached(guest.kdev, 1));
	assert_int_equal(guest.kdev->ops->stop_vring(guest.kdev, guest.index,
						     &base), 0);
	/* Another driver begins at the beginning. */
	net_driver_destroy(&guest.driver);
	assert_int_equal(net_driver_init(&guest.driver, &guest.memory, 0x7000,
					 CONTROL_NUM), 0);
	guest.driver.ring.has_event_idx = true;
	assert_int_equal(start_control(0), 0);
	assert_false(is_queue_attached(guest.kdev, 1));
	ok(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, two, 2);
	assert_true(is_queue_attached(guest.kdev, 1));
	end_guest();
}

/* VIRTIO 1.2, 5.1.2: behind the first pair for a guest without MQ */
static void test_queue_of_a_guest_without_mq(void **state)
{
	const uint8_t on = 1, two[] = { 2, 0 };

	(void)state;
	begin_guest(3, vhb_bit(VIRTIO_NET_F_MQ));
	assert_int_equal(guest.index, 2);
	assert_int_equal(start_control(0), 0);
	ok(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 1);
	bad(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, two, 2);
	/* The last vring is nothing then. */
	guest.index = 6;
	assert_int_equal(start_control(0), -EOPNOTSUPP);
	end_guest();
}

static void test_without_the_feature_there_is_no_queue(void **state)
{
	(void)state;
	begin_guest(1, vhb_bit(VIRTIO_NET_F_CTRL_VQ));
	assert_int_equal(start_control(0), -EOPNOTSUPP);
	assert_int_equal(guest.kdev->ops->start_vring(guest.kdev, 2),
			 -EOPNOTSUPP);
	end_guest();
}

/* Addresses would be the IOMMU's: said at once, not found out by a command. */
static void test_behind_an_iommu_it_does_not_start(void **state)
{
	const uint64_t iommu = vhb_bit(VIRTIO_F_ACCESS_PLATFORM);

	(void)state;
	begin_guest(1, 0);
	vhb_net_control_set_features(vhb_net_of(guest.kdev),
				     guest.features | iommu);
	assert_int_equal(start_control(0), -EOPNOTSUPP);
	vhb_net_control_set_features(vhb_net_of(guest.kdev), guest.features);
	assert_int_equal(start_control(0), 0);
	end_guest();
}

static void test_commands_of_features_that_were_not_acked(void **state)
{
	const uint8_t on = 1, vlan[] = { 1, 0 }, mac[6] = { 2 };
	const uint8_t tables[8] = { 0 };

	(void)state;
	begin_guest(1, vhb_bit(VIRTIO_NET_F_CTRL_RX) |
		       vhb_bit(VIRTIO_NET_F_CTRL_VLAN) |
		       vhb_bit(VIRTIO_NET_F_GUEST_ANNOUNCE) |
		       vhb_bit(VIRTIO_NET_F_CTRL_MAC_ADDR));
	assert_int_equal(start_control(0), 0);
	bad(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 1);
	bad(VIRTIO_NET_CTRL_VLAN, VIRTIO_NET_CTRL_VLAN_ADD, vlan, 2);
	bad(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6);
	bad(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, tables, 8);
	bad(VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL, 0);
	bad(VIRTIO_NET_CTRL_GUEST_OFFLOADS, 0, tables, 8);
	bad(255, 255, NULL, 0);
	end_guest();
}

static void test_guest_that_was_elsewhere_announces_itself(void **state)
{
	(void)state;
	begin_guest(2, 0);
	/* As if it had sent three commands there */
	guest.driver.ring.avail_idx = 3;
	guest.driver.ring.kicked_idx = 3;
	guest.driver.ring.used_idx = 3;
	guest.driver.ring.avail->idx = 3;
	guest.driver.ring.used->idx = 3;
	assert_int_equal(start_control(3), 0);
	/* It may have set any number of pairs. */
	assert_true(is_queue_attached(guest.kdev, 1));
	assert_int_equal(guest.config_count, 0);
	turn_until(-1, CONTROL_QUIET_MS);
	assert_int_equal(guest.config_count, 1);
	assert_int_equal(told_status(),
			 VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE);
	bad(VIRTIO_NET_CTRL_ANNOUNCE, 1, NULL, 0);
	ok(VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL, 0);
	assert_int_equal(told_status(), VIRTIO_NET_S_LINK_UP);
	assert_int_equal(guest.config_count, 1);
	end_guest();
}

static void test_new_guest_does_not_announce_itself(void **state)
{
	uint32_t base;

	(void)state;
	begin_control(1);
	ok(VIRTIO_NET_CTRL_ANNOUNCE, VIRTIO_NET_CTRL_ANNOUNCE_ACK, NULL, 0);
	assert_int_equal(guest.kdev->ops->stop_vring(guest.kdev, guest.index,
						     &base), 0);
	assert_int_equal(start_control(base), 0);
	turn_until(-1, CONTROL_QUIET_MS);
	assert_int_equal(guest.config_count, 0);
	assert_int_equal(told_status(), VIRTIO_NET_S_LINK_UP);
	end_guest();
}

static void test_reset_forgets_it_all(void **state)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 1, 2, 3 };
	uint8_t told[ETH_ALEN];

	(void)state;
	begin_control(2);
	ok(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6);
	guest.kdev->ops->reset(guest.kdev);
	/* Its descriptors may be anything by now. */
	guest_ring_kick_always(&guest.driver.ring);
	turn_until(-1, CONTROL_QUIET_MS);
	assert_int_equal(guest.kdev->ops->get_config(guest.kdev, 0, ETH_ALEN,
						     told), 0);
	assert_memory_not_equal(told, mac, sizeof(mac));
	prepare(guest.kdev);
	assert_int_equal(guest.kdev->ops->start_vring(guest.kdev, 2), 0);
	assert_true(is_queue_attached(guest.kdev, 1));
	end_guest();
}

/* The driver begins anew, the front-end stays. */
static void test_another_driver_finds_nothing_of_the_one_before(void **state)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 1, 2, 3 };
	const uint8_t on = 1, two[] = { 2, 0 };
	uint8_t told[ETH_ALEN];
	uint32_t base;

	(void)state;
	begin_control(2);
	ok(VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, mac, 6);
	ok(VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, &on, 1);
	ok(VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, two, 2);
	assert_int_equal(guest.kdev->ops->stop_vring(guest.kdev, guest.index,
						     &base), 0);
	vhb_net_of(guest.kdev)->control.must_announce = true;
	assert_int_equal(guest.kdev->ops->reset_state(guest.kdev), 0);
	assert_int_equal(guest.kdev->ops->get_config(guest.kdev, 0, ETH_ALEN,
						     told), 0);
	assert_memory_equal(told, vhb_net_of(guest.kdev)->own_mac, ETH_ALEN);
	assert_int_equal(told_status(), VIRTIO_NET_S_LINK_UP);
	assert_false(filter()->is_promiscuous);
	/* Even one whose ring is where the other's was. */
	assert_int_equal(start_control(base), 0);
	assert_false(filter()->is_promiscuous);
	end_guest();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_another_driver_finds_nothing_of_the_one_before),
		FIXTURE_TEST(test_receive_modes_are_noted),
		FIXTURE_TEST(test_address_tables_are_measured),
		FIXTURE_TEST(test_address_is_set),
		FIXTURE_TEST(test_vlans_are_noted),
		FIXTURE_TEST(test_pairs_are_what_the_guest_says),
		FIXTURE_TEST(test_pairs_outlive_a_pause),
		FIXTURE_TEST(test_queue_of_a_guest_without_mq),
		FIXTURE_TEST(test_without_the_feature_there_is_no_queue),
		FIXTURE_TEST(test_behind_an_iommu_it_does_not_start),
		FIXTURE_TEST(test_commands_of_features_that_were_not_acked),
		FIXTURE_TEST(test_guest_that_was_elsewhere_announces_itself),
		FIXTURE_TEST(test_new_guest_does_not_announce_itself),
		FIXTURE_TEST(test_reset_forgets_it_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
