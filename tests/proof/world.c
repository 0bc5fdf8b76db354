/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.c - policies as JSON, with all that files cannot say: something to make smaller. */
#include "world.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static json_t *parse(const char *text, size_t length)
{
	json_t *json = json_loadb(text, length, 0, NULL);

	if (!json)
		abort(); /* random policies are JSON */
	return json;
}

static json_t *service_json(const struct service *service)
{
	return json_pack("{s:s, s:s, s:o}", "file", service->policy->file, "state",
			 policy_state_name(service->state), "policy",
			 parse(service->policy->text, service->policy->text_length));
}

static json_t *subuids_json(const struct policy_set *set, const struct uid_owner *owner)
{
	json_t *json = json_pack("{s:I, s:I}", "first", (json_int_t)owner->uids.first, "last",
				 (json_int_t)owner->uids.last);

	if (owner->service != NO_SERVICE)
		json_object_set_new(json, "service",
				    json_string(set->services[owner->service].policy->service));
	return json;
}

json_t *world_of(const struct policy_set *set, const char *config)
{
	json_t *services = json_array(), *subuids = json_array();

	for (size_t i = 0; i < set->n_services; i++)
		json_array_append_new(services, service_json(&set->services[i]));
	for (size_t i = 0; i < set->n_ranges; i++)
		if (set->ranges[i].is_subuid)
			json_array_append_new(subuids, subuids_json(set, &set->ranges[i]));
	return json_pack("{s:o, s:o, s:o, s:b}", "config", parse(config, strlen(config)),
			 "services", services, "subuids", subuids, "keeps_options",
			 set->keeps_options);
}

/* --- and back --------------------------------------------------------------------------------- */

/* Not what the umask says. */
static int write_json(const char *path, const json_t *json)
{
	AUTO(file) FILE *f = fopen(path, "we");

	if (!f || fchmod(fileno(f), 0644) < 0 || json_dumpf(json, f, JSON_INDENT(2)) < 0)
		return -EIO;
	return 0;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int write_files(const json_t *world, struct arena *arena, const char *folder,
		       const char *policies)
{
	const json_t *services = json_object_get(world, "services"), *service;
	size_t i;

	if (mkdir(policies, 0755) < 0 || chmod(policies, 0755) < 0 ||
	    write_json(arena_printf(arena, "%s/uidwall.json", folder),
		       json_object_get(world, "config")) < 0)
		return -EIO;
	json_array_foreach(services, i, service)
		if (write_json(arena_printf(arena, "%s/%s", policies, text_of(service, "file")),
			       json_object_get(service, "policy")) < 0)
			return -EIO;
	return 0;
}

static void remove_files(const json_t *world, struct arena *arena, const char *folder,
			 const char *policies)
{
	const json_t *services = json_object_get(world, "services"), *service;
	size_t i;

	json_array_foreach(services, i, service)
		unlink(arena_printf(arena, "%s/%s", policies, text_of(service, "file")));
	rmdir(policies);
	unlink(arena_printf(arena, "%s/uidwall.json", folder));
	rmdir(folder);
}

static uint8_t parse_state(const char *text)
{
	for (uint8_t state = POLICY_GOOD; state <= POLICY_OFF; state++)
		if (strcmp(policy_state_name(state), text) == 0)
			return state;
	return POLICY_GOOD;
}

static void set_states(const json_t *world, struct policy_set *set)
{
	const json_t *services = json_object_get(world, "services"), *service;
	size_t i;

	json_array_foreach(services, i, service)
		for (size_t j = 0; j < set->n_services; j++)
			if (strcmp(set->services[j].policy->file, text_of(service, "file")) == 0)
				set->services[j].state = parse_state(text_of(service, "state"));
}

static void add_subuids(const json_t *world, struct arena *arena, struct policy_set *set)
{
	const json_t *subuids = json_object_get(world, "subuids"), *item;
	size_t i;

	json_array_foreach(subuids, i, item) {
		struct service *service = policy_set_find(set, text_of(item, "service"));

		if (!service && json_object_get(item, "service"))
			continue; /* it is gone, and its user with it */
		*ARENA_APPEND(arena, set->ranges, set->n_ranges) = (struct uid_owner){
			.uids = { (uint32_t)json_integer_value(json_object_get(item, "first")),
				  (uint32_t)json_integer_value(json_object_get(item, "last")) },
			.service = service ? (uint32_t)(service - set->services) : NO_SERVICE,
			.place = { "/etc/subuid", (uint32_t)i + 1, 1 },
			.is_subuid = true,
		};
	}
}

int world_read(const json_t *world, struct arena *arena, struct policy_set *ret_set)
{
	AUTO(diags) struct diags diags;
	const char *tmp = getenv("TMPDIR");
	char *folder = arena_printf(arena, "%s/proof.XXXXXX", tmp ? tmp : "/tmp");
	const char *policies;
	struct policy_set_options options = { .n_paths = 1, .owner = geteuid() };
	int r;

	diags_init(&diags);
	if (!mkdtemp(folder))
		abort();
	policies = arena_printf(arena, "%s/policies", folder);
	options.paths = &policies;
	options.config_path = arena_printf(arena, "%s/uidwall.json", folder);
	r = write_files(world, arena, folder, policies);
	if (r == 0)
		r = policy_set_read(&options, arena, ret_set, &diags);
	remove_files(world, arena, folder, policies);
	if (r < 0 || diags.n_errors)
		return -EINVAL;
	ret_set->keeps_options = json_is_true(json_object_get(world, "keeps_options"));
	set_states(world, ret_set);
	add_subuids(world, arena, ret_set);
	return 0;
}
