/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/output.h"
const char help_diff[] = "";
enum cli_status verb_diff(struct cli *cli) { return fail(cli, "not written yet"); }
