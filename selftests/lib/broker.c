// SPDX-License-Identifier: GPL-2.0-or-later
#include "lib/broker.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ARGUMENTS_MAX 16
#define START_MS 20000
#define STOP_MS 5000
#define IDLE_MS 10000
#define POLL_MS 5
/* Between two counts, and how many the same ones are rest */
#define LOOK_MS 100
#define SAME_LOOKS 10
#define LOG_BYTES_MAX 65536

#define SIZE_SLACK_KIB 400
#define FILES_SLACK 150
#define SLAB_SLACK_KIB 4096

#define VHOST_NET "/dev/vhost-net"

static void pause_ms(unsigned int ms)
{
	struct timespec pause = { .tv_nsec = ms * 1000000L };

	nanosleep(&pause, NULL);
}

static void find_program(char *path, size_t path_bytes)
{
	const char *program = getenv("VHB_BROKER");
	const char *build = getenv("VHB_BUILD");
	char self[PATH_MAX];
	ssize_t length;

	if (program) {
		snprintf(path, path_bytes, "%s", program);
		return;
	}
	if (build) {
		snprintf(path, path_bytes, "%s/vhost-bridge", build);
		return;
	}
	/* BUILD/selftests/net/this_test */
	length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[length < 0 ? 0 : length] = '\0';
	snprintf(path, path_bytes, "%s/vhost-bridge",
		 dirname(dirname(dirname(self))));
}

static void run_program(const struct broker *broker, const char *device,
			const char *const *arguments)
{
	char program[PATH_MAX], socket_option[96];
	const char *argv[ARGUMENTS_MAX + 4] = { program, device, socket_option };
	unsigned int count = 3;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	find_program(program, sizeof(program));
	snprintf(socket_option, sizeof(socket_option), "--socket-path=%s",
		 broker->socket_path);
	while (*arguments && count < ARGUMENTS_MAX + 3)
		argv[count++] = *arguments++;
	dup2(broker->log_fd, STDERR_FILENO);
	execv(program, (char *const *)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

static size_t read_log(const struct broker *broker, char *text,
		       size_t text_bytes)
{
	ssize_t length = pread(broker->log_fd, text, text_bytes - 1, 0);

	if (length < 0)
		length = 0;
	text[length] = '\0';
	return length;
}

bool broker_log_has(const struct broker *broker, const char *text)
{
	static char log[LOG_BYTES_MAX];

	read_log(broker, log, sizeof(log));
	return strstr(log, text);
}

bool broker_comes_to_say(const struct broker *broker, const char *text)
{
	unsigned int tries;

	for (tries = 0; tries < 1000 && !broker_log_has(broker, text); tries++)
		usleep(10000);
	return broker_log_has(broker, text);
}

void broker_show_log(const struct broker *broker)
{
	static char log[LOG_BYTES_MAX];
	char *line, *rest = log;

	read_log(broker, log, sizeof(log));
	while ((line = strsep(&rest, "\n")))
		if (*line)
			printf("# broker: %s\n", line);
	fflush(stdout);
}

static void forget_process(struct broker *broker)
{
	close(broker->log_fd);
	broker->pid = 0;
	broker->log_fd = -1;
}

static void forget(struct broker *broker)
{
	unlink(broker->socket_path);
	forget_process(broker);
}

int broker_start(struct broker *broker, const char *const *arguments)
{
	return broker_start_device(broker, "net", arguments);
}

int broker_start_device(struct broker *broker, const char *device,
			const char *const *arguments)
{
	static unsigned int count;

	snprintf(broker->socket_path, sizeof(broker->socket_path),
		 "/tmp/vhb-test-%d-%u.sock", getpid(), count++);
	return broker_start_again(broker, device, arguments);
}

int broker_start_again(struct broker *broker, const char *device,
		       const char *const *arguments)
{
	unsigned int waited_ms;

	broker->log_fd = memfd_create("log", MFD_CLOEXEC);
	if (broker->log_fd < 0)
		return -errno;
	fflush(stdout);
	broker->pid = fork();
	if (broker->pid < 0)
		return -errno;
	if (!broker->pid)
		run_program(broker, device, arguments);

	for (waited_ms = 0; waited_ms < START_MS; waited_ms += POLL_MS) {
		if (broker_log_has(broker, "ready"))
			return 0;
		if (!broker_is_alive(broker)) {
			broker_show_log(broker);
			waitpid(broker->pid, NULL, 0);
			forget(broker);
			return -ECHILD;
		}
		pause_ms(POLL_MS);
	}
	broker_show_log(broker);
	broker_stop(broker);
	return -ETIMEDOUT;
}

bool broker_is_alive(const struct broker *broker)
{
	siginfo_t info = { 0 };

	return broker->pid &&
	       !waitid(P_PID, broker->pid, &info, WEXITED | WNOHANG | WNOWAIT) &&
	       !info.si_pid;
}

int broker_stop(struct broker *broker)
{
	unsigned int waited_ms;
	bool was_killed = false;
	int status;

	if (!broker->pid)
		return 0;
	kill(broker->pid, SIGTERM);
	for (waited_ms = 0; broker_is_alive(broker); waited_ms += POLL_MS) {
		if (waited_ms >= STOP_MS && !was_killed) {
			kill(broker->pid, SIGKILL);
			was_killed = true;
		}
		pause_ms(POLL_MS);
	}
	waitpid(broker->pid, &status, 0);
	forget(broker);
	if (was_killed)
		return -ETIMEDOUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

void broker_kill(struct broker *broker)
{
	if (!broker->pid)
		return;
	kill(broker->pid, SIGKILL);
	waitpid(broker->pid, NULL, 0);
	forget_process(broker);
}

int broker_status(char *text, size_t text_bytes)
{
	char program[PATH_MAX], command[PATH_MAX + 32];
	size_t length;
	FILE *output;

	find_program(program, sizeof(program));
	snprintf(command, sizeof(command), "%s status --json", program);
	output = popen(command, "re");
	if (!output)
		return -errno;
	length = fread(text, 1, text_bytes - 1, output);
	text[length] = '\0';
	return pclose(output) ? -EIO : 0;
}

static unsigned int count_entries(const char *path)
{
	unsigned int count = 0;
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static unsigned int count_lines(const char *path)
{
	unsigned int count = 0;
	FILE *file = fopen(path, "r");
	int c;

	if (!file)
		return 0;
	while ((c = getc(file)) != EOF)
		count += c == '\n';
	fclose(file);
	return count;
}

/* The number behind a word at the start of a line */
static long find_number(const char *path, const char *word)
{
	FILE *file = fopen(path, "r");
	char line[256];
	long number = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, word, strlen(word)))
			number = strtol(line + strlen(word), NULL, 10);
	fclose(file);
	return number;
}

/* Tasks below a directory of /proc whose name begins so */
static unsigned int count_tasks(const char *dir_path, const char *name)
{
	char path[PATH_MAX], comm[32];
	unsigned int count = 0;
	struct dirent *entry;
	DIR *dir = opendir(dir_path);
	FILE *file;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "%s/%s/comm", dir_path,
			 entry->d_name);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(comm, sizeof(comm), file) &&
		    !strncmp(comm, name, strlen(name)))
			count++;
		fclose(file);
	}
	closedir(dir);
	return count;
}

int broker_count(const struct broker *broker, struct broker_counts *counts_out)
{
	char base[32], path[64], vhost_name[32];

	if (!broker_is_alive(broker))
		return -ESRCH;
	snprintf(base, sizeof(base), "/proc/%d", broker->pid);
	/* With the end of the line: vhost-12 is not vhost-123. */
	snprintf(vhost_name, sizeof(vhost_name), "vhost-%d\n", broker->pid);

	snprintf(path, sizeof(path), "%s/fd", base);
	counts_out->fds = count_entries(path);
	snprintf(path, sizeof(path), "%s/maps", base);
	counts_out->maps = count_lines(path);
	snprintf(path, sizeof(path), "%s/task", base);
	counts_out->tasks = count_entries(path) - count_tasks(path, "iou-");
	counts_out->vhost_tasks = count_tasks(path, vhost_name) +
				  count_tasks("/proc", vhost_name);
	snprintf(path, sizeof(path), "%s/status", base);
	counts_out->size_kib = find_number(path, "VmSize:");
	counts_out->resident_kib = find_number(path, "VmRSS:");
	counts_out->files = find_number("/proc/sys/fs/file-nr", "");
	counts_out->slab_kib = find_number("/proc/meminfo", "SUnreclaim:");
	return 0;
}

static bool is_same(const struct broker_counts *a,
		    const struct broker_counts *b)
{
	return a->fds == b->fds && a->maps == b->maps && a->tasks == b->tasks;
}

int broker_count_idle(const struct broker *broker,
		      struct broker_counts *counts_out)
{
	struct broker_counts last;
	unsigned int waited_ms, same_count = 0;
	int ret;

	ret = broker_count(broker, counts_out);
	for (waited_ms = 0; !ret && waited_ms < IDLE_MS; waited_ms += LOOK_MS) {
		last = *counts_out;
		pause_ms(LOOK_MS);
		ret = broker_count(broker, counts_out);
		if (counts_out->vhost_tasks || !is_same(&last, counts_out))
			same_count = 0;
		else if (++same_count == SAME_LOOKS)
			return ret;
	}
	return ret ? ret : -ETIMEDOUT;
}

void broker_show_counts(const char *when, const struct broker_counts *counts)
{
	printf("# %s: %u descriptors, %u mappings, %u threads, ", when,
	       counts->fds, counts->maps, counts->tasks);
	printf("VmSize %ld KiB, VmRSS %ld KiB, ", counts->size_kib,
	       counts->resident_kib);
	printf("system: %ld files, %ld KiB slab\n", counts->files,
	       counts->slab_kib);
	fflush(stdout);
}

/* What has grown, NULL when nothing has */
static const char *what_has_grown(const struct broker_counts *before,
				  const struct broker_counts *after)
{
	if (after->fds > before->fds)
		return "descriptors";
	if (after->maps > before->maps)
		return "mappings";
	if (after->tasks > before->tasks)
		return "threads";
	if (after->vhost_tasks)
		return "vhost tasks";
	if (after->size_kib > before->size_kib + SIZE_SLACK_KIB)
		return "VmSize";
	if (after->resident_kib > before->resident_kib + SIZE_SLACK_KIB)
		return "VmRSS";
	if (after->files > before->files + FILES_SLACK)
		return "the system's files";
	if (after->slab_kib > before->slab_kib + SLAB_SLACK_KIB)
		return "the kernel's slab";
	return NULL;
}

int broker_count_flat(const struct broker *broker,
		      const struct broker_counts *before,
		      struct broker_counts *after_out)
{
	const char *grown;
	unsigned int waited_ms;
	int ret;

	for (waited_ms = 0;; waited_ms += LOOK_MS) {
		ret = broker_count(broker, after_out);
		if (ret)
			return ret;
		grown = what_has_grown(before, after_out);
		if (!grown || waited_ms >= IDLE_MS)
			break;
		pause_ms(LOOK_MS);
	}
	if (!grown)
		return 0;
	printf("# has grown: %s\n", grown);
	broker_show_counts("before", before);
	broker_show_counts("after", after_out);
	return -ETIMEDOUT;
}

bool vhost_net_is_there(void)
{
	int fd = open(VHOST_NET, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT &&
	    !system("modprobe -q vhost_net >/dev/null 2>&1"))
		fd = open(VHOST_NET, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		printf("TAP version 13\n1..0 # SKIP %s: %s\n", VHOST_NET,
		       strerror(errno));
		return false;
	}
	close(fd);
	return true;
}
