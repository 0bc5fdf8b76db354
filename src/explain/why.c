/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain/why.h"
#include <errno.h>
int why_answer(const struct why_world *world, const struct why_question *question,
	       struct arena *arena, struct writer *w, const char **ret_error)
{ *ret_error = "not written yet"; return -EINVAL; }
