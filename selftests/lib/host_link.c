// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/host_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/if_packet.h>

/* A thousand frames fit, whatever the kernel counts for each */
#define RECEIVE_BUFFER_BYTES (16 << 20)

/* Autoconfiguration would send packets nobody asked for. */
static int silence_ipv6(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6",
		      O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (write(fd, "1", 1) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int host_netns_enter(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	return silence_ipv6();
}

int host_link_open(const char *name, uint16_t type, bool has_vnet_header)
{
	const int receive_bytes = RECEIVE_BUFFER_BYTES;
	const int vnet = has_vnet_header;
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(type ? type : 3 /* ETH_P_ALL */),
		.sll_ifindex = if_nametoindex(name),
	};
	int fd, ret;

	if (!address.sll_ifindex)
		return -ENODEV;
	/* Protocol 0: nothing is received before it is bound. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes,
		       sizeof(receive_bytes)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &vnet,
		       sizeof(vnet)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

int host_link_send(int fd, const void *frame, size_t frame_bytes)
{
	return send(fd, frame, frame_bytes, 0) < 0 ? -errno : 0;
}

int host_link_receive(int fd, void *frame, size_t room_bytes,
		      unsigned int timeout_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	ssize_t length;

	if (poll(&pollfd, 1, timeout_ms) <= 0)
		return -ETIMEDOUT;
	length = recv(fd, frame, room_bytes, MSG_TRUNC);
	return length < 0 ? -errno : length;
}

static int ask_link(const char *name, unsigned long request,
		    struct ifreq *answer)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = 0;

	if (fd < 0)
		return -errno;
	memset(answer, 0, sizeof(*answer));
	memcpy(answer->ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (ioctl(fd, request, answer) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

bool host_link_is_up(const char *name)
{
	struct ifreq answer;

	return !ask_link(name, SIOCGIFFLAGS, &answer) &&
	       answer.ifr_flags & IFF_UP;
}

int host_link_set_up(const char *name, bool up)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request;
	int ret;

	if (fd < 0)
		return -errno;
	ret = ask_link(name, SIOCGIFFLAGS, &request);
	if (ret)
		goto close_fd;
	request.ifr_flags &= ~IFF_UP;
	if (up)
		request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		ret = -errno;
close_fd:
	close(fd);
	return ret;
}

int host_link_mtu(const char *name)
{
	struct ifreq answer;
	int ret = ask_link(name, SIOCGIFMTU, &answer);

	return ret ? ret : answer.ifr_mtu;
}
