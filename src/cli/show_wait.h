/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show_wait.h - uidwall show --wait: return when the unit that calls is governed. */
#ifndef UIDWALL_CLI_SHOW_WAIT_H
#define UIDWALL_CLI_SHOW_WAIT_H

#include "cli/cli.h"

enum cli_status show_wait(struct cli *cli);

#endif
