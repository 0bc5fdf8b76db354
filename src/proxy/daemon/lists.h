/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lists.h - what the daemon tells the proxy → who may go where by name. Immutable; a reload makes
 * new ones and takes over from the old ones whatever did not change.
 */
#ifndef UIDWALL_PROXY_LISTS_H
#define UIDWALL_PROXY_LISTS_H

#include "names/host_list.h"

enum list_mode { LIST_ENFORCE, LIST_MONITOR, LIST_OFF /* uidwall off: as monitor */ };

struct list {
	const char *service;
	const char *file; /* of the policy: "blog.json" */
	uint8_t mode;	  /* enum list_mode */
	bool proxy;	  /* the policy's key: may use the proxy at all */
	bool transparent;
	const struct host_list *hosts;
};

struct lists;

/* Name servers, as the daemon has them. */
struct lists_resolvers {
	struct prefix *servers;
	const char **interfaces; /* of link-local ones, or NULL each */
	size_t n;		 /* 0: it knows none, or does not say */
};

/* n bytes of JSON: the payload of the call "lists" (docs/decisions/lists.md). Hosts that it leaves
 * out, or that hash alike, are taken over from `before` (NULL: none), which stays the caller's and
 * may be freed afterwards. 0; -EINVAL and *ret_error (malloc'd) says what is wrong with it;
 * -ESTALE, likewise with *ret_error: it leaves out hosts that `before` does not have.
 */
int lists_parse(const char *bytes, size_t n, const struct lists *before, struct lists **ret_lists,
		char **ret_error);
void lists_free(struct lists *lists); /* NULL is fine */
DEFINE_CLEANUP(lists, struct lists *, lists_free)

uint64_t lists_generation(const struct lists *lists);
size_t lists_count(const struct lists *lists);
const struct lists_resolvers *lists_resolvers(const struct lists *lists);
const struct list *lists_at(const struct lists *lists, size_t i);

/* The list of the service that governs a socket, in the order in which the rules in the kernel ask:
 * users by name (or as members of a group), then units by the socket's control group (0: not
 * known), then ranges and subuids. NULL: none, or two services that both claim it. *ret_user (may
 * be NULL): the uid's name, or NULL.
 */
const struct list *lists_find(const struct lists *lists, uint32_t uid, uint64_t cgroup,
			      const char **ret_user);
const struct list *lists_find_service(const struct lists *lists, const char *service);

#endif
