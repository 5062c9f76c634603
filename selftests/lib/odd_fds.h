/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SELFTESTS_LIB_ODD_FDS_H
#define SELFTESTS_LIB_ODD_FDS_H

#define ODD_FDS_MAX 24

/** struct odd_fds - descriptors that no one should pass to a back-end */
struct odd_fds {
	int fds[ODD_FDS_MAX];
	unsigned int count;
};

/**
 * odd_fds_open() - one of each kind
 * @odd: set up by this
 *
 * Eventfds of all sorts (also one to which a write blocks), devices (also
 * vhost-net itself), sockets and pipes with nobody at the other end, files that
 * are empty, sealed or no files.
 *
 * Return: 0 or -errno.
 */
int odd_fds_open(struct odd_fds *odd);

/** odd_fds_close() - close them all */
void odd_fds_close(struct odd_fds *odd);

#endif
