/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main_gen_schema.c - at build time: the key tables → policy.schema.json, config.schema.json and
 * the key references of the manual pages.
 */
#include <string.h>

#include "policy/parse.h"
#include "policy/schema.h"

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (strcmp(what, "policy") == 0)
		schema_write(&policy_keys, "uidwall policy", stdout);
	else if (strcmp(what, "config") == 0)
		schema_write(&config_keys, "uidwall configuration", stdout);
	else if (strcmp(what, "policy-manual") == 0)
		schema_write_manual(&policy_keys, stdout);
	else if (strcmp(what, "config-manual") == 0)
		schema_write_manual(&config_keys, stdout);
	else
		return fputs("usage: gen-schema policy|config|policy-manual|config-manual\n",
			     stderr),
		       2;
	return fflush(stdout) == 0 ? 0 : 1;
}
