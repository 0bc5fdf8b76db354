/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shrink.c - a mismatch → the smallest world and the fewest shots that still show it.
 *
 * Whatever can be taken out of the JSON is taken out, from the largest parts to the smallest, and
 * put back where the mismatch is gone with it.
 */
#include "shrink.h"

#include <string.h>

#include "plan/plan.h"
#include "world.h"

enum { RUNS_MAX = 1500, PASSES_MAX = 4 };

struct shrinking {
	struct proof *proof;
	json_t *box_case;
	unsigned n_runs;
};

json_t *case_make(json_t *world, const struct shot *shots, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, shot_to_json(&shots[i]));
	json_object_set_new(world, "shots", list);
	return world;
}

/* --- one run ---------------------------------------------------------------------------------- */

static enum case_outcome run_shots(struct proof *proof, const json_t *shots, FILE *out)
{
	size_t n = json_array_size(shots);
	struct verdict verdict;
	struct shot shot;

	for (size_t i = 0; i < n; i++) {
		if (shot_from_json(json_array_get(shots, i), &shot) < 0)
			return CASE_INVALID;
		proof_try(proof, &shot, &verdict);
		if (!verdict.agrees && i + 1 < n)
			return CASE_INVALID; /* another mismatch than that of the last one */
	}
	if (!n || verdict.agrees)
		return CASE_AGREES;
	if (out)
		proof_print(proof, &shot, &verdict, out);
	return CASE_DIFFERS;
}

enum case_outcome case_run(struct proof *proof, const json_t *box_case, FILE *out)
{
	struct arena *arena = arena_new();
	struct ir_ruleset ruleset;
	struct policy_set set;

	if (world_read(box_case, arena, &set) < 0) {
		arena_free(arena);
		return CASE_INVALID;
	}
	plan_build(&set, arena, &ruleset);
	if (!proof_load(proof, &ruleset, arena))
		return CASE_INVALID;
	return run_shots(proof, json_object_get(box_case, "shots"), out);
}

static bool still_differs(struct shrinking *shrinking)
{
	if (shrinking->n_runs >= RUNS_MAX)
		return false;
	shrinking->n_runs++;
	return case_run(shrinking->proof, shrinking->box_case, NULL) == CASE_DIFFERS;
}

/* --- taking out ------------------------------------------------------------------------------- */

static bool shrink_array(struct shrinking *shrinking, json_t *array, size_t keep)
{
	bool smaller = false;

	for (size_t i = json_array_size(array) - keep; i-- > 0;) {
		json_t *item = json_incref(json_array_get(array, i));

		json_array_remove(array, i);
		if (still_differs(shrinking))
			smaller = true;
		else
			json_array_insert(array, i, item);
		json_decref(item);
	}
	return smaller;
}

static bool try_without(struct shrinking *shrinking, json_t *object, const char *key)
{
	json_t *value = json_incref(json_object_get(object, key));
	bool gone;

	json_object_del(object, key);
	gone = still_differs(shrinking);
	if (!gone)
		json_object_set(object, key, value);
	json_decref(value);
	return gone;
}

static bool shrink_object(struct shrinking *shrinking, json_t *object)
{
	AUTO(mem) char **keys = NULL;
	size_t n = 0;
	bool smaller = false;
	const char *key;
	json_t *value;

	keys = calloc(json_object_size(object) + 1, sizeof(*keys));
	json_object_foreach(object, key, value) keys[n++] = strdup(key);
	while (n-- > 0) {
		smaller |= try_without(shrinking, object, keys[n]);
		free(keys[n]);
	}
	return smaller;
}

/* The parts of a value, then the parts of those. */
static bool shrink_value(struct shrinking *shrinking, json_t *value)
{
	bool smaller = false;
	const char *key;
	json_t *inner;
	size_t i;

	if (json_is_array(value)) {
		smaller |= shrink_array(shrinking, value, 0);
		json_array_foreach(value, i, inner)
			smaller |= shrink_value(shrinking, inner);
	} else if (json_is_object(value)) {
		smaller |= shrink_object(shrinking, value);
		json_object_foreach(value, key, inner) smaller |= shrink_value(shrinking, inner);
	}
	return smaller;
}

static bool shrink_services(struct shrinking *shrinking, json_t *services)
{
	bool smaller = shrink_array(shrinking, services, 0);
	json_t *service;
	size_t i;

	json_array_foreach(services, i, service) {
		json_t *state = json_incref(json_object_get(service, "state"));

		if (strcmp(json_string_value(state), "good") != 0) {
			json_object_set_new(service, "state", json_string("good"));
			if (!still_differs(shrinking))
				json_object_set(service, "state", state);
		}
		json_decref(state);
		smaller |= shrink_value(shrinking, json_object_get(service, "policy"));
	}
	return smaller;
}

/* Mostly the last shot does without those before it: connection tracking is all that remembers. */
static void forget_others(struct shrinking *shrinking)
{
	json_t *shots = json_incref(json_object_get(shrinking->box_case, "shots"));
	json_t *last = json_array_get(shots, json_array_size(shots) - 1);

	json_object_set_new(shrinking->box_case, "shots", json_pack("[O]", last));
	if (!still_differs(shrinking))
		json_object_set(shrinking->box_case, "shots", shots);
	json_decref(shots);
}

/* Only what the packet can do without: another packet could differ for another reason. */
static bool shrink_shot(struct shrinking *shrinking)
{
	static const char *const keys[] = { "recverr", "is_mapped", "is_connected", "ip_options",
					    "via",     "from",	    "device",	    "mptcp",
					    "damage",  "sport" };
	json_t *shots = json_object_get(shrinking->box_case, "shots");
	json_t *shot = json_array_get(shots, json_array_size(shots) - 1);
	bool smaller = false;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(shot, keys[i]))
			smaller |= try_without(shrinking, shot, keys[i]);
	return smaller;
}

unsigned case_shrink(struct proof *proof, json_t *box_case)
{
	struct shrinking shrinking = { .proof = proof, .box_case = box_case };
	bool smaller = true;
	json_t *shots;

	forget_others(&shrinking);
	shots = json_object_get(box_case, "shots");
	for (unsigned pass = 0; smaller && pass < PASSES_MAX; pass++) {
		smaller = shrink_array(&shrinking, shots, 1);
		smaller |= shrink_services(&shrinking, json_object_get(box_case, "services"));
		smaller |= shrink_value(&shrinking, json_object_get(box_case, "config"));
		smaller |= shrink_array(&shrinking, json_object_get(box_case, "subuids"), 0);
		smaller |= shrink_shot(&shrinking);
	}
	return shrinking.n_runs;
}
