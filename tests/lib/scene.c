/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scene.c - a folder of policies that changes, and what was good in it before. */
#include "lib/scene.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/text.h"
#include "plan/plan.h"

static void write_file(const char *path, const char *bytes, size_t length)
{
	FILE *f = fopen(path, "we");

	/* not what the umask says */
	if (!f || fchmod(fileno(f), 0644) < 0 || fwrite(bytes, 1, length, f) != length ||
	    fclose(f) != 0) {
		perror(path);
		abort();
	}
}

struct scene *scene_new(void)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	const char *tmp = getenv("TMPDIR");
	AUTO(mem) char *policies = NULL;

	if (!scene || asprintf(&scene->folder, "%s/scene.XXXXXX", tmp ? tmp : "/tmp") < 0 ||
	    !mkdtemp(scene->folder) || asprintf(&policies, "%s/policies", scene->folder) < 0 ||
	    mkdir(policies, 0755) < 0 || chmod(policies, 0755) < 0) {
		perror("scene");
		abort();
	}
	scene->memory = arena_new();
	scene->arena = arena_new();
	diags_init(&scene->diags);
	scene_write_config(scene, "{ \"resolvers\": [\"192.0.2.53\"], \"subuids\": false }");
	return scene;
}

static void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		AUTO(mem) char *inner = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&inner, "%s/%s", path, entry->d_name) < 0)
			abort();
		if (unlink(inner) < 0)
			remove_tree(inner);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

void scene_free(struct scene *scene)
{
	if (!scene)
		return;
	remove_tree(scene->folder);
	free(scene->folder);
	diags_done(&scene->diags);
	arena_free(scene->arena);
	arena_free(scene->memory);
	free(scene);
}

const char *scene_path(struct scene *scene, const char *file)
{
	return arena_printf(scene->arena, "%s/policies/%s", scene->folder, file);
}

void scene_write_bytes(struct scene *scene, const char *file, const char *bytes, size_t length)
{
	const char *path = scene_path(scene, file);

	if (unlink(path) < 0)
		remove_tree(path); /* a folder, perhaps */
	if (bytes)
		write_file(path, bytes, length);
}

void scene_write(struct scene *scene, const char *file, const char *text)
{
	scene_write_bytes(scene, file, text, text ? strlen(text) : 0);
}

void scene_write_config(struct scene *scene, const char *text)
{
	AUTO(mem) char *path = NULL;

	if (asprintf(&path, "%s/uidwall.json", scene->folder) < 0)
		abort();
	write_file(path, text, strlen(text));
}

int scene_read(struct scene *scene)
{
	const char *policies;
	struct policy_set_options options = {
		.paths = &policies,
		.n_paths = 1,
		.owner = geteuid(),
		.last_good = &scene->last_good,
	};

	arena_free(scene->arena);
	scene->arena = arena_new();
	scene->set = (struct policy_set){ 0 };
	diags_done(&scene->diags);
	diags_init(&scene->diags);
	policies = arena_printf(scene->arena, "%s/policies", scene->folder);
	options.config_path = arena_printf(scene->arena, "%s/uidwall.json", scene->folder);
	return policy_set_read(&options, scene->arena, &scene->set, &scene->diags);
}

static const struct last_good *find_before(const struct scene *scene, const char *service)
{
	for (size_t i = 0; i < scene->last_good.n; i++)
		if (strcmp(scene->last_good.list[i].service, service) == 0)
			return &scene->last_good.list[i];
	return NULL;
}

static void remember_policy(struct arena *memory, const struct service *service,
			    const struct last_good *before, struct last_good *ret_good)
{
	const struct policy *policy = service->policy;
	bool good = service->state == POLICY_GOOD;
	struct subject *subjects = NULL;
	size_t n = 0;

	*ret_good = (struct last_good){
		.service = arena_strdup(memory, policy->service),
		.file = arena_strdup(memory, good ? policy->file : before->file),
		.text_length = good ? policy->text_length : before->text_length,
	};
	ret_good->text =
		arena_strndup(memory, good ? policy->text : before->text, ret_good->text_length);
	for (size_t i = 0; i < policy->n_subjects; i++)
		*ARENA_APPEND(memory, subjects, n) = policy->subjects[i];
	for (size_t i = 0; i < n; i++)
		subjects[i].place = (struct place){ 0 };
	ret_good->subjects = subjects;
	ret_good->n_subjects = n;
}

void scene_remember(struct scene *scene)
{
	struct arena *memory = arena_new();
	struct last_good_set now = { 0 };

	for (size_t i = 0; i < scene->set.n_services; i++) {
		const struct service *service = &scene->set.services[i];

		if (service->state == POLICY_GOOD || service->state == POLICY_LAST_GOOD)
			remember_policy(memory, service,
					find_before(scene, service->policy->service),
					ARENA_APPEND(memory, now.list, now.n));
	}
	arena_free(scene->memory);
	scene->memory = memory;
	scene->last_good = now;
}

void scene_begin(struct scene *scene)
{
	if (scene_read(scene) == 0 && !scene->diags.n_errors) {
		scene_remember(scene);
		return;
	}
	for (size_t i = 0; i < scene->diags.n; i++)
		diag_print(&scene->diags.list[i], stderr, false);
	abort();
}

char *scene_plan(const struct policy_set *set)
{
	AUTO(arena) struct arena *arena = arena_new();
	struct ir_ruleset ruleset;
	char *text = NULL;
	size_t length = 0;
	FILE *f = open_memstream(&text, &length);

	if (!f)
		abort();
	plan_build(set, arena, &ruleset);
	text_write(&ruleset, f);
	if (fclose(f) != 0)
		abort();
	return text;
}

char *scene_chain(const char *text, const char *chain)
{
	AUTO(mem) char *head = NULL;
	const char *start, *end;

	if (asprintf(&head, "\n\tchain %s {\n", chain) < 0)
		abort();
	start = strstr(text, head);
	end = start ? strstr(start, "\n\t}\n") : NULL;
	return end ? strndup(start + 1, (size_t)(end + 4 - start - 1)) : NULL;
}
