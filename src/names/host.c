/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host.c - text where a host is expected → a name or an address, normalised. */
#include "names/host.h"
