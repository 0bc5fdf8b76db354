/* SPDX-License-Identifier: GPL-2.0-or-later */
/* opening.c - first bytes → protocol. */
#include "proxy/opening.h"
