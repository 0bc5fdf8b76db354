/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/output.h"
const char help_why[] = "";
enum cli_status verb_why(struct cli *cli) { return fail(cli, "not written yet"); }
