/* SPDX-License-Identifier: GPL-2.0-or-later */
/* errnos.h - what programs see of a refusal, call by call, held to packet_errno(). */
#ifndef UIDWALL_TESTS_PROOF_ERRNOS_H
#define UIDWALL_TESTS_PROOF_ERRNOS_H

#include "base/util.h"

/* Calls result() once for each case. */
void errnos_prove(void (*result)(bool good, const char *name));

#endif
