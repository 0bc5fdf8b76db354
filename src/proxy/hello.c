/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hello.c - ClientHello → server name. */
#include "proxy/hello.h"
