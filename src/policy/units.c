/* SPDX-License-Identifier: GPL-2.0-or-later */
/* units.c - folders of cgroup2 → the groups of the units that policies name.
 *
 * A unit is looked for by its name, in slices only and only below folders of root: that is where
 * the system's manager puts units, whatever Slice= says. A user who was handed a part of the tree
 * (user@1000.service, Delegate=) could make a folder of any name there, and choose whose policy to
 * live by.
 */
#include "policy/units.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

/* nft looks names of groups up below this folder (libnftables, src/datatype.c of 1.0.6). */
#define NFT_CGROUPS "/sys/fs/cgroup"

enum { MOUNTINFO_MAX = 1 << 20 };

/* --- names ------------------------------------------------------------------------------------ */

static bool has_suffix(const char *text, const char *suffix)
{
	size_t n = strlen(text), m = strlen(suffix);

	return n > m && strcmp(text + n - m, suffix) == 0;
}

static unsigned count(const char *text, size_t n, char c)
{
	unsigned found = 0;

	for (size_t i = 0; i < n; i++)
		found += text[i] == c;
	return found;
}

unsigned units_level(const char *unit)
{
	size_t n = strlen(unit);

	if (unit[0] == '/')
		return count(unit, n, '/');
	if (has_suffix(unit, ".slice")) /* a-b.slice is within a.slice */
		return 1 + count(unit, n, '-');
	return strchr(unit, '@') ? 3 : 2;
}

bool units_match(const char *unit, const char *name)
{
	const char *at = strchr(unit, '@');
	size_t prefix;

	if (!at || at[1] != '.')
		return strcmp(unit, name) == 0;
	prefix = (size_t)(at + 1 - unit);
	return strncmp(unit, name, prefix) == 0 && has_suffix(name + prefix, at + 1);
}

/* --- the mount -------------------------------------------------------------------------------- */

struct mount {
	char *path;	 /* of the folder that stands for the root; NULL: not mounted */
	unsigned levels; /* between the root and that folder, where only a part is mounted */
};

/* Spaces and the like are written as \040 (proc_pid_mountinfo(5)). */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		unsigned c;

		if (from[0] == '\\' && sscanf(from + 1, "%3o", &c) == 1) {
			*to++ = (char)c;
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
}

/* The first that shows the whole tree, else the first. */
static struct mount find_mount(struct arena *arena)
{
	struct mount found = { 0 };
	char line[8192], root[4096], path[4096];
	FILE *in = fopen("/proc/self/mountinfo", "re");

	while (in && fgets(line, sizeof(line), in)) {
		const char *type = strstr(line, " - ");
		unsigned levels;

		if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0 ||
		    sscanf(line, "%*d %*d %*s %4095s %4095s", root, path) != 2)
			continue;
		levels = strcmp(root, "/") == 0 ? 0 : count(root, strlen(root), '/');
		if (found.path && (levels || !found.levels))
			continue;
		unescape(path);
		found = (struct mount){ arena_strdup(arena, path), levels };
	}
	if (in)
		fclose(in);
	return found;
}

/* --- the walk --------------------------------------------------------------------------------- */

/* A unit's name as a policy has it. */
struct wanted {
	const char *unit;
	uint32_t service;
};

struct walk {
	struct policy_set *set;
	struct arena *arena;
	struct mount mount;
	struct wanted *wanted; /* sorted; only names, no paths */
	size_t n_wanted;
	units_visit_fn visit;
	void *data;
	struct diags *diags;
};

static int compare_wanted(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;

	return strcmp(x->unit, y->unit);
}

static const char *nft_path(struct arena *arena, const char *path)
{
	size_t n = strlen(NFT_CGROUPS);

	if (strncmp(path, NFT_CGROUPS "/", n + 1) == 0)
		return arena_strdup(arena, path + n + 1);
	return arena_printf(arena, "../../..%s", path);
}

/* path: of the folder in the file system. */
static void add_group(struct walk *walk, uint32_t service, const char *path, unsigned level,
		      const struct stat *st)
{
	struct policy_set *set = walk->set;
	const struct policy *policy = set->services[service].policy;
	const char *below = path + strlen(walk->mount.path);

	level += walk->mount.levels;
	if (level > CGROUP_LEVELS) {
		diag_add_in(walk->diags, DIAG_WARNING, policy->unit_place, policy->text,
			    policy->text_length,
			    "the control group %s is not governed: it is %u levels below the "
			    "root, and %u are as far as we look",
			    below, level, CGROUP_LEVELS);
		return;
	}
	*ARENA_APPEND(walk->arena, set->groups, set->n_groups) = (struct unit_group){
		.id = st->st_ino,
		.level = (uint8_t)level,
		.service = service,
		.path = arena_strdup(walk->arena, below + (*below == '/')),
		.nft_path = nft_path(walk->arena, path),
	};
}

/* Whether there is a policy for a unit of that name. */
static bool add_wanted_as(struct walk *walk, const char *unit, const char *path, unsigned level,
			  const struct stat *st)
{
	size_t low = 0, high = walk->n_wanted;
	bool any = false;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(walk->wanted[middle].unit, unit) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < walk->n_wanted && strcmp(walk->wanted[low].unit, unit) == 0; low++) {
		add_group(walk, walk->wanted[low].service, path, level, st);
		any = true;
	}
	return any;
}

/* By its own name; where nobody wants it, an instance is its template's. */
static void add_wanted(struct walk *walk, const char *name, const char *path, unsigned level,
		       const struct stat *st)
{
	const char *at = strchr(name, '@'), *dot = strrchr(name, '.');
	char unit[NAME_MAX + 2];

	if (add_wanted_as(walk, name, path, level, st) || !at || !dot || dot < at)
		return;
	snprintf(unit, sizeof(unit), "%.*s%s", (int)(at + 1 - name), name, dot);
	add_wanted_as(walk, unit, path, level, st);
}

static void walk_folder(struct walk *walk, const char *path, unsigned level);

static void walk_entry(struct walk *walk, int folder, const char *path, const char *name,
		       unsigned level)
{
	char below[PATH_MAX];
	struct stat st;
	int n = snprintf(below, sizeof(below), "%s/%s", path, name);

	/* Folders only; gone again, or a name that is none of ours, is no matter. */
	if (n < 0 || (size_t)n >= sizeof(below) || name[0] == '.' || !strchr(name, '.') ||
	    fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return;
	add_wanted(walk, name, below, level, &st);
	if (has_suffix(name, ".slice") && st.st_uid == 0 && level < CGROUP_LEVELS)
		walk_folder(walk, below, level + 1);
}

static void walk_folder(struct walk *walk, const char *path, unsigned level)
{
	const struct dirent *entry;
	DIR *folder;

	if (walk->visit)
		walk->visit(path, walk->data);
	folder = opendir(path);
	if (!folder)
		return;
	while ((entry = readdir(folder)))
		if (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN)
			walk_entry(walk, dirfd(folder), path, entry->d_name, level);
	closedir(folder);
}

/* A path is taken at its word; every folder on the way may come and go. */
static void find_path(struct walk *walk, const char *unit, uint32_t service)
{
	AUTO(mem) char *path = NULL;
	size_t n = strlen(walk->mount.path);
	struct stat st;

	if (asprintf(&path, "%s%s", walk->mount.path, unit) < 0)
		abort();
	for (char *slash = path + n; walk->visit && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		walk->visit(n ? path : "/", walk->data);
		*slash = '/';
	}
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		add_group(walk, service, path, units_level(unit), &st);
}

/* --- two policies for one unit ---------------------------------------------------------------- */

static int compare_units(const void *a, const void *b)
{
	const struct candidate *x = *(struct candidate *const *)a;
	const struct candidate *y = *(struct candidate *const *)b;
	int r = strcmp(x->policy->unit, y->policy->unit);

	return r ? r : x < y ? -1 : x > y;
}

static bool report_same_unit(const struct candidate *mine, const struct candidate *other,
			     struct diags *diags)
{
	const struct policy *policy = mine->policy, *theirs = other->policy;

	if (mine->state != POLICY_GOOD)
		return false;
	diag_add_in(diags, DIAG_ERROR, policy->unit_place, policy->text, policy->text_length,
		    "the unit is also claimed by %s:%u:%u (service %s); expected each unit in one "
		    "policy",
		    theirs->unit_place.file ? theirs->unit_place.file : theirs->file,
		    theirs->unit_place.line, theirs->unit_place.column, theirs->service);
	return true;
}

bool units_settle(struct candidate *candidates, size_t n,
		  void (*demote)(struct candidate *candidate, void *data), void *data,
		  struct diags *diags)
{
	AUTO(arena) struct arena *scratch = arena_new();
	struct candidate **list = NULL;
	bool *demoted, any = false;
	size_t n_list = 0;

	for (size_t i = 0; i < n; i++)
		if (candidates[i].policy->unit && candidates[i].state != POLICY_REFUSED)
			*ARENA_APPEND(scratch, list, n_list) = &candidates[i];
	demoted = arena_alloc(scratch, n_list);
	if (n_list)
		qsort(list, n_list, sizeof(*list), compare_units);
	for (size_t i = 1; i < n_list; i++) {
		if (strcmp(list[i - 1]->policy->unit, list[i]->policy->unit) != 0)
			continue;
		demoted[i - 1] |= report_same_unit(list[i - 1], list[i], diags);
		demoted[i] |= report_same_unit(list[i], list[i - 1], diags);
	}
	for (size_t i = 0; i < n_list; i++)
		if (demoted[i]) {
			demote(list[i], data);
			any = true;
		}
	return any;
}

/* --- the groups ------------------------------------------------------------------------------- */

static int compare_groups(const void *a, const void *b)
{
	const struct unit_group *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->service < y->service ? -1 : x->service > y->service;
}

/* A service that is refused everything has no right to the group of another. */
static bool is_refused(const struct policy_set *set, const struct unit_group *group)
{
	return set->services[group->service].state == POLICY_REFUSED;
}

/* A group that two services name, in different words, is refused everything. */
static void join_groups(struct policy_set *set, struct diags *diags)
{
	size_t kept = 0;

	if (set->n_groups)
		qsort(set->groups, set->n_groups, sizeof(*set->groups), compare_groups);
	for (size_t i = 0; i < set->n_groups; i++) {
		struct unit_group *last = kept ? &set->groups[kept - 1] : NULL;
		const struct unit_group *next = &set->groups[i];
		const struct policy *policy = set->services[next->service].policy;

		if (!last || last->id != next->id) {
			set->groups[kept++] = *next;
			continue;
		}
		if (last->service == NO_SERVICE || last->service == next->service ||
		    is_refused(set, next))
			continue;
		if (is_refused(set, last)) {
			*last = *next;
			continue;
		}
		diag_add_in(diags, DIAG_WARNING, policy->unit_place, policy->text,
			    policy->text_length,
			    "the control group /%s is that of service %s too; while both name it, "
			    "what neither's users own is refused everything there",
			    next->path, set->services[last->service].policy->service);
		last->service = NO_SERVICE;
	}
	set->n_groups = kept;
}

static void warn_no_mount(const struct policy_set *set, uint32_t service, struct diags *diags)
{
	const struct policy *policy = set->services[service].policy;

	diag_add_in(diags, DIAG_WARNING, policy->unit_place, policy->text, policy->text_length,
		    "no cgroup2 is mounted, so nothing can be told by its unit; boot with "
		    "systemd.unified_cgroup_hierarchy=1, or mount it: mount -t cgroup2 none "
		    "/sys/fs/cgroup/unified");
}

void units_find(struct policy_set *set, struct arena *arena, units_visit_fn visit, void *data,
		struct diags *diags)
{
	AUTO(arena) struct arena *scratch = arena_new();
	struct walk walk = {
		.set = set, .arena = arena, .visit = visit, .data = data, .diags = diags
	};

	set->groups = NULL;
	set->n_groups = 0;
	for (uint32_t i = 0; i < set->n_services; i++) {
		const char *unit = set->services[i].policy->unit;

		if (!unit)
			continue;
		if (!walk.mount.path)
			walk.mount = find_mount(scratch);
		if (!walk.mount.path) {
			warn_no_mount(set, i, diags);
			return;
		}
		if (unit[0] == '/')
			find_path(&walk, unit, i);
		else
			*ARENA_APPEND(scratch, walk.wanted, walk.n_wanted) =
				(struct wanted){ unit, i };
	}
	if (walk.n_wanted) {
		qsort(walk.wanted, walk.n_wanted, sizeof(*walk.wanted), compare_wanted);
		walk_folder(&walk, walk.mount.path, 1);
	}
	join_groups(set, diags);
}
