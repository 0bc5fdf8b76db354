/* SPDX-License-Identifier: GPL-2.0-or-later */
/* idna.c - international host names → A-labels.
 *
 * The mapping turns full-width digits and ideographic full stops into those of ASCII, so what is an
 * address is told after it: "１２７。0.0.1" is 127.0.0.1 to every browser.
 */
#include "names/idna.h"

#include <errno.h>
#include <idn2.h>
#include <string.h>

enum { UTF8_MAX = 4 * HOST_NAME_MAX_LENGTH };

DEFINE_CLEANUP(idna_text, char *, idn2_free)

/* Words for what people get wrong; the library's own are for programmers. */
static const char *reason_of(int error)
{
	switch (error) {
	case IDN2_ENCODING_ERROR:
	case IDN2_ICONV_FAIL:
		return "is not in UTF-8";
	case IDN2_TOO_BIG_DOMAIN:
		return "is longer than 253 characters";
	case IDN2_TOO_BIG_LABEL:
		return "has a part of more than 63 characters";
	case IDN2_BIDI:
		return "mixes directions of writing";
	default:
		return "has a character that no host name has";
	}
}

int idna_parse(const char *text, size_t n, struct host *ret_host, const char **ret_why)
{
	AUTO(idna_text) char *mapped = NULL;
	char copy[UTF8_MAX + 1];
	int r = host_parse(text, n, ret_host, ret_why);

	if (r != -EILSEQ)
		return r;
	*ret_why = "is longer than 253 characters";
	if (n > UTF8_MAX)
		return -EINVAL;
	memcpy(copy, text, n);
	copy[n] = '\0';
	*ret_why = "has a character that no host name has";
	if (memchr(copy, '\0', n))
		return -EINVAL;
	r = idn2_to_ascii_8z(copy, &mapped, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (r != IDN2_OK) {
		*ret_why = reason_of(r);
		return -EINVAL;
	}
	if (!*mapped) {
		*ret_why = "has only characters that do not count";
		return -EINVAL;
	}
	if (strpbrk(mapped, ":[]")) /* no address in brackets of other scripts */
		return -EINVAL;
	r = host_parse(mapped, strlen(mapped), ret_host, ret_why);
	return r == -EILSEQ ? -EINVAL : r;
}
