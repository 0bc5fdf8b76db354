/* SPDX-License-Identifier: GPL-2.0-or-later */
/* host_list.c - the hosts of one service, looked up by name. */
#include "names/host_list.h"
