/* SPDX-License-Identifier: GPL-2.0-or-later */
/* new.c - uidwall new: a first policy, with its explanation in "comment" (JSON has no comments). */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/output.h"
#include "policy/policy.h"

const char help_new[] = "Writes a first policy, with its explanation in it, to stdout or into the\n"
			"policies folder. It allows DNS and the forward proxy, and nothing else.\n"
			"\n"
			"  SERVICE  a-z, 0-9, _ and -, at most 32 of them; names the file as well\n"
			"\n"
			"exit status: 0 written, 1 not (the file exists already)\n"
			"\n"
			"  uidwall new blog --user www-blog\n"
			"  uidwall new blog --write\n";

static const char *const comment[] = {
	"Whatever is not allowed here is refused. Examples and all keys: man uidwall-policy",
	"user: whose sockets this is about",
	"dns: it may ask the name servers of this machine",
	"proxy: it may connect to the forward proxy",
	"connect: what else it may connect to; an entry has 'to' (an address or localhost) and "
	"'port'",
	"listen: ports it answers on; an entry has 'port', and 'from' (local users who may "
	"connect)",
	"After a change: uidwall check, then uidwall apply",
};

static bool is_service_name(const char *name)
{
	size_t n = strlen(name);

	return n >= 1 && n <= SERVICE_NAME_MAX && name[0] != '-' && name[0] != '_' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

/* A name, or a number. NULL: neither. */
static json_t *user_value(const char *user)
{
	size_t n = strlen(user);

	if (strspn(user, "0123456789") == n) {
		unsigned long long uid = strtoull(user, NULL, 10);

		return n <= 10 && uid >= 1 && uid <= UID_LAST ? json_integer((json_int_t)uid) :
								NULL;
	}
	if (n > 32 || strpbrk(user, ":/, "))
		return NULL;
	for (const char *p = user; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return NULL;
	return json_string(user);
}

static json_t *make_policy(json_t *user)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(comment); i++)
		json_array_append_new(lines, json_string(comment[i]));
	return json_pack("{s:o, s:O, s:b, s:b, s:[], s:[]}", "comment", lines, "user", user, "dns",
			 1, "proxy", 1, "connect", "listen");
}

/* Says so where the policy will not pass `check`. */
static void check_user(struct cli *cli, const json_t *user)
{
	const struct passwd *entry;

	if (!json_is_string(user))
		return;
	entry = getpwnam(json_string_value(user));
	if (entry && entry->pw_uid == 0)
		say(cli, "note: uid 0 cannot be governed; name another user with --user");
	if (!entry)
		say(cli,
		    "note: there is no user \"%s\" yet; make it before \"uidwall check\", or name "
		    "another with --user",
		    printable(cli, json_string_value(user)));
}

static int write_all(int fd, const char *text)
{
	for (size_t n = strlen(text); n;) {
		ssize_t written = write(fd, text, n);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			text += written;
			n -= (size_t)written;
		}
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* A new file with this text, never over an old one, and none at all where writing fails. Readable
 * whatever the umask: uidwalld is not root.
 */
static int write_file(const char *path, const char *text)
{
	AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	int r;

	if (fd < 0)
		return -errno;
	r = fchmod(fd, 0644) < 0 ? -errno : write_all(fd, text);
	if (r < 0)
		unlink(path);
	return r;
}

static enum cli_status explain_write(struct cli *cli, const char *path, int r)
{
	path = printable(cli, path);
	if (r == -EEXIST)
		return fail(cli, "%s exists already and stays as it is", path);
	if (r == -ENOENT)
		return fail(cli, "cannot write %s: its folder does not exist (mkdir -p it first)",
			    path);
	return fail(cli, "cannot write %s: %s", path, strerror(-r));
}

static void print_result(struct cli *cli, json_t *policy, const char *text, const char *path)
{
	if (cli->json)
		json_print(json_pack("{s:s, s:O, s:o}", "service", cli->args[0], "policy", policy,
				     "written", json_text(cli, cli->write ? path : NULL)));
	else if (cli->write)
		printf("Wrote %s. Edit it, then: uidwall check && uidwall apply\n",
		       printable(cli, path));
	else
		fputs(text, stdout);
}

enum cli_status verb_new(struct cli *cli)
{
	const char *name = cli->args[0], *path, *text;
	AUTO(json) json_t *user = NULL, *policy = NULL;
	AUTO(mem) char *dump = NULL;
	int r;

	if (!is_service_name(name))
		return bad_use(
			cli,
			"\"%s\" is no name for a service; expected at most %d of a-z, 0-9, _ "
			"and -, the first a letter or digit",
			printable(cli, name), SERVICE_NAME_MAX);
	user = user_value(cli->user ? cli->user : name);
	if (!user)
		return bad_use(cli, "\"%s\" is no user's name or number; expected --user NAME",
			       printable(cli, cli->user ? cli->user : name));
	policy = make_policy(user);
	dump = json_dumps(policy, JSON_INDENT(2));
	text = arena_printf(cli->arena, "%s\n", dump);
	path = arena_printf(cli->arena, "%s/%s.json", cli->policies, name);
	if (cli->write) {
		r = write_file(path, text);
		if (r < 0)
			return explain_write(cli, path, r);
	}
	print_result(cli, policy, text, path);
	check_user(cli, user);
	return CLI_FINE;
}
