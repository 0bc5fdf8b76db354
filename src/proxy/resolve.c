/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resolve.c - names → addresses. */
#include "proxy/resolve.h"
