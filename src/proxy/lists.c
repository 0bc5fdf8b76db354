/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lists.c - the daemon's lists. */
#include "proxy/lists.h"
