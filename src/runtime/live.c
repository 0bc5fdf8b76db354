/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "runtime/live.h"
#include <errno.h>
int live_open(struct live **ret_live, struct diags *diags) { return -ENOSYS; }
void live_close(struct live *live) { }
bool live_can_destroy(const struct live *live) { return false; }
int live_judge(struct live *live, const struct policy_set *set, const struct ir_ruleset *rules,
	       struct arena *arena, struct live_judgement *ret_judgement, struct diags *diags)
{ return -ENOSYS; }
size_t live_destroy(struct live *live, const struct live_judgement *judgement, struct diags *diags) { return 0; }
void live_write(const struct live *live, const struct live_judgement *judgement, struct writer *w) { }
