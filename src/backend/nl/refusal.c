/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refusal.c - what the kernel did not like → messages that name the policy lines.
 *
 * An EPERM comes from one of two places: to the batch as a whole from netlink (no CAP_NET_ADMIN),
 * to a single message from nf_tables (the table has another owner).
 */
#include "backend/nl/refusal.h"

#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "backend/text.h"

static const struct place nowhere;

/* Which of the message's elements the kernel meant; the first one where it does not say. */
static uint32_t refused_element(const struct nl_refusal *refusal, const struct ir_ruleset *ruleset)
{
	uint32_t index = refusal->item.index, seen = 0;
	const struct nlattr *list, *element, *part;

	if (!refusal->attr_offset)
		return index;
	mnl_attr_for_each(list, refusal->message, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(list) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(element, list)
		{
			bool is_end = false;

			mnl_attr_for_each_nested(part, element) is_end |=
				mnl_attr_get_type(part) == NFTA_SET_ELEM_FLAGS;
			seen += !is_end;
			if ((uint32_t)((const char *)mnl_attr_next(element) -
				       (const char *)refusal->message) > refusal->attr_offset) {
				index += seen ? seen - 1 : 0;
				return index < ruleset->n_elements ? index : refusal->item.index;
			}
		}
	}
	return index;
}

static void format_rule(const struct ir_ruleset *ruleset, const struct ir_rule *rule,
			char *ret_text, size_t size)
{
	FILE *out = fmemopen(ret_text, size, "w");

	ret_text[0] = '\0';
	if (!out)
		return;
	text_write_rule(ruleset, rule, out);
	fclose(out);
	ret_text[size - 1] = '\0';
}

/* "No such file or directory", or with the kernel's explanation behind it. */
static const char *reason(const struct nl_refusal *refusal, char *buffer, size_t size)
{
	if (!refusal->text[0])
		return strerror(-refusal->error);
	snprintf(buffer, size, "%s (%s)", strerror(-refusal->error), refusal->text);
	return buffer;
}

static void report_item(const struct nl_refusal *refusal, const struct ir_ruleset *ruleset,
			struct diags *diags)
{
	char buffer[256], text[512];
	const char *why = reason(refusal, buffer, sizeof(buffer));
	uint32_t index = refusal->item.index;

	switch ((enum nl_subject)refusal->item.subject) {
	case NL_TABLE:
		diag_add(diags, DIAG_ERROR, nowhere, "the kernel refused the table inet %s: %s",
			 IR_TABLE_NAME, why);
		return;
	case NL_COUNTER:
		diag_add(diags, DIAG_ERROR, nowhere, "the kernel refused the counter %s: %s",
			 ruleset->counters[index].name, why);
		return;
	case NL_CHAIN:
		diag_add(diags, DIAG_ERROR, nowhere, "the kernel refused the chain %s: %s",
			 ruleset->chains[index].name, why);
		return;
	case NL_SET:
		diag_add(diags, DIAG_ERROR, nowhere, "the kernel refused the set %s: %s",
			 ruleset->sets[index].name, why);
		return;
	case NL_ELEMENTS:
		index = refused_element(refusal, ruleset);
		ir_format_origin(&ruleset->elements[index].origin, text);
		diag_add(diags, DIAG_ERROR, ruleset->elements[index].origin.place,
			 "the kernel refused a set's element (%s): %s", text, why);
		return;
	case NL_RULE:
		format_rule(ruleset, &ruleset->rules[index], text, sizeof(text));
		diag_add(diags, DIAG_ERROR, ruleset->rules[index].origin.place,
			 "the kernel refused this rule (%s): %s", text, why);
		return;
	}
	abort();
}

static void report_whole(int error, struct diags *diags)
{
	switch (error) {
	case -EPERM:
		diag_add(diags, DIAG_ERROR, nowhere,
			 "changing firewall rules needs the capability CAP_NET_ADMIN");
		return;
	case -EOPNOTSUPP:
	case -EPROTONOSUPPORT:
		diag_add(diags, DIAG_ERROR, nowhere,
			 "this kernel has no nf_tables (CONFIG_NF_TABLES, CONFIG_NF_TABLES_INET)");
		return;
	case -ERESTART:
		diag_add(diags, DIAG_ERROR, nowhere,
			 "other programs changed firewall rules faster than ours could be loaded");
		return;
	default:
		diag_add(diags, DIAG_ERROR, nowhere, "talking to the kernel's firewall: %s",
			 strerror(-error));
		return;
	}
}

static void report_held(uint32_t holder, struct diags *diags)
{
	char port[32] = "";

	if (holder)
		snprintf(port, sizeof(port), " (netlink port %u)", holder);
	diag_add(diags, DIAG_ERROR, nowhere,
		 "the table inet %s is owned by another running process%s, which alone may change "
		 "it: "
		 "is another uidwalld running?",
		 IR_TABLE_NAME, port);
}

int nl_report(const struct nl_outcome *outcome, int error, const struct ir_ruleset *current,
	      const struct ir_ruleset *next, struct diags *diags)
{
	unsigned n = outcome->n_refusals < NL_REFUSALS_MAX ? outcome->n_refusals : NL_REFUSALS_MAX;

	if (!n && outcome->holder)
		report_held(outcome->holder, diags);
	else if (!n)
		report_whole(error, diags);
	for (unsigned i = 0; i < n; i++) {
		const struct nl_refusal *refusal = &outcome->refusals[i];

		if (!refusal->has_item) {
			report_whole(refusal->error, diags);
		} else if (refusal->error == -EPERM) {
			report_held(outcome->holder, diags);
			return error; /* it goes for all the others */
		} else {
			report_item(refusal, refusal->item.of_current ? current : next, diags);
		}
	}
	if (outcome->n_refusals > n)
		diag_add(diags, DIAG_NOTE, nowhere, "and %u more", outcome->n_refusals - n);
	return error;
}
