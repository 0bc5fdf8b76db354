/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proxy.c - the proxy. */
#include "proxy/proxy.h"
