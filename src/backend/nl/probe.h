/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.h - asks what this kernel can, by batches that it takes back. */
#ifndef UIDWALL_BACKEND_NL_PROBE_H
#define UIDWALL_BACKEND_NL_PROBE_H

#include "backend/nl/apply.h"
#include "backend/nl/socket.h"
#include "backend/nl/stmt.h"

/* 0, or -errno with diags where not even a plain table can be made. */
int nl_probe(struct nl_sock *sock, struct nl_exprs *exprs, struct nl_features *ret_features,
	     struct diags *diags);

#endif
