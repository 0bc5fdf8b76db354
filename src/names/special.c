/* SPDX-License-Identifier: GPL-2.0-or-later */
/* special.c - addresses with a special purpose. */
#include "names/special.h"
