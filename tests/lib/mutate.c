/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mutate.c - random policies that are changed, in meaning or only in words. */
#include "lib/mutate.h"

#include <string.h>
#include <sys/stat.h>

/* One policy at hand. */
struct hand {
	struct mutable *all;
	const char *file;
	json_t *policy;
	struct random *random;
};

struct mutation {
	const char *name;
	void (*run)(struct hand *hand);
};

/* --- JSON ------------------------------------------------------------------------------------- */

typedef void (*print_fn)(unsigned seed, unsigned number, FILE *out);

static void print_config(unsigned seed, unsigned number, FILE *out)
{
	random_config_print(seed + number, out);
}

static json_t *load(print_fn print, unsigned seed, unsigned number)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	json_t *value;

	if (!out)
		abort();
	print(seed, number, out);
	if (fclose(out) != 0)
		abort();
	value = json_loadb(text, length, 0, NULL);
	free(text);
	if (!value)
		abort();
	return value;
}

static json_t *list_of(struct hand *hand, const char *key)
{
	json_t *list = json_object_get(hand->policy, key);

	if (!list) {
		list = json_array();
		json_object_set_new(hand->policy, key, list);
	}
	return list;
}

static size_t pick_index(struct hand *hand, const json_t *list)
{
	return random_below(hand->random, (uint32_t)json_array_size(list));
}

/* One of the list, or NULL; not in the list's order of anything. */
static json_t *pick_entry(struct hand *hand, const char *key, size_t *ret_index)
{
	json_t *list = list_of(hand, key);

	if (!json_array_size(list))
		return NULL;
	*ret_index = pick_index(hand, list);
	return json_array_get(list, *ret_index);
}

static bool prefix_of(const json_t *endpoint, struct prefix *ret_prefix)
{
	const char *to = json_string_value(json_object_get(endpoint, "to"));

	return to && parse_prefix(to, ret_prefix) == 0;
}

static void set_prefix(json_t *endpoint, const struct prefix *prefix)
{
	char text[PREFIX_TEXT_MAX];

	format_prefix(prefix, text);
	json_object_set_new(endpoint, "to", json_string(text));
}

static void set_length(struct prefix *prefix, unsigned length)
{
	prefix->length = (uint8_t)length;
	for (unsigned bit = length; bit < prefix_max_length(prefix); bit++)
		prefix->bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
}

static json_t *another_policy(struct hand *hand)
{
	return load(random_policy_print, hand->all->seed + 1000000, hand->all->n_made++);
}

static void flip(struct hand *hand, const char *key)
{
	const json_t *value = json_object_get(hand->policy, key);

	json_object_set_new(hand->policy, key, json_boolean(value && json_is_false(value)));
}

/* --- changes ---------------------------------------------------------------------------------- */

static void change_remove_line(struct hand *hand)
{
	size_t i;

	if (pick_entry(hand, "connect", &i))
		json_array_remove(list_of(hand, "connect"), i);
}

/* A line of another policy. */
static void add_line(struct hand *hand, const char *key)
{
	json_t *other = another_policy(hand);
	json_t *lines = json_object_get(other, key);

	if (json_array_size(lines))
		json_array_append(list_of(hand, key), json_array_get(lines, 0));
	json_decref(other);
}

static void change_add_line(struct hand *hand)
{
	add_line(hand, "connect");
}

static void change_port(struct hand *hand)
{
	size_t i;
	json_t *line = pick_entry(hand, "connect", &i);
	const json_t *port = line ? json_object_get(line, "port") : NULL;

	if (json_is_integer(port) && json_integer_value(port) < 65535)
		json_object_set_new(line, "port", json_integer(json_integer_value(port) + 1));
	else if (port)
		json_object_set_new(line, "port", json_integer(443));
}

static void change_length(struct hand *hand)
{
	size_t i;
	json_t *line = pick_entry(hand, "connect", &i);
	struct prefix prefix;

	if (!line || !prefix_of(line, &prefix))
		return;
	if (prefix.length && random_chance(hand->random, 2))
		set_length(&prefix, prefix.length - 1 - random_below(hand->random, prefix.length));
	else if (!prefix_is_host(&prefix))
		set_length(&prefix, prefix.length + 1u);
	set_prefix(line, &prefix);
}

static void change_until(struct hand *hand)
{
	static const char *const dates[] = { "2030-03-01", "2040-01-01", "2025-01-01" };
	size_t i;
	json_t *line = pick_entry(hand, "connect", &i);

	if (line && random_chance(hand->random, 3))
		json_object_del(line, "until");
	else if (line)
		json_object_set_new(line, "until",
				    json_string(dates[random_below(hand->random, 3)]));
}

static void change_interface(struct hand *hand)
{
	size_t i;
	json_t *line = pick_entry(hand, "connect", &i);

	if (line && random_chance(hand->random, 2))
		json_object_del(line, "interface");
	else if (line)
		json_object_set_new(line, "interface",
				    json_string(random_chance(hand->random, 2) ? "eth0" : "eth1"));
}

static void change_listen(struct hand *hand)
{
	size_t i;

	if (random_chance(hand->random, 2))
		add_line(hand, "listen");
	else if (pick_entry(hand, "listen", &i))
		json_array_remove(list_of(hand, "listen"), i);
}

/* Users of this and other services. */
static void change_from(struct hand *hand)
{
	size_t i;
	json_t *line = pick_entry(hand, "listen", &i), *from;

	if (!line)
		return;
	if (random_chance(hand->random, 4)) {
		json_object_del(line, "from");
		return;
	}
	from = json_object_get(line, "from");
	if (!from) {
		from = json_array();
		json_object_set_new(line, "from", from);
	}
	if (json_array_size(from) && random_chance(hand->random, 2))
		json_array_remove(from, pick_index(hand, from));
	else
		json_array_append_new(from,
				      json_integer(10000 + 16 * random_below(hand->random, 8)));
}

static void change_dns(struct hand *hand)
{
	flip(hand, "dns");
}

static void change_proxy(struct hand *hand)
{
	flip(hand, "proxy");
}

static void change_mode(struct hand *hand)
{
	const char *mode = json_string_value(json_object_get(hand->policy, "mode"));

	json_object_set_new(
		hand->policy, "mode",
		json_string(mode && strcmp(mode, "monitor") == 0 ? "enforce" : "monitor"));
}

static void change_users(struct hand *hand)
{
	json_t *uids = json_object_get(hand->policy, "uids");

	if (uids && random_chance(hand->random, 2)) {
		json_object_del(hand->policy, "uids");
		if (!json_object_get(hand->policy, "user") &&
		    !json_object_get(hand->policy, "users"))
			json_object_set_new(hand->policy, "user", json_integer(9999));
		return;
	}
	json_object_del(hand->policy, "users");
	json_object_set_new(hand->policy, "user",
			    json_integer(10000 + 16 * random_below(hand->random, 8) +
					 random_below(hand->random, 2)));
}

static void change_gone(struct hand *hand)
{
	json_object_del(hand->all->files, hand->file);
}

static void change_new(struct hand *hand)
{
	char name[32];

	snprintf(name, sizeof(name), "n%u.json", hand->all->n_made);
	json_object_set_new(hand->all->files, name, another_policy(hand));
}

static void change_name(struct hand *hand)
{
	char name[32];

	snprintf(name, sizeof(name), "r%u", hand->all->n_made++);
	json_object_set_new(hand->policy, "service", json_string(name));
}

static void change_config(struct hand *hand)
{
	json_decref(hand->all->config);
	hand->all->config = load(print_config, hand->all->seed, hand->all->n_made++);
}

static const struct mutation changes[] = {
	{ "remove a line", change_remove_line },
	{ "add a line", change_add_line },
	{ "another port", change_port },
	{ "another prefix length", change_length },
	{ "another date", change_until },
	{ "another interface", change_interface },
	{ "another listener", change_listen },
	{ "other callers", change_from },
	{ "dns", change_dns },
	{ "proxy", change_proxy },
	{ "mode", change_mode },
	{ "other users", change_users },
	{ "a service is gone", change_gone },
	{ "a service is new", change_new },
	{ "a service has another name", change_name },
	{ "another configuration", change_config },
};

/* --- other words ------------------------------------------------------------------------------
 */

static void swap_lines(struct hand *hand, const char *key)
{
	json_t *list = list_of(hand, key), *line;
	size_t i;

	if (json_array_size(list) < 2)
		return;
	i = pick_index(hand, list);
	line = json_incref(json_array_get(list, i));
	json_array_remove(list, i);
	json_array_insert_new(list, pick_index(hand, list), line);
}

static void reword_order(struct hand *hand)
{
	swap_lines(hand, "connect");
}

static void reword_listen_order(struct hand *hand)
{
	swap_lines(hand, "listen");
}

/* A prefix as its halves. What lies within 127.0.0.0/8 goes out by lo only: such halves of more are
 * less.
 */
static void reword_halves(struct hand *hand)
{
	size_t i;
	json_t *line = pick_entry(hand, "connect", &i), *second;
	struct prefix prefix, low, high;

	if (!line || !prefix_of(line, &prefix) || prefix_is_host(&prefix))
		return;
	low = high = prefix;
	low.length = ++high.length;
	high.bytes[prefix.length / 8] |= (uint8_t)(0x80u >> prefix.length % 8);
	if (!prefix_is_loopback(&prefix) && (prefix_is_loopback(&low) || prefix_is_loopback(&high)))
		return;
	second = json_deep_copy(line);
	set_prefix(line, &low);
	set_prefix(second, &high);
	json_array_append_new(list_of(hand, "connect"), second);
}

static void reword_localhost(struct hand *hand)
{
	size_t i;
	json_t *line = pick_entry(hand, "connect", &i), *second;
	const char *to = line ? json_string_value(json_object_get(line, "to")) : NULL;

	if (!to || strcmp(to, "localhost") != 0)
		return;
	second = json_deep_copy(line);
	json_object_set_new(line, "to", json_string("127.0.0.1"));
	json_object_set_new(second, "to", json_string("::1"));
	json_array_append_new(list_of(hand, "connect"), second);
}

/* Ports of one line as two lines. */
static void split_ports(struct hand *hand, const char *key)
{
	size_t i;
	json_t *line = pick_entry(hand, key, &i), *second, *ports;

	ports = line ? json_object_get(line, "port") : NULL;
	if (json_array_size(ports) < 2)
		return;
	second = json_deep_copy(line);
	json_object_set(second, "port", json_array_get(ports, 0));
	json_array_remove(ports, 0);
	json_array_append_new(list_of(hand, key), second);
}

static void reword_ports(struct hand *hand)
{
	split_ports(hand, "connect");
}

static void reword_listen_ports(struct hand *hand)
{
	split_ports(hand, "listen");
}

/* A line that another one says already: a host of its prefix. */
static void reword_repeat(struct hand *hand)
{
	size_t i;
	json_t *line = pick_entry(hand, "connect", &i), *second;
	struct prefix prefix;

	if (!line)
		return;
	second = json_deep_copy(line);
	if (prefix_of(line, &prefix)) {
		prefix.length = (uint8_t)prefix_max_length(&prefix);
		if (!prefix_is_unspecified(&prefix))
			set_prefix(second, &prefix);
	}
	json_array_insert_new(list_of(hand, "connect"), pick_index(hand, list_of(hand, "connect")),
			      second);
}

static void reword_ended(struct hand *hand)
{
	json_t *line = json_pack("{s:s, s:i, s:s}", "to", "203.0.113.0/25", "port", 4444, "until",
				 "2001-01-01");

	json_array_append_new(list_of(hand, "connect"), line);
}

/* A list that was written twice as long becomes a set. */
static void reword_many(struct hand *hand)
{
	for (unsigned i = 0; i < 12; i++)
		reword_repeat(hand);
}

static void reword_file(struct hand *hand)
{
	json_t *policy = json_incref(hand->policy);
	char name[32], service[32];

	snprintf(service, sizeof(service), "%.*s", (int)strcspn(hand->file, "."), hand->file);
	if (!json_object_get(policy, "service"))
		json_object_set_new(policy, "service", json_string(service));
	snprintf(name, sizeof(name), "z%u.json", hand->all->n_made++);
	json_object_del(hand->all->files, hand->file);
	json_object_set_new(hand->all->files, name, policy);
}

static void reword_comment(struct hand *hand)
{
	json_object_set_new(hand->policy, "comment", json_string("other words"));
}

static const struct mutation rewordings[] = {
	{ "lines in another order", reword_order },
	{ "listeners in another order", reword_listen_order },
	{ "a prefix as its halves", reword_halves },
	{ "localhost as two addresses", reword_localhost },
	{ "ports on two lines", reword_ports },
	{ "declared ports on two lines", reword_listen_ports },
	{ "a line that says nothing new", reword_repeat },
	{ "a line that has ended", reword_ended },
	{ "many lines that say nothing new", reword_many },
	{ "a file by another name", reword_file },
	{ "a comment", reword_comment },
};

static void mutate(struct mutable *policies, const struct mutation *mutations, size_t n,
		   struct random *random, bool show)
{
	struct hand hand = { .all = policies, .random = random };
	const struct mutation *mutation = &mutations[random_below(random, (uint32_t)n)];
	size_t skip = json_object_size(policies->files);
	const char *file;
	json_t *policy = NULL;
	char name[64];

	if (!skip)
		return;
	skip = random_below(random, (uint32_t)skip);
	json_object_foreach(policies->files, file, policy) if (skip-- == 0) break;
	snprintf(name, sizeof(name), "%s", file);
	hand.file = name;
	hand.policy = policy;
	if (show)
		printf("# %s: %s\n", name, mutation->name);
	mutation->run(&hand);
}

void mutable_change(struct mutable *policies, struct random *random, bool show)
{
	mutate(policies, changes, ARRAY_SIZE(changes), random, show);
}

void mutable_reword(struct mutable *policies, struct random *random, bool show)
{
	mutate(policies, rewordings, ARRAY_SIZE(rewordings), random, show);
}

/* --- files ------------------------------------------------------------------------------------ */

struct mutable mutable_new(unsigned seed, unsigned n_services)
{
	struct mutable policies = { json_object(), load(print_config, seed, 0), seed, n_services };
	char name[32];

	for (unsigned i = 0; i < n_services; i++) {
		snprintf(name, sizeof(name), "s%u.json", i);
		json_object_set_new(policies.files, name, load(random_policy_print, seed, i));
	}
	return policies;
}

void mutable_free(struct mutable *policies)
{
	json_decref(policies->files);
	json_decref(policies->config);
}

static void write_file(const char *path, const json_t *value)
{
	FILE *f = fopen(path, "we");

	/* not what the umask says */
	if (!f || fchmod(fileno(f), 0644) < 0 || json_dumpf(value, f, JSON_INDENT(2)) < 0 ||
	    fclose(f) != 0) {
		perror(path);
		abort();
	}
}

size_t mutable_read(const struct mutable *policies, struct arena *arena, struct policy_set *ret_set,
		    bool show)
{
	const char *tmp = getenv("TMPDIR"), *file;
	char *folder = arena_printf(arena, "%s/mutable.XXXXXX", tmp ? tmp : "/tmp");
	const char *inner = NULL;
	struct policy_set_options options = { .paths = &inner, .n_paths = 1, .owner = geteuid() };
	AUTO(diags) struct diags diags;
	json_t *policy;

	diags_init(&diags);
	if (!mkdtemp(folder))
		abort();
	inner = arena_printf(arena, "%s/policies", folder);
	options.config_path = arena_printf(arena, "%s/uidwall.json", folder);
	if (mkdir(inner, 0755) < 0 || chmod(inner, 0755) < 0)
		abort();
	write_file(options.config_path, policies->config);
	json_object_foreach(policies->files, file, policy)
		write_file(arena_printf(arena, "%s/%s", inner, file), policy);
	if (policy_set_read(&options, arena, ret_set, &diags) < 0)
		abort();
	json_object_foreach(policies->files, file, policy)
		unlink(arena_printf(arena, "%s/%s", inner, file));
	unlink(options.config_path);
	rmdir(inner);
	rmdir(folder);
	for (size_t i = 0; show && i < diags.n; i++)
		if (diags.list[i].severity == DIAG_ERROR)
			diag_print(&diags.list[i], stdout, false);
	return diags.n_errors;
}
