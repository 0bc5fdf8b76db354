/* SPDX-License-Identifier: GPL-2.0-or-later */
/* usage.c - a table of counts by service: only of those that have connections open. */
#include "proxy/serve/usage.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/hash.h"

enum { BUCKETS = 1024, NAME_SIZE = 40 };

struct usage {
	char name[NAME_SIZE];
	unsigned n, n_questions;
	struct usage *next;
};

struct usages {
	pthread_mutex_t lock;
	unsigned n, n_all, n_each;
	struct usage *buckets[BUCKETS];
};

struct usages *usages_new(unsigned n_all, unsigned n_each)
{
	struct usages *usages = calloc(1, sizeof(*usages));

	if (!usages)
		return NULL;
	pthread_mutex_init(&usages->lock, NULL);
	usages->n_all = n_all;
	usages->n_each = n_each;
	return usages;
}

void usages_free(struct usages *usages)
{
	if (!usages)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (usages->buckets[i]) {
			struct usage *usage = usages->buckets[i];

			usages->buckets[i] = usage->next;
			free(usage);
		}
	pthread_mutex_destroy(&usages->lock);
	free(usages);
}

static struct usage **find(struct usages *usages, const char *name)
{
	struct usage **at = &usages->buckets[hash_text(name) % BUCKETS];

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

/* Of one service, at this moment. */
static unsigned bound(const struct usages *usages)
{
	unsigned much = usages->n_all - usages->n_all / 4;

	if (usages->n_each)
		return usages->n_each;
	return usages->n < much ? much : usages->n_all / 16 + 1;
}

static int take(struct usages *usages, const char *name, struct usage **ret_usage)
{
	struct usage **at = find(usages, name);

	if (usages->n >= usages->n_all)
		return -ENFILE;
	if (*at && (*at)->n >= bound(usages))
		return -EUSERS;
	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return -ENOMEM;
		memcpy((*at)->name, name, NAME_SIZE);
	}
	(*at)->n++;
	usages->n++;
	*ret_usage = *at;
	return 0;
}

int usage_take(struct usages *usages, const char *service, int64_t uid, struct usage **ret_usage)
{
	char name[NAME_SIZE] = "";
	int r;

	if (service)
		snprintf(name, sizeof(name), "%s", service);
	else
		snprintf(name, sizeof(name), "uid %lld", (long long)uid);
	pthread_mutex_lock(&usages->lock);
	r = take(usages, name, ret_usage);
	pthread_mutex_unlock(&usages->lock);
	return r;
}

bool usage_ask(struct usages *usages, struct usage *usage)
{
	bool may;

	pthread_mutex_lock(&usages->lock);
	may = usage->n_questions < USAGE_QUESTIONS_MAX;
	usage->n_questions += may;
	pthread_mutex_unlock(&usages->lock);
	return may;
}

void usage_answered(struct usages *usages, struct usage *usage)
{
	pthread_mutex_lock(&usages->lock);
	usage->n_questions--;
	pthread_mutex_unlock(&usages->lock);
}

void usage_drop(struct usages *usages, struct usage *usage)
{
	if (!usage)
		return;
	pthread_mutex_lock(&usages->lock);
	usages->n--;
	if (--usage->n == 0) {
		struct usage **at = find(usages, usage->name);

		*at = usage->next;
		free(usage);
	}
	pthread_mutex_unlock(&usages->lock);
}
