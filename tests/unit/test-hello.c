/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-hello.c - what clients open with, and the names in their ClientHellos: real ones, cut and
 * split in every way, and made-up ones with one thing wrong each.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/parse/hello.h"
#include "proxy/parse/opening.h"

/* Recorded from what Debian 12 has. */
static const struct real {
	const char *who, *name, *hex;
} reals[] = {
	{ "OpenSSL 3.0", "api.example.org",
	  "160301013c010001380303cf9a6ffc14607cebe75f3189a22e6b06924d2aba6eb72dd0f82daddac3"
	  "bf93e320760c647d73098b453bd57b17f9d9d02551a10f55d4028f942ef679dd237d8477003e1302"
	  "13031301c02cc030009fcca9cca8ccaac02bc02f009ec024c028006bc023c0270067c00ac0140039"
	  "c009c0130033009d009c003d003c0035002f00ff010000b100000014001200000f6170692e657861"
	  "6d706c652e6f7267000b000403000102000a00160014001d0017001e001900180100010101020103"
	  "0104002300000016000000170000000d002a0028040305030603080708080809080a080b08040805"
	  "0806040105010601030303010302040205020602002b0009080304030303020301002d0002010100"
	  "3300260024001d0020565f21d861c42f2eb38885be6d57db4a9893e50b617f60b4809e0ad431575e"
	  "0c" },
	{ "OpenSSL 3.0, TLS 1.2", "API.Example.org",
	  "16030100cf010000cb030326152856f91a6eff282fa9362ecfa0b33db7b6c87414e85f9329f51ba0"
	  "1fab98000038c02cc030009fcca9cca8ccaac02bc02f009ec024c028006bc023c0270067c00ac014"
	  "0039c009c0130033009d009c003d003c0035002f00ff0100006a00000014001200000f4150492e45"
	  "78616d706c652e6f7267000b000403000102000a000c000a001d0017001e00190018002300000016"
	  "000000170000000d002a0028040305030603080708080809080a080b080408050806040105010601"
	  "030303010302040205020602" },
	{ "OpenSSL 3.0, no name", "",
	  "16030101240100012003036937e032518443b31d814a47b9e83a2c76292d76b92c8656d5c08c68e5"
	  "c7d52f20bd07a4b2acbcad7726f914bfd15c1e8ed811dd9669503e5ad801bb2506577fd8003e1302"
	  "13031301c02cc030009fcca9cca8ccaac02bc02f009ec024c028006bc023c0270067c00ac0140039"
	  "c009c0130033009d009c003d003c0035002f00ff01000099000b000403000102000a00160014001d"
	  "0017001e0019001801000101010201030104002300000016000000170000000d002a002804030503"
	  "0603080708080809080a080b080408050806040105010601030303010302040205020602002b0009"
	  "080304030303020301002d00020101003300260024001d0020d05bbc684d69706846e0fdcd204039"
	  "8d195d875c21df4860881deb0c20caf653" },
	{ "wget 1.21, GnuTLS", "localhost",
	  "1603010200010001fc03036567976beb226058275269ba3135d6bc020b5f2e96b70e37f1acabb86c"
	  "1add6d205c7b29c406dffc98742fdb96c6938ebcbbbe32cf45f5cf3afa95a1be0f648de0003a1302"
	  "130313011304c02ccca9c0adc00ac02bc0acc009c030cca8c014c02fc013009dc09d0035009cc09c"
	  "002f009fccaac09f0039009ec09e003301000179000500050100000000000a001600140017001800"
	  "19001d001e01000101010201030104000b00020100000d0022002004010809080404030807050108"
	  "0a0805050308080601080b0806060302010203002300000033006b00690017004104a029f4e6a4c5"
	  "962628a2de2b8f92c7e83bc435aab6855406f98ab2bb239d3dd5e9be81ebee67d77a2698a3aca6b7"
	  "ca5175961c9ca8f5faf5bb858b6df2986ffa001d00207f10584dd1e53b2ca8b06051a9b657513a61"
	  "900e7b748f7442e52a83853e540b002b000908030403030302030100310000ff010001000000000e"
	  "000c0000096c6f63616c686f7374002d0003020100001c000240010015007e000000000000000000"
	  "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
	  "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
	  "00000000000000000000000000000000000000000000000000000000000000000000000000" },
	{ "Node.js", "registry.npmjs.org",
	  "16030101730100016f0303914d35e1c4e1cc071ffc2f5308214bcdce37a0a1f31d657c6c193f9b64"
	  "7967bf20db31b19f9300d908844a538c8a37fcfc3be1cfeeb96c9e7b536daf021a25cb2700761302"
	  "13031301c02fc02bc030c02c009ec0270067c028006b00a3009fcca9cca8ccaac0afc0adc0a3c09f"
	  "c05dc061c057c05300a2c0aec0acc0a2c09ec05cc060c056c052c024006ac0230040c00ac0140039"
	  "0038c009c01300330032009dc0a1c09dc051009cc0a0c09cc050003d003c0035002f00ff010000b0"
	  "00000017001500001272656769737472792e6e706d6a732e6f7267000b000403000102000a001600"
	  "14001d0017001e0019001801000101010201030104002300000016000000170000000d002a002804"
	  "0305030603080708080809080a080b08040805080604010501060103030301030204020502060200"
	  "2b00050403040303002d00020101003300260024001d00209e2887bf5e9dc3e015bf0a17d7e41465"
	  "7999009542ffcc23a269f3318b501318" },
};

struct bytes {
	uint8_t at[3 * HELLO_MAX];
	size_t n;
};

static void add(struct bytes *bytes, const void *more, size_t n)
{
	assert_true(bytes->n + n <= sizeof(bytes->at));
	memcpy(bytes->at + bytes->n, more, n);
	bytes->n += n;
}

static void add_hex(struct bytes *bytes, const char *hex)
{
	for (; *hex; hex += 2) {
		char digits[3] = { hex[0], hex[1], '\0' };
		uint8_t byte = (uint8_t)strtoul(digits, NULL, 16);

		add(bytes, &byte, 1);
	}
}

static void add_number(struct bytes *bytes, size_t number, unsigned n_bytes)
{
	while (n_bytes-- > 0) {
		uint8_t byte = (uint8_t)(number >> 8 * n_bytes);

		add(bytes, &byte, 1);
	}
}

static void add_record(struct bytes *bytes, const uint8_t *contents, size_t n)
{
	add_hex(bytes, "160301");
	add_number(bytes, n, 2);
	add(bytes, contents, n);
}

static void real_bytes(const struct real *real, struct bytes *ret_bytes)
{
	ret_bytes->n = 0;
	add_hex(ret_bytes, real->hex);
}

/* In memory of its own, so that the address sanitizer sees a read past its end. */
static int read_copy(const uint8_t *bytes, size_t n, struct hello *ret_hello, const char **ret_why)
{
	AUTO(mem) uint8_t *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	return hello_read(copy, n, ret_hello, ret_why);
}

static void expect_name(const struct bytes *bytes, const char *name, const char *what)
{
	struct hello hello;
	const char *why = "more is needed";

	if (read_copy(bytes->at, bytes->n, &hello, &why) != 1)
		fail_msg("%s: %s", what, why);
	assert_string_equal(hello.name, name);
	assert_false(hello.has_ech);
}

static void real_hellos(void **state)
{
	struct bytes bytes;

	for (size_t i = 0; i < ARRAY_SIZE(reals); i++) {
		struct hello hello;
		const char *why;

		real_bytes(&reals[i], &bytes);
		expect_name(&bytes, reals[i].name, reals[i].who);
		for (size_t n = 0; n < bytes.n; n++)
			if (read_copy(bytes.at, n, &hello, &why) != 0)
				fail_msg("%s: %zu of %zu bytes are enough", reals[i].who, n,
					 bytes.n);
		/* what comes behind it does not matter */
		add_hex(&bytes, "1703030005ffffffffff");
		expect_name(&bytes, reals[i].name, reals[i].who);
	}
}

/* Two records, cut at each byte, and then the first of these once more in the middle. */
static void split_hellos(void **state)
{
	struct bytes whole, split;

	for (size_t i = 0; i < ARRAY_SIZE(reals); i++) {
		const uint8_t *contents = whole.at + 5;
		size_t n;

		real_bytes(&reals[i], &whole);
		n = whole.n - 5;
		for (size_t cut = 1; cut < n; cut++) {
			split.n = 0;
			add_record(&split, contents, cut);
			add_record(&split, contents + cut, n - cut);
			expect_name(&split, reals[i].name, reals[i].who);

			split.n = 0;
			if (cut > 1)
				add_record(&split, contents, cut / 2);
			add_record(&split, contents + cut / 2, cut - cut / 2);
			add_record(&split, contents + cut, n - cut);
			expect_name(&split, reals[i].name, reals[i].who);
		}
		split.n = 0;
		for (size_t at = 0; at < n; at++)
			add_record(&split, contents + at, 1);
		expect_name(&split, reals[i].name, reals[i].who);
	}
}

#define SESSION "20" ZEROS32
#define ZEROS32 "0000000000000000000000000000000000000000000000000000000000000000"
#define CIPHERS "00041301c02f"
#define START "0303" ZEROS32 SESSION CIPHERS "0100"
#define NAME_A "00000006000400000161" /* "a" */
#define GREASE "0a0a00005a5a000100"

struct made {
	const char *what;
	const char *body, *extensions; /* extensions NULL: without their length as well */
	const char *name;	       /* NULL: broken */
	const char *why;	       /* a part of it */
};

static const struct made mades[] = {
	{ "a name", START, NAME_A, "a", NULL },
	{ "no extensions", START, NULL, "", NULL },
	{ "an empty list of them", START, "", "", NULL },
	{ "GREASE around it", "0303" ZEROS32 SESSION "00080a0a1301c02f5a5a0100",
	  GREASE NAME_A "fafa0000", "a", NULL },
	{ "no session", "0303" ZEROS32 "00" CIPHERS "0100", NAME_A, "a", NULL },
	{ "TLS 1.0", "0301" ZEROS32 SESSION CIPHERS "0100", NAME_A, "a", NULL },
	{ "compression", "0303" ZEROS32 SESSION CIPHERS "020100", NAME_A, "a", NULL },
	{ "an underscore and digits", START, "0000000b00090000065f61622d2e31", "_ab-.1", NULL },
	{ "an IPv6 address", START,
	  "000000080006000003"
	  "3a3a31",
	  "::1", NULL },
	{ "SSL 3", "0300" ZEROS32 SESSION CIPHERS "0100", NAME_A, NULL, "SSL 3" },
	{ "version 2.3", "0203" ZEROS32 SESSION CIPHERS "0100", NAME_A, NULL, "version" },
	{ "nothing", "", NULL, NULL, "cut off" },
	{ "half a random", "030300000000", NULL, NULL, "cut off" },
	{ "a session of 33 bytes", "0303" ZEROS32 "21" ZEROS32 "00" CIPHERS "0100", NULL, NULL,
	  "lengths" },
	{ "a session longer than all", "0303" ZEROS32 "ff", NULL, NULL, "cut off" },
	{ "no ciphers",
	  "0303" ZEROS32 SESSION "0000"
	  "0100",
	  NAME_A, NULL, "lengths" },
	{ "half a cipher",
	  "0303" ZEROS32 SESSION "0003130113"
	  "0100",
	  NAME_A, NULL, "lengths" },
	{ "no compression", "0303" ZEROS32 SESSION CIPHERS "00", NAME_A, NULL, "lengths" },
	{ "one byte after compression", START "00", NULL, NULL, "wrong length" },
	{ "extensions shorter than said",
	  START "0008"
		"0a0a0000",
	  NULL, NULL, "wrong length" },
	{ "extensions longer than said",
	  START "0004"
		"0a0a0000"
		"00",
	  NULL, NULL, "wrong length" },
	{ "an extension longer than all", START, "0a0a0001", NULL, "extension that is cut off" },
	{ "half an extension's header", START, "0a0a00", NULL, "extension that is cut off" },
	{ "a name behind a cut extension", START, "0a0affff" NAME_A, NULL, "cut off" },
	{ "two names", START,
	  "0000000a000800000161"
	  "00000162",
	  NULL, "more than one" },
	{ "two extensions with names", START, NAME_A NAME_A, NULL, "twice" },
	{ "another type of name", START, "00000006000401000161", NULL, "something else" },
	{ "an empty name", START, "000000050003000000", NULL, "empty" },
	{ "an empty list of names", START, "000000020000", NULL, "empty" },
	{ "an empty extension", START, "00000000", NULL, "empty" },
	{ "a list shorter than the extension", START, "0000000700040000016162", NULL, "cut off" },
	{ "a list longer than the extension", START, "00000006000500000161", NULL, "cut off" },
	{ "a name longer than the list", START, "00000006000400000261", NULL, "cut off" },
	{ "a NUL", START,
	  "0000000800060000036100"
	  "62",
	  NULL, "characters" },
	{ "a slash", START, "0000000600040000012f", NULL, "characters" },
	{ "a space", START, "00000006000400000120", NULL, "characters" },
	{ "a line's end", START, "0000000600040000010a", NULL, "characters" },
	{ "UTF-8", START, "000000070005000002c3a9", NULL, "characters" },
	{ "DEL", START, "0000000600040000017f", NULL, "characters" },
	{ "a quote", START, "00000006000400000122", NULL, "characters" },
};

static void make(const struct made *made, struct bytes *ret_bytes)
{
	static struct bytes body, message;

	body.n = message.n = ret_bytes->n = 0;
	add_hex(&body, made->body);
	if (made->extensions) {
		add_number(&body, strlen(made->extensions) / 2, 2);
		add_hex(&body, made->extensions);
	}
	add_number(&message, 1, 1);
	add_number(&message, body.n, 3);
	add(&message, body.at, body.n);
	add_record(ret_bytes, message.at, message.n);
}

static void made_hellos(void **state)
{
	static struct bytes bytes;

	for (size_t i = 0; i < ARRAY_SIZE(mades); i++) {
		const struct made *made = &mades[i];
		struct hello hello;
		const char *why;

		make(made, &bytes);
		for (size_t n = 0; n < bytes.n; n++)
			assert_int_equal(read_copy(bytes.at, n, &hello, &why), 0);
		if (made->name) {
			expect_name(&bytes, made->name, made->what);
			continue;
		}
		if (read_copy(bytes.at, bytes.n, &hello, &why) != -EINVAL)
			fail_msg("%s is taken", made->what);
		if (!strstr(why, made->why))
			fail_msg("%s: \"%s\"", made->what, why);
	}
}

static void name_lengths(void **state)
{
	static struct bytes bytes;

	for (size_t n = 254; n <= 257; n++) {
		char extension[2 * (9 + 257) + 1];
		int at = snprintf(extension, sizeof(extension), "0000%04zx%04zx00%04zx", n + 5,
				  n + 3, n);
		struct hello hello;
		const char *why;

		for (size_t i = 0; i < n; i++)
			at += snprintf(extension + at, sizeof(extension) - (size_t)at, "61");
		make(&(struct made){ "", START, extension, NULL, NULL }, &bytes);
		assert_int_equal(read_copy(bytes.at, bytes.n, &hello, &why), n < 256 ? 1 : -EINVAL);
		if (n < 256)
			assert_int_equal(strlen(hello.name), n);
	}
}

static void encrypted_hello(void **state)
{
	static struct bytes bytes;
	struct hello hello;
	const char *why;

	make(&(struct made){ "", START, NAME_A "fe0d000100", NULL, NULL }, &bytes);
	assert_int_equal(read_copy(bytes.at, bytes.n, &hello, &why), 1);
	assert_true(hello.has_ech);
	assert_string_equal(hello.name, "a");
}

/* A hello with so much padding, in records of so many bytes. */
static void make_large(size_t padding, size_t record, struct bytes *ret_bytes)
{
	static const uint8_t zeros[HELLO_MAX];
	static struct bytes message;
	size_t extensions = 4 + padding + 10;

	message.n = ret_bytes->n = 0;
	add_number(&message, 1, 1);
	add_number(&message, strlen(START) / 2 + 2 + extensions, 3);
	add_hex(&message, START);
	add_number(&message, extensions, 2);
	add_number(&message, 0x33, 2);
	add_number(&message, padding, 2);
	add(&message, zeros, padding);
	add_hex(&message, NAME_A);
	for (size_t at = 0, n; at < message.n; at += n) {
		n = message.n - at < record ? message.n - at : record;
		add_record(ret_bytes, message.at + at, n);
	}
}

/* Key shares of ML-KEM take 1.2 KiB each; nobody needs more than 16 KiB. */
static void large_hellos(void **state)
{
	static const struct {
		size_t padding, record;
		bool is_taken;
	} cases[] = {
		{ 1800, 4000, true },	{ 12000, 16384, true },	 { 16200, 16384, true },
		{ 16791, 16384, true }, { 16792, 16384, false }, { 16800, 16384, false },
		{ 16650, 8000, true },	{ 16650, 100, false },	 { 8000, 5, true },
		{ 9000, 5, false },
	};
	static struct bytes bytes;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hello hello;
		const char *why = "";
		int r;

		make_large(cases[i].padding, cases[i].record, &bytes);
		r = read_copy(bytes.at, bytes.n, &hello, &why);
		if (r != (cases[i].is_taken ? 1 : -EINVAL) || (r < 0 && !strstr(why, "too long")))
			fail_msg("%zu in records of %zu: %d %s", cases[i].padding, cases[i].record,
				 r, why);
	}
}

static void no_hellos(void **state)
{
	static const struct {
		const char *hex;
		int r;
		const char *why;
	} cases[] = {
		{ "", 0, NULL },
		{ "16", 0, NULL },
		{ "1603", 0, NULL },
		{ "160304", 0, NULL },
		{ "16030100", 0, NULL },
		{ "1603014000", 0, NULL },
		{ "160305", -EINVAL, "version" },
		{ "1604", -EINVAL, "version" },
		{ "1600", -EINVAL, "version" },
		{ "1603010000", -EINVAL, "empty" },
		{ "1603014001", -EINVAL, "too long" },
		{ "16030141", -EINVAL, "too long" },
		{ "160301000102", -EINVAL, "another message" },
		{ "160301000100", -EINVAL, "another message" },
		{ "16030100040100ffff", -EINVAL, "too long" },
		{ "1603010001011603010000", -EINVAL, "empty" },
		{ "160301000101150301000202", -EINVAL, "another kind" },
		{ "16030100010114", -EINVAL, "another kind" },
		{ "15", -EINVAL, "alert" },
		{ "15030100020228", -EINVAL, "alert" },
		{ "17", -EINVAL, "no ClientHello" },
		{ "00", -EINVAL, "no ClientHello" },
		{ "474554", -EINVAL, "no ClientHello" },
		{ "80", 0, NULL },
		{ "802e", 0, NULL },
		{ "802e01", -EINVAL, "SSL 2" },
		{ "802e010002", -EINVAL, "SSL 2" },
		{ "802e02", -EINVAL, "no ClientHello" },
	};
	struct bytes bytes;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hello hello;
		const char *why;
		int r;

		bytes.n = 0;
		add_hex(&bytes, cases[i].hex);
		r = read_copy(bytes.at, bytes.n, &hello, &why);
		if (r != cases[i].r || (r < 0 && !strstr(why, cases[i].why)))
			fail_msg("%s: %d %s", cases[i].hex, r, r < 0 ? why : "");
	}
}

/* text: with its first `more` bytes it cannot be told, with the next one it is. */
static void openings(void **state)
{
	static const struct {
		const char *text;
		size_t n; /* 0: strlen(text) */
		size_t more;
		enum opening opening;
	} cases[] = {
		{ "GET / HTTP/1.1\r\n", 0, 3, OPENING_HTTP },
		{ "POST http://a/ HTTP/1.1\r\n", 0, 4, OPENING_HTTP },
		{ "CONNECT a:443 HTTP/1.1\r\n", 0, 7, OPENING_HTTP },
		{ "VERSION-CONTROL / HTTP/1.1\r\n", 0, 15, OPENING_HTTP },
		{ "M-SEARCH * HTTP/1.1\r\n", 0, 8, OPENING_HTTP },
		{ "ACL / HTTP/1.1\r\n", 0, 3, OPENING_HTTP },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, 3, OPENING_HTTP },
		{ "GET /\r\n", 0, 3, OPENING_HTTP },
		{ "\r\nGET / HTTP/1.1\r\n", 0, 0, OPENING_HTTP },
		{ "\nGET / HTTP/1.1\r\n", 0, 0, OPENING_HTTP },
		{ "BREW /pot HTTP/1.1\r\n", 0, 19, OPENING_HTTP },
		{ "BREW /pot HTTP/1.1\n", 0, 18, OPENING_HTTP },
		{ "get / HTTP/1.0\r\n", 0, 15, OPENING_HTTP },
		{ "GE T HTTP/1.1x\r\n", 0, 15, OPENING_OTHER },
		{ "EHLO relay.example.org\r\n", 0, 23, OPENING_OTHER },
		{ "HELO relay HTTP/1.1.example\r\n", 0, 28, OPENING_OTHER },
		{ "USER anonymous\r\n", 0, 15, OPENING_OTHER },
		{ "a1 CAPABILITY\r\n", 0, 14, OPENING_OTHER },
		{ "QUIT\r\n", 0, 4, OPENING_OTHER },
		{ "PING\r\n", 0, 4, OPENING_OTHER },
		{ "*1\r\n$4\r\nPING\r\n", 0, 2, OPENING_OTHER },
		{ "CONNECT\naccept-version:1.2\n", 0, 7, OPENING_OTHER },
		{ "SSH-2.0-OpenSSH_9.2p1\r\n", 0, 21, OPENING_OTHER },
		{ "get key\r\n", 0, 8, OPENING_OTHER },
		{ "\x16\x03\x01\x02\x00\x01", 0, 1, OPENING_TLS },
		{ "\x16\x03\x00", 2, 1, OPENING_TLS },
		{ "\x16\x04", 0, 1, OPENING_OTHER },
		{ "\x15\x03\x01", 0, 0, OPENING_OTHER },
		{ "\x80\x2e\x01\x03\x01", 0, 3, OPENING_TLS },
		{ "\x80\x2e\x01\x00\x02", 5, 4, OPENING_TLS },
		{ "\x80\x2e\x01\x00\x03", 5, 4, OPENING_OTHER },
		{ "\x80\x2e\x02", 0, 2, OPENING_OTHER },
		{ "\xff\xff\xff", 0, 2, OPENING_OTHER },
		{ "\x00\x00\x00\x08\x04\xd2\x16\x2f", 8, 0,
		  OPENING_OTHER },				     /* PostgreSQL, SSLRequest */
		{ "\x30\x0c\x02\x01\x01\x60", 0, 1, OPENING_OTHER }, /* LDAP, bind */
		{ "\x10\x0c\x00\x04MQTT", 8, 0, OPENING_OTHER },
		{ " GET / HTTP/1.1\r\n", 0, 0, OPENING_OTHER },
		{ "/ HTTP/1.1\r\n", 0, 0, OPENING_OTHER },
		{ "GET\t/ HTTP/1.1\r\n", 0, 3, OPENING_OTHER },
		{ "BREW \x01 HTTP/1.1\r\n", 0, 5, OPENING_OTHER },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 0, 32, OPENING_OTHER },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n", 0, 44, OPENING_HTTP },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t length = cases[i].n ? cases[i].n : strlen(cases[i].text);

		for (size_t n = 0; n <= length; n++) {
			AUTO(mem) uint8_t *copy = malloc(n ? n : 1);
			enum opening opening;

			assert_non_null(copy);
			memcpy(copy, cases[i].text, n);
			opening = opening_tell(copy, n);
			if (opening != (n <= cases[i].more ? OPENING_MORE : cases[i].opening))
				fail_msg("\"%s\", %zu bytes: %d", cases[i].text, n, opening);
		}
	}
}

static void endless_opening(void **state)
{
	static uint8_t bytes[OPENING_MAX + 1];

	memset(bytes, 'a', sizeof(bytes));
	bytes[4] = ' ';
	assert_int_equal(opening_tell(bytes, OPENING_MAX - 1), OPENING_MORE);
	assert_int_equal(opening_tell(bytes, OPENING_MAX), OPENING_OTHER);
	assert_int_equal(opening_tell(bytes, OPENING_MAX + 1), OPENING_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_hellos),	   cmocka_unit_test(split_hellos),
		cmocka_unit_test(made_hellos),	   cmocka_unit_test(name_lengths),
		cmocka_unit_test(encrypted_hello), cmocka_unit_test(large_hellos),
		cmocka_unit_test(no_hellos),	   cmocka_unit_test(openings),
		cmocka_unit_test(endless_opening),
	};

	return cmocka_run_group_tests_name("hello", tests, NULL, NULL);
}
