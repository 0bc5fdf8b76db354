/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft.c - commands → what nft makes of them, in a network namespace of the test's own.
 *
 * nft runs inside the test (libnftables, the library that nft itself consists of): thousands of
 * listings a minute instead of a process for each. Its header is in a package of its own, its few
 * functions have not changed since 2018: they are declared here.
 */
#include "nft.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>

struct nft_ctx;

enum { DEBUG_NETLINK = 1 << 3 };

static struct {
	struct nft_ctx *(*ctx_new)(uint32_t flags);
	void (*ctx_free)(struct nft_ctx *ctx);
	int (*buffer_output)(struct nft_ctx *ctx);
	const char *(*get_output)(struct nft_ctx *ctx);
	int (*buffer_error)(struct nft_ctx *ctx);
	const char *(*get_error)(struct nft_ctx *ctx);
	void (*set_dry_run)(struct nft_ctx *ctx, bool dry);
	void (*set_debug)(struct nft_ctx *ctx, unsigned mask);
	int (*run)(struct nft_ctx *ctx, const char *commands);
} nft;

struct space {
	int fd;
	struct nft_ctx *ctx;
};

static bool load_function(void *library, const char *name, void *ret_function)
{
	void *function = dlsym(library, name);

	memcpy(ret_function, &function, sizeof(function));
	return function != NULL;
}

static bool load_library(void)
{
	void *library = dlopen("libnftables.so.1", RTLD_NOW);

	return library && load_function(library, "nft_ctx_new", &nft.ctx_new) &&
	       load_function(library, "nft_ctx_free", &nft.ctx_free) &&
	       load_function(library, "nft_ctx_buffer_output", &nft.buffer_output) &&
	       load_function(library, "nft_ctx_get_output_buffer", &nft.get_output) &&
	       load_function(library, "nft_ctx_buffer_error", &nft.buffer_error) &&
	       load_function(library, "nft_ctx_get_error_buffer", &nft.get_error) &&
	       load_function(library, "nft_ctx_set_dry_run", &nft.set_dry_run) &&
	       load_function(library, "nft_ctx_output_set_debug", &nft.set_debug) &&
	       load_function(library, "nft_run_cmd_from_buffer", &nft.run);
}

const char *space_unavailable(void)
{
	struct space *space;
	int r;

	if (geteuid() != 0)
		return "needs root";
	if (!load_library())
		return "needs libnftables (package nftables)";
	if (unshare(CLONE_NEWNET) < 0)
		return "no network namespaces here";
	space = space_new();
	r = space_run_quietly(space, "add table inet probe");
	space_free(space);
	return r < 0 ? "this kernel has no nf_tables" : NULL;
}

struct space *space_here(void)
{
	struct space *space = calloc(1, sizeof(*space));

	if (!space)
		abort();
	space->fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	space->ctx = nft.ctx_new(0);
	if (space->fd < 0 || !space->ctx)
		abort();
	nft.buffer_output(space->ctx);
	nft.buffer_error(space->ctx);
	return space;
}

struct space *space_new(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		abort();
	return space_here();
}

void space_free(struct space *space)
{
	nft.ctx_free(space->ctx);
	close(space->fd);
	free(space);
}

void space_enter(const struct space *space)
{
	if (setns(space->fd, CLONE_NEWNET) < 0)
		abort();
}

int space_run_quietly(struct space *space, const char *commands)
{
	int r;

	space_enter(space);
	r = nft.run(space->ctx, commands);
	nft.get_output(space->ctx);
	return r ? -EINVAL : 0;
}

int space_run(struct space *space, const char *commands)
{
	int r = space_run_quietly(space, commands);
	const char *errors = nft.get_error(space->ctx);

	if (r < 0)
		fprintf(stderr, "%s", errors);
	return r;
}

/* Whether a listing's line says who owns the table and nothing else. */
static bool is_flags(const char *line)
{
	return strncmp(line, "\tflags", 6) == 0;
}

char *space_list(struct space *space)
{
	const char *listing, *line, *next;
	char *text, *at;

	space_enter(space);
	if (nft.run(space->ctx, "list table inet uidwall")) {
		nft.get_error(space->ctx);
		nft.get_output(space->ctx);
		return strdup("");
	}
	listing = nft.get_output(space->ctx);
	at = text = malloc(strlen(listing) + 1);
	if (!text)
		abort();
	for (line = listing; *line; line = next) {
		const char *owner = strstr(line, " # progname");
		size_t n;

		next = strchr(line, '\n');
		next = next ? next + 1 : line + strlen(line);
		if (is_flags(line)) {
			next += *next == '\n';
			continue;
		}
		n = (size_t)(owner && owner < next ? owner - line : next - line);
		memcpy(at, line, n);
		at += n;
		if (owner && owner < next)
			*at++ = '\n';
	}
	*at = '\0';
	return text;
}

char *space_bytecode(struct space *space, const char *commands)
{
	char *text;
	int r;

	space_enter(space);
	nft.set_dry_run(space->ctx, true);
	nft.set_debug(space->ctx, DEBUG_NETLINK);
	r = nft.run(space->ctx, commands);
	nft.set_debug(space->ctx, 0);
	nft.set_dry_run(space->ctx, false);
	if (r)
		fprintf(stderr, "%s", nft.get_error(space->ctx));
	text = strdup(nft.get_output(space->ctx));
	if (!text)
		abort();
	return text;
}

static int compare_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char *listing_sorted(const char *listing)
{
	size_t n = 0, length = strlen(listing);
	char *copy = strdup(listing), *sorted = malloc(length + 3), *at = sorted, *block;
	char **blocks = calloc(length / 2 + 2, sizeof(*blocks));

	if (!copy || !sorted || !blocks)
		abort();
	for (block = copy; block; n++) {
		char *end = strstr(block, "\n\n");

		blocks[n] = block;
		if (end)
			*end = '\0';
		block = end ? end + 2 : NULL;
	}
	/* The first line and the last one belong to the table, not to a block. */
	if (n && strchr(blocks[0], '\n')) {
		*strchr(blocks[0], '\n') = '\0';
		blocks[n] = blocks[0] + strlen(blocks[0]) + 1;
		n++;
	}
	for (size_t i = 0; i < n; i++) {
		char *last = strstr(blocks[i], "\n}\n");

		if (last)
			*last = '\0';
	}
	qsort(blocks, n, sizeof(*blocks), compare_text);
	for (size_t i = 0; i < n; i++)
		at = stpcpy(stpcpy(at, blocks[i]), "\n");
	free(blocks);
	free(copy);
	return sorted;
}
