/* SPDX-License-Identifier: GPL-2.0-or-later */
/* watch.c - which attempts' packets leave: a packet(7) socket behind netfilter's output hook.
 *
 * Its filter runs for each packet that the machine sends, so it is made for our targets alone, and
 * of TCP it takes only what opens a connection: a busy loopback is not copied to us. What the
 * socket could not take was perhaps ours: from then on "no" is "unknown".
 */
#include "selftest/watch.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum {
	FRAME_MAX = 96,
	FRAMES_MAX = 1 << 18,
	BUFFER_BYTES = 4 << 20,
	CODE_MAX = 4096,
	CODE_SPARE = 32,
};

/* A packet of a job's. */
struct frame {
	uint8_t protocol;
	struct prefix to;
	uint16_t sport, dport; /* an echo request's id is its source port */
	unsigned ifindex;
};

struct watch {
	int fd;
	const struct job *jobs;
	size_t n_jobs;
	struct frame *frames;
	size_t n_frames, capacity;
	bool is_blind; /* frames were lost */
};

/* --- the filter ---------------------------------------------------------------------------------
 */

struct code {
	struct sock_filter *list;
	size_t n;
};

static void add(struct code *code, uint16_t what, uint32_t k, uint8_t yes, uint8_t no)
{
	assert(code->n < CODE_MAX);
	code->list[code->n++] = (struct sock_filter){ what, yes, no, k };
}

static uint32_t read32(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
	       bytes[3];
}

/* Of TCP only SYNs. `flags` loads the byte with the flags, in `n` instructions. */
static void add_syn_only(struct code *code, uint32_t protocol_at, const struct sock_filter *flags,
			 uint8_t n)
{
	add(code, BPF_LD | BPF_B | BPF_ABS, protocol_at, 0, 0);
	add(code, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 0, (uint8_t)(n + 3));
	for (uint8_t i = 0; i < n; i++)
		add(code, flags[i].code, flags[i].k, flags[i].jt, flags[i].jf);
	add(code, BPF_ALU | BPF_AND | BPF_K, TH_SYN | TH_ACK, 0, 0);
	add(code, BPF_JMP | BPF_JEQ | BPF_K, TH_SYN, 1, 0);
	add(code, BPF_RET | BPF_K, 0, 0, 0);
}

/* The last four bytes of the destination, at `at`, are those of a job's target: taken. */
static void add_targets(struct code *code, const struct watch *watch, enum addr_family family,
			uint32_t at)
{
	size_t first = code->n + 1;

	add(code, BPF_LD | BPF_W | BPF_ABS, at, 0, 0);
	for (size_t i = 0; i < watch->n_jobs; i++) {
		const struct prefix *to = &watch->jobs[i].to;
		uint32_t word = read32(to->bytes + (family == ADDR_V4 ? 0 : 12));
		bool is_known = to->family != family;

		for (size_t j = first; j < code->n && !is_known; j += 2)
			is_known = code->list[j].k == word;
		if (is_known)
			continue;
		if (code->n + CODE_SPARE > CODE_MAX) { /* too many: all of them */
			add(code, BPF_RET | BPF_K, FRAME_MAX, 0, 0);
			return;
		}
		add(code, BPF_JMP | BPF_JEQ | BPF_K, word, 0, 1);
		add(code, BPF_RET | BPF_K, FRAME_MAX, 0, 0);
	}
	add(code, BPF_RET | BPF_K, 0, 0, 0);
}

static void write_filter(const struct watch *watch, struct code *code)
{
	static const struct sock_filter flags4[] = { BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
						     BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13) };
	static const struct sock_filter flags6[] = { BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 53) };
	size_t jump;

	add(code, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE), 0, 0);
	add(code, BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 1, 0);
	add(code, BPF_RET | BPF_K, 0, 0, 0);
	add(code, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL), 0, 0);
	add(code, BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 1, 0);
	jump = code->n;
	add(code, BPF_JMP | BPF_JA, 0, 0, 0);
	add_syn_only(code, 9, flags4, ARRAY_SIZE(flags4));
	add_targets(code, watch, ADDR_V4, 16);
	code->list[jump].k = (uint32_t)(code->n - jump - 1);
	add(code, BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 1, 0);
	add(code, BPF_RET | BPF_K, 0, 0, 0);
	add_syn_only(code, 6, flags6, ARRAY_SIZE(flags6));
	add_targets(code, watch, ADDR_V6, 36);
}

static int attach_filter(const struct watch *watch)
{
	AUTO(mem) struct sock_filter *list = calloc(CODE_MAX, sizeof(*list));
	struct code code = { .list = list };
	struct sock_fprog program;

	if (!list)
		return -ENOMEM;
	write_filter(watch, &code);
	program = (struct sock_fprog){ .len = (unsigned short)code.n, .filter = list };
	if (setsockopt(watch->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	return 0;
}

/* --- frames -------------------------------------------------------------------------------------
 */

static uint16_t read16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Ports, or the id of an echo request; an ICMP error is nobody's attempt. */
static bool read_transport(const uint8_t *bytes, size_t n, struct frame *frame)
{
	if (n < 8)
		return false;
	if (frame->protocol == IPPROTO_ICMP || frame->protocol == IPPROTO_ICMPV6) {
		frame->sport = read16(bytes + 4);
		return bytes[0] ==
		       (frame->protocol == IPPROTO_ICMP ? ICMP_ECHO : ICMP6_ECHO_REQUEST);
	}
	frame->sport = read16(bytes);
	frame->dport = read16(bytes + 2);
	return true;
}

static bool read_frame(const uint8_t *bytes, size_t n, struct frame *frame)
{
	size_t header = n ? (bytes[0] & 15u) * 4u : 0;

	if (n >= 20 && bytes[0] >> 4 == 4 && header >= 20 && header <= n) {
		frame->protocol = bytes[9];
		frame->to = (struct prefix){ .family = ADDR_V4, .length = 32 };
		memcpy(frame->to.bytes, bytes + 16, 4);
		return read_transport(bytes + header, n - header, frame);
	}
	if (n >= 40 && bytes[0] >> 4 == 6) {
		frame->protocol = bytes[6];
		frame->to = (struct prefix){ .family = ADDR_V6, .length = 128 };
		memcpy(frame->to.bytes, bytes + 24, 16);
		return read_transport(bytes + 40, n - 40, frame);
	}
	return false;
}

static bool is_of(const struct frame *frame, const struct job *job)
{
	return frame->protocol == job_protocol(job) && frame->dport == job->port &&
	       prefix_compare(&frame->to, &job->to) == 0;
}

static void keep(struct watch *watch, const struct frame *frame)
{
	bool is_ours = false;

	for (size_t i = 0; i < watch->n_jobs && !is_ours; i++)
		is_ours = is_of(frame, &watch->jobs[i]);
	if (!is_ours)
		return;
	if (watch->n_frames == watch->capacity) {
		size_t capacity = watch->capacity ? watch->capacity * 2 : 64;
		struct frame *frames = capacity > FRAMES_MAX ? NULL :
							       reallocarray(watch->frames, capacity,
									    sizeof(*frames));

		if (!frames) {
			watch->is_blind = true;
			return;
		}
		watch->frames = frames;
		watch->capacity = capacity;
	}
	watch->frames[watch->n_frames++] = *frame;
}

void watch_read(struct watch *watch)
{
	struct tpacket_stats stats = { 0 };
	socklen_t length = sizeof(stats);
	uint8_t bytes[FRAME_MAX];

	for (;;) {
		struct sockaddr_ll from = { 0 };
		socklen_t n_from = sizeof(from);
		ssize_t n = recvfrom(watch->fd, bytes, sizeof(bytes), MSG_DONTWAIT,
				     (struct sockaddr *)&from, &n_from);
		struct frame frame = { .ifindex = (unsigned)from.sll_ifindex };

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		if (from.sll_pkttype == PACKET_OUTGOING && read_frame(bytes, (size_t)n, &frame))
			keep(watch, &frame);
	}
	if (getsockopt(watch->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) < 0 ||
	    stats.tp_drops)
		watch->is_blind = true;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

size_t watch_mark(struct watch *watch)
{
	watch_read(watch);
	return watch->n_frames;
}

void watch_judge(struct watch *watch, const struct job *job, size_t since, struct seen *seen)
{
	watch_read(watch); /* what left did so before the job knew how it ended */
	seen->left = watch->is_blind ? LEFT_UNKNOWN : LEFT_NO;
	for (size_t i = since; seen->sport && i < watch->n_frames; i++) {
		const struct frame *frame = &watch->frames[i];

		if (!is_of(frame, job) || frame->sport != seen->sport)
			continue;
		seen->left = LEFT_YES;
		if (!if_indextoname(frame->ifindex, seen->by))
			strcpy(seen->by, "?"); /* gone meanwhile */
		return;
	}
}

int watch_open(const struct job *jobs, size_t n, struct watch **ret_watch)
{
	AUTO(watch) struct watch *watch = calloc(1, sizeof(*watch));
	struct sockaddr_ll all = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int bytes = BUFFER_BYTES, r;

	if (!watch)
		return -ENOMEM;
	/* Protocol 0: nothing comes before the filter is there. */
	watch->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (watch->fd < 0)
		return -errno;
	watch->jobs = jobs;
	watch->n_jobs = n;
	setsockopt(watch->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	r = attach_filter(watch);
	if (r < 0)
		return r;
	if (bind(watch->fd, (struct sockaddr *)&all, sizeof(all)) < 0)
		return -errno;
	*ret_watch = TAKE(watch);
	return 0;
}

void watch_close(struct watch *watch)
{
	if (!watch)
		return;
	fd_close(watch->fd);
	free(watch->frames);
	free(watch);
}

int watch_fd(const struct watch *watch)
{
	return watch->fd;
}
