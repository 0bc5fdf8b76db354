/* SPDX-License-Identifier: GPL-2.0-or-later */
/* governed.c - which services a scene has, in which state, and whose a uid is. */
#include "governed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

void assert_service(struct scene *scene, const char *name, enum policy_state state)
{
	const struct service *service = policy_set_find(&scene->set, name);

	if (!service)
		fail_msg("no service %s", name);
	assert_string_equal(policy_state_name(service->state), policy_state_name(state));
	if (state != POLICY_GOOD)
		assert_non_null(service->problem);
}

void assert_owner(struct scene *scene, uint32_t uid, const char *service)
{
	const struct service *owner = policy_set_find_uid(&scene->set, uid);

	if (!service && owner)
		fail_msg("uid %u is governed by %s", uid, owner->policy->service);
	if (service && !owner)
		fail_msg("uid %u is governed by nobody", uid);
	if (service)
		assert_string_equal(owner->policy->service, service);
}

bool says(const struct scene *scene, const char *words)
{
	for (size_t i = 0; i < scene->diags.n; i++)
		if (strstr(scene->diags.list[i].message, words))
			return true;
	return false;
}

struct scene *three_services(void)
{
	struct scene *scene = scene_new();

	scene_write(scene, "a.json",
		    "{ \"user\": 5001,\n  \"connect\": [{ \"to\": \"192.0.2.1\", \"port\": 1 }],\n"
		    "  \"listen\": [{ \"port\": 3000, \"from\": [5002] }] }");
	scene_write(scene, "b.json",
		    "{ \"users\": [5002, 5003], \"connect\": [{ \"to\": \"localhost\", \"port\": "
		    "3000 }] }");
	scene_write(scene, "c.json", "{ \"uids\": \"6000-6999\" }");
	return scene;
}
