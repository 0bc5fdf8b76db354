/* SPDX-License-Identifier: GPL-2.0-or-later */
/* batch.c - messages → one sendmsg → what the kernel made of them.
 *
 * A batch of 10,000 services is 60 MB. Success is positively known: the last message asks for an
 * acknowledgement, which the kernel sends after the commit. When the commit itself fails, that
 * acknowledgement comes all the same, beside an error that bears the number of the batch's first
 * message (nfnetlink.c, nfnetlink_rcv_batch()): so any error outweighs it.
 */
#include "backend/nl/batch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/clock.h"
#include "plan/ir.h"

enum {
	AREA_MIN = 1 << 18,
	ENVELOPE_MAX = 64, /* of the batch's first and last message */
};

/* Makes room for n more bytes. The pages behind `used` have never been touched. */
static int area_reserve(struct nl_area *area, size_t n)
{
	size_t size = area->size ? area->size : AREA_MIN;
	void *bytes;

	if (area->size - area->used >= n)
		return 0;
	while (size - area->used < n)
		size *= 2;
	bytes = area->bytes ? mremap(area->bytes, area->size, size, MREMAP_MAYMOVE) :
			      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);
	if (bytes == MAP_FAILED)
		return -ENOMEM;
	area->bytes = bytes;
	area->size = size;
	return 0;
}

static void area_done(struct nl_area *area)
{
	if (area->bytes)
		munmap(area->bytes, area->size);
	*area = (struct nl_area){ 0 };
}

static size_t padded(const struct nlmsghdr *nlh)
{
	return (nlh->nlmsg_len + MNL_ALIGNTO - 1) & ~(size_t)(MNL_ALIGNTO - 1);
}

/* The batch's first or last message. */
static struct nlmsghdr *put_envelope(struct nl_batch *batch, uint16_t type)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(batch->messages.bytes + batch->messages.used);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(NFNL_SUBSYS_NFTABLES);
	return nlh;
}

void nl_batch_init(struct nl_batch *batch)
{
	struct nlmsghdr *nlh;

	*batch = (struct nl_batch){ .table = IR_TABLE_NAME };
	batch->error = area_reserve(&batch->messages, NL_MESSAGE_MAX + ENVELOPE_MAX);
	if (batch->error)
		abort(); /* as for arenas: the kernel keeps the wall up */
	nlh = put_envelope(batch, NFNL_MSG_BATCH_BEGIN);
	mnl_attr_put_u32(nlh, NFNL_BATCH_GENID, 0); /* set when it is sent */
	batch->messages.used += padded(nlh);
}

void nl_batch_done(struct nl_batch *batch)
{
	area_done(&batch->messages);
	area_done(&batch->items);
}

void nl_batch_reset(struct nl_batch *batch)
{
	size_t first = padded((const struct nlmsghdr *)batch->messages.bytes);

	/* libmnl leaves the padding between attributes as it finds it. */
	memset(batch->messages.bytes + first, 0, batch->messages.used - first);
	batch->messages.used = first;
	batch->items.used = 0;
	batch->n_messages = 0;
	batch->error = 0;
}

const struct nlmsghdr *nl_batch_last(const struct nl_batch *batch)
{
	return (const struct nlmsghdr *)(batch->messages.bytes + batch->message_at);
}

bool nl_batch_is_empty(const struct nl_batch *batch)
{
	return batch->n_messages == 0;
}

struct nlmsghdr *nl_batch_start(struct nl_batch *batch, uint16_t type, uint16_t flags,
				struct nl_item item)
{
	/* Without memory the message goes where the one before it was: there is room for one. */
	if (area_reserve(&batch->messages, NL_MESSAGE_MAX + ENVELOPE_MAX) < 0 ||
	    area_reserve(&batch->items, sizeof(item)) < 0) {
		batch->error = -ENOMEM;
		batch->messages.used = batch->message_at;
	} else {
		memcpy(batch->items.bytes + batch->items.used, &item, sizeof(item));
		batch->items.used += sizeof(item);
		batch->n_messages++;
	}
	batch->message_at = batch->messages.used;
	return nl_request_init(batch->messages.bytes + batch->message_at, type, flags);
}

void nl_batch_end(struct nl_batch *batch)
{
	const struct nlmsghdr *nlh = (void *)(batch->messages.bytes + batch->message_at);

	batch->messages.used = batch->message_at + padded(nlh);
}

/* Gives every message its number and returns the first one's. */
static uint32_t number_messages(struct nl_batch *batch, struct nl_sock *sock)
{
	uint32_t first_seq = 0;
	size_t at = 0;

	while (at < batch->messages.used) {
		struct nlmsghdr *nlh = (void *)(batch->messages.bytes + at);

		nlh->nlmsg_seq = nl_sock_next_seq(sock);
		if (!at)
			first_seq = nlh->nlmsg_seq;
		at += padded(nlh);
	}
	return first_seq;
}

static struct nlmsghdr *message_of_seq(const struct nl_batch *batch, uint32_t seq)
{
	size_t at = 0;

	while (at < batch->messages.used) {
		struct nlmsghdr *nlh = (void *)(batch->messages.bytes + at);

		if (nlh->nlmsg_seq == seq)
			return nlh;
		at += padded(nlh);
	}
	return NULL;
}

struct collector {
	const struct nl_batch *batch;
	struct nl_outcome *outcome;
	uint32_t first_seq;
	uint32_t last_seq; /* of the message that asks for an acknowledgement */
	bool done;	   /* it came */
	int error;
};

static void collect(const struct nl_ack *ack, void *data)
{
	struct collector *c = data;
	uint32_t number = ack->seq - c->first_seq;
	struct nl_refusal *refusal;

	if (number > c->batch->n_messages)
		return; /* about an earlier batch */
	if (!ack->error) {
		c->done = c->done || ack->seq == c->last_seq;
		return;
	}
	if (!c->error)
		c->error = ack->error;
	if (c->outcome->n_refusals++ >= NL_REFUSALS_MAX)
		return;
	refusal = &c->outcome->refusals[c->outcome->n_refusals - 1];
	*refusal = (struct nl_refusal){ .error = ack->error, .attr_offset = ack->attr_offset };
	snprintf(refusal->text, sizeof(refusal->text), "%s", ack->text ? ack->text : "");
	refusal->message = message_of_seq(c->batch, ack->seq);
	if (number > 0) {
		refusal->has_item = true;
		memcpy(&refusal->item, c->batch->items.bytes + (number - 1) * sizeof(refusal->item),
		       sizeof(refusal->item));
	}
}

static int transmit(struct nl_batch *batch, struct nl_sock *sock, bool commit, uint32_t generation,
		    struct nl_outcome *ret_outcome)
{
	struct nlmsghdr *begin = (void *)batch->messages.bytes;
	struct nlmsghdr *last = (void *)(batch->messages.bytes + batch->message_at);
	struct nlattr *genid = mnl_nlmsg_get_payload_offset(begin, sizeof(struct nfgenmsg));
	struct collector c = { .batch = batch, .outcome = ret_outcome };
	size_t size = batch->messages.used;
	int64_t start;
	int r;

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	if (batch->error || nl_batch_is_empty(batch))
		return batch->error;
	last->nlmsg_flags |= NLM_F_ACK;
	genid->nla_type = generation ? NFNL_BATCH_GENID : NFNL_BATCH_UNSPEC;
	*(uint32_t *)mnl_attr_get_payload(genid) = htonl(generation);
	c.first_seq = number_messages(batch, sock);
	c.last_seq = last->nlmsg_seq;
	if (commit) {
		struct nlmsghdr *end = put_envelope(batch, NFNL_MSG_BATCH_END);

		end->nlmsg_seq = nl_sock_next_seq(sock);
		size += end->nlmsg_len;
	}
	start = clock_now_us();
	r = nl_sock_send(sock, batch->messages.bytes, size);
	if (r == 0)
		r = nl_sock_acks(sock, collect, &c);
	ret_outcome->kernel_us = (unsigned)(clock_now_us() - start);
	if (c.error)
		return c.error;
	return r ? r : c.done ? 0 : -ETIMEDOUT;
}

int nl_batch_commit(struct nl_batch *batch, struct nl_sock *sock, uint32_t generation,
		    struct nl_outcome *ret_outcome)
{
	return transmit(batch, sock, true, generation, ret_outcome);
}

int nl_batch_try(struct nl_batch *batch, struct nl_sock *sock, struct nl_outcome *ret_outcome)
{
	/* A batch without its end is carried out and taken back; "nft -c" does the same. */
	return transmit(batch, sock, false, 0, ret_outcome);
}
