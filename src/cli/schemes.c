/* SPDX-License-Identifier: GPL-2.0-or-later */
/* schemes.c - the scheme of a URL, or a port by name → protocol and port.
 *
 * What /etc/services does not have, or has by another name than URLs do.
 */
#include "cli/schemes.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	uint16_t port;
	bool is_udp;
} schemes[] = {
	{ "amqp", 5672, false },
	{ "amqps", 5671, false },
	{ "cassandra", 9042, false },
	{ "clickhouse", 9000, false },
	{ "couchdb", 5984, false },
	{ "dns", 53, true },
	{ "elasticsearch", 9200, false },
	{ "ftp", 21, false },
	{ "ftps", 990, false },
	{ "git", 9418, false },
	{ "http", 80, false },
	{ "https", 443, false },
	{ "imap", 143, false },
	{ "imaps", 993, false },
	{ "influxdb", 8086, false },
	{ "irc", 6667, false },
	{ "ircs", 6697, false },
	{ "kafka", 9092, false },
	{ "ldap", 389, false },
	{ "ldaps", 636, false },
	{ "mariadb", 3306, false },
	{ "memcached", 11211, false },
	{ "mongodb", 27017, false },
	{ "mqtt", 1883, false },
	{ "mqtts", 8883, false },
	{ "mssql", 1433, false },
	{ "mysql", 3306, false },
	{ "nats", 4222, false },
	{ "nfs", 2049, false },
	{ "ntp", 123, true },
	{ "pop3", 110, false },
	{ "pop3s", 995, false },
	{ "postgres", 5432, false },
	{ "postgresql", 5432, false },
	{ "redis", 6379, false },
	{ "rediss", 6379, false },
	{ "rsync", 873, false },
	{ "sentinel", 26379, false },
	{ "sftp", 22, false },
	{ "smb", 445, false },
	{ "smtp", 25, false },
	{ "smtps", 465, false },
	{ "ssh", 22, false },
	{ "statsd", 8125, true },
	{ "submission", 587, false },
	{ "submissions", 465, false },
	{ "svn", 3690, false },
	{ "syslog", 514, true },
	{ "telnet", 23, false },
	{ "ws", 80, false },
	{ "wss", 443, false },
	{ "xmpp", 5222, false },
};

static bool find_here(const char *name, size_t length, const char **ret_protocol,
		      uint16_t *ret_port)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (strlen(schemes[i].name) == length &&
		    strncasecmp(schemes[i].name, name, length) == 0) {
			*ret_protocol = schemes[i].is_udp ? "udp" : "tcp";
			*ret_port = schemes[i].port;
			return true;
		}
	return false;
}

static bool find_service(const char *name, const char *protocol, const char **ret_protocol,
			 uint16_t *ret_port)
{
	static const char *const protocols[] = { "tcp", "udp" };

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		const struct servent *entry;

		if (protocol && strcmp(protocol, protocols[i]) != 0)
			continue;
		entry = getservbyname(name, protocols[i]);
		if (!entry)
			continue;
		*ret_protocol = protocols[i];
		*ret_port = ntohs((uint16_t)entry->s_port);
		return true;
	}
	return false;
}

/* "postgresql+psycopg2" is what comes first, "git+ssh" what comes last. */
bool scheme_find(const char *name, const char *protocol, const char **ret_protocol,
		 uint16_t *ret_port)
{
	const char *plus = strchr(name, '+');

	if (plus && find_here(plus + 1, strlen(plus + 1), ret_protocol, ret_port))
		return true;
	if (find_here(name, plus ? (size_t)(plus - name) : strlen(name), ret_protocol, ret_port))
		return true;
	return find_service(name, protocol, ret_protocol, ret_port);
}
