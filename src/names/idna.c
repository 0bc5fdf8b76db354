/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idna.c - international host names → A-labels. */
#include "names/idna.h"
