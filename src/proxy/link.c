/* SPDX-License-Identifier: GPL-2.0-or-later */
/* link.c - the calls to the daemon. */
#include "proxy/link.h"
