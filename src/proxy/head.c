/* SPDX-License-Identifier: GPL-2.0-or-later */
/* head.c - HTTP/1 heads, read strictly and written anew. */
#include "proxy/head.h"
