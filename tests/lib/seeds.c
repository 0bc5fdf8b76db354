/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seeds.c - which seed a random test tries, and which one it was. */
#include "lib/seeds.h"

#include <stdio.h>
#include <stdlib.h>

unsigned seed_tried;

unsigned long env_number(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

int seed_report(void **state)
{
	(void)state;
	if (seed_tried)
		printf("# failed with UIDWALL_SEED=%u\n", seed_tried);
	return 0;
}
