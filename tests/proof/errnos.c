/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "errnos.h"
void errnos_prove(void (*result)(bool good, const char *name))
{
	(void)result;
}
