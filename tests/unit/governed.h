/* SPDX-License-Identifier: GPL-2.0-or-later */
/* governed.h - which services a scene has, in which state, and whose a uid is. */
#ifndef UIDWALL_TESTS_GOVERNED_H
#define UIDWALL_TESTS_GOVERNED_H

#include "lib/scene.h"

/* a, of user 5001; b, of 5002 and 5003, which may connect to a; c, of 6000 to 6999. Not read yet.
 */
struct scene *three_services(void);

/* These fail the test. */
void assert_service(struct scene *scene, const char *name, enum policy_state state);
void assert_owner(struct scene *scene, uint32_t uid, const char *service); /* NULL: nobody's */

bool says(const struct scene *scene, const char *words); /* whether a message does */

#endif
