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

#include "policy/cgroup_mount.h"

/* nft looks names of groups up below this folder (libnftables, src/datatype.c of 1.0.6). */
#define NFT_CGROUPS "/sys/fs/cgroup"

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

/* --- what is wanted --------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	const struct units_name *x = a, *y = b;

	return strcmp(x->unit, y->unit);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_way(struct units_names *names, const char *path, struct arena *arena)
{
	while (*path) {
		size_t n = strcspn(++path, "/");

		*ARENA_APPEND(arena, names->ways, names->n_ways) = arena_strndup(arena, path, n);
		path += n;
	}
}

void units_read_names(const struct policy_set *set, struct arena *arena,
		      struct units_names *ret_names)
{
	struct units_names names = { 0 };

	for (uint32_t i = 0; i < set->n_services; i++) {
		const char *unit = set->services[i].policy->unit;

		if (unit && unit[0] == '/')
			add_way(&names, unit, arena);
		else if (unit)
			*ARENA_APPEND(arena, names.names, names.n_names) =
				(struct units_name){ unit, i };
	}
	if (names.n_names)
		qsort(names.names, names.n_names, sizeof(*names.names), compare_names);
	if (names.n_ways)
		qsort(names.ways, names.n_ways, sizeof(*names.ways), compare_texts);
	if (names.n_names || names.n_ways)
		names.mount = cgroup_mount_find(arena);
	*ret_names = names;
}

/* Those of that very name: the first of how many. */
static size_t find_name(const struct units_names *names, const char *unit, size_t *ret_n)
{
	size_t low = 0, high = names->n_names, end;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(names->names[middle].unit, unit) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (end = low; end < names->n_names && strcmp(names->names[end].unit, unit) == 0;)
		end++;
	*ret_n = end - low;
	return low;
}

/* By its own name; where nobody wants that, an instance is its template's. */
static size_t find_unit(const struct units_names *names, const char *name, size_t *ret_n)
{
	const char *at = strchr(name, '@'), *dot = strrchr(name, '.');
	size_t first = find_name(names, name, ret_n);
	char unit[NAME_MAX + 2];

	if (*ret_n || !at || !dot || dot < at)
		return first;
	snprintf(unit, sizeof(unit), "%.*s%s", (int)(at + 1 - name), name, dot);
	return find_name(names, unit, ret_n);
}

/* Those whose unit a folder of that name is. A socket that systemd holds for a service has a group
 * of its own (socket_address_listen_in_cgroup() in src/core/socket.c), and is the service's all the
 * same: handed over, it can be re-aimed. With Accept=yes the service is a template.
 */
static size_t find_wanted(const struct units_names *names, const char *name, size_t *ret_n)
{
	size_t first = find_unit(names, name, ret_n);
	char unit[NAME_MAX + 16];

	for (unsigned i = 0; !*ret_n && i < 2 && has_suffix(name, ".socket"); i++) {
		snprintf(unit, sizeof(unit), "%.*s%s.service",
			 (int)(strlen(name) - strlen(".socket")), name, i ? "@" : "");
		first = find_unit(names, unit, ret_n);
	}
	return first;
}

static bool is_on_way(const struct units_names *names, const char *name)
{
	return names->n_ways &&
	       bsearch(&name, names->ways, names->n_ways, sizeof(*names->ways), compare_texts);
}

bool units_matter(const struct units_names *names, const char *name)
{
	size_t n;

	if (has_suffix(name, ".slice") || is_on_way(names, name))
		return true;
	find_wanted(names, name, &n);
	return n > 0;
}

/* --- the walk --------------------------------------------------------------------------------- */

struct walk {
	struct policy_set *set;
	struct arena *arena;
	const struct units_names *names;
	units_visit_fn visit;
	void *data;
	struct diags *diags;
};

static const char *nft_path(struct arena *arena, const char *path)
{
	size_t n = strlen(NFT_CGROUPS);

	if (strncmp(path, NFT_CGROUPS "/", n + 1) == 0)
		return arena_strdup(arena, path + n + 1);
	return arena_printf(arena, "../../..%s", path);
}

static struct unit_group make_group(const struct cgroup_mount *mount, uint32_t service,
				    const char *path, unsigned level, const struct stat *st,
				    struct arena *arena)
{
	const char *below = path + strlen(mount->path);

	return (struct unit_group){
		.id = st->st_ino,
		.level = (uint8_t)(level + mount->levels),
		.service = service,
		.path = arena_strdup(arena, below + (*below == '/')),
		.nft_path = nft_path(arena, path),
	};
}

/* path: of the folder in the file system. */
static void add_group(struct walk *walk, uint32_t service, const char *path, unsigned level,
		      const struct stat *st)
{
	struct policy_set *set = walk->set;
	const struct policy *policy = set->services[service].policy;

	if (level + walk->names->mount.levels > CGROUP_LEVELS) {
		diag_add_in(walk->diags, DIAG_WARNING, policy->unit_place, policy->text,
			    policy->text_length,
			    "the control group %s is not governed: it is %u levels below the "
			    "root, and %u are as far as we look",
			    path + strlen(walk->names->mount.path),
			    level + walk->names->mount.levels, CGROUP_LEVELS);
		return;
	}
	*ARENA_APPEND(walk->arena, set->groups, set->n_groups) =
		make_group(&walk->names->mount, service, path, level, st, walk->arena);
}

static void add_wanted(struct walk *walk, const char *name, const char *path, unsigned level,
		       const struct stat *st)
{
	size_t n, first = find_wanted(walk->names, name, &n);

	for (size_t i = first; i < first + n; i++)
		add_group(walk, walk->names->names[i].service, path, level, st);
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
		walk->visit(path, level, walk->data);
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
	size_t n = strlen(walk->names->mount.path);
	struct stat st;

	if (asprintf(&path, "%s%s", walk->names->mount.path, unit) < 0)
		abort();
	for (char *slash = path + n; walk->visit && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		walk->visit(n ? path : "/", 0, walk->data);
		*slash = '/';
	}
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		add_group(walk, service, path, units_level(unit), &st);
}

/* As when the folder was read, but it may belong to somebody else by now. */
static bool is_roots(const char *folder, size_t mount)
{
	AUTO(mem) char *path = strdup(folder);
	struct stat st;
	bool roots = path;

	for (size_t n = path ? strlen(path) : 0; roots && n > mount; n--) {
		if (n < strlen(folder) && folder[n] != '/')
			continue;
		path[n] = '\0';
		roots = stat(path, &st) == 0 && st.st_uid == 0;
	}
	return roots;
}

bool units_find_started(const struct units_names *names, const char *folder, unsigned level,
			const char *name, struct arena *arena, struct unit_group *ret_group)
{
	AUTO(arena) struct arena *scratch = arena_new();
	const char *path = arena_printf(scratch, "%s/%s", folder, name);
	size_t n, first = find_wanted(names, name, &n);
	struct stat st;

	if (!level || n != 1 || has_suffix(name, ".slice") || is_on_way(names, name) ||
	    level + names->mount.levels > CGROUP_LEVELS ||
	    !is_roots(folder, strlen(names->mount.path)) || stat(path, &st) < 0 ||
	    !S_ISDIR(st.st_mode))
		return false;
	*ret_group =
		make_group(&names->mount, names->names[first].service, path, level, &st, arena);
	return true;
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
	struct units_names names;
	struct walk walk = { .set = set,
			     .arena = arena,
			     .names = &names,
			     .visit = visit,
			     .data = data,
			     .diags = diags };

	units_read_names(set, scratch, &names);
	set->groups = NULL;
	set->n_groups = 0;
	for (uint32_t i = 0; i < set->n_services; i++) {
		const char *unit = set->services[i].policy->unit;

		if (unit && !names.mount.path) {
			warn_no_mount(set, i, diags);
			return;
		}
		if (unit && unit[0] == '/')
			find_path(&walk, unit, i);
	}
	if (names.n_names)
		walk_folder(&walk, names.mount.path, 1);
	join_groups(set, diags);
}
