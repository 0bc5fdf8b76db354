/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record.c - decisions, written down. */
#include "proxy/record.h"
