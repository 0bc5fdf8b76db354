/* SPDX-License-Identifier: GPL-2.0-or-later */
/* web.c - one attempt by libcurl, directly or through the proxy → what was seen.
 *
 * What an app does that downloads something: the same library, the same calls. Directly it asks an
 * address; the proxy is asked for a name that does not exist.
 */
#include "selftest/web.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "selftest/attempt.h"

enum { URL_MAX = 128 };

struct request {
	char url[URL_MAX];
	char proxy[URL_MAX]; /* "": none, whatever the environment says */
	struct seen *seen;
	bool is_connected;
};

int web_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -EIO;
}

bool web_is(const struct job *job)
{
	return job->way >= JOB_HTTP && job->way <= JOB_PROXY_HTTPS;
}

/* The last moment at which the socket can be asked. */
static int close_socket(void *data, curl_socket_t fd)
{
	struct request *request = data;
	uint16_t port = attempt_source_port(fd);
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);

	if (port)
		request->seen->sport = port;
	if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0)
		request->is_connected = true;
	return close(fd);
}

static void write_request(const struct job *job, struct request *request)
{
	bool is_proxy = job->way == JOB_PROXY_HTTP || job->way == JOB_PROXY_HTTPS;
	bool is_tls = job->way == JOB_HTTPS || job->way == JOB_PROXY_HTTPS;
	bool is_v6 = job->to.family == ADDR_V6;
	char address[PREFIX_TEXT_MAX], where[URL_MAX - 16];

	format_prefix(&job->to, address);
	snprintf(where, sizeof(where), "%s%s%s:%u", is_v6 ? "[" : "", address, is_v6 ? "]" : "",
		 job->port);
	snprintf(request->url, sizeof(request->url), "%s://%s/", is_tls ? "https" : "http",
		 is_proxy ? JOB_NAME : where);
	if (is_proxy)
		snprintf(request->proxy, sizeof(request->proxy), "http://%s", where);
}

static CURLcode set_options(CURL *curl, struct request *request)
{
	CURLcode r = curl_easy_setopt(curl, CURLOPT_URL, request->url);

	r = r ? r : curl_easy_setopt(curl, CURLOPT_PROXY, request->proxy);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	r = r ? r : curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_USERAGENT, JOB_TEXT);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)JOB_TIMEOUT_MS);
	r = r ? r : curl_easy_setopt(curl, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
	return r ? r : curl_easy_setopt(curl, CURLOPT_CLOSESOCKETDATA, request);
}

/* The proxy's answer to CONNECT, else that of whoever was asked. */
static uint32_t http_status(CURL *curl)
{
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_HTTP_CONNECTCODE, &status);
	if (!status)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	return status > 0 ? (uint32_t)status : 0;
}

/* Of what goes wrong, only this does before there is a connection. */
static bool is_early(CURLcode code)
{
	return code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT;
}

static void perform(CURL *curl, struct request *request, int64_t since)
{
	struct seen *seen = request->seen;
	CURLcode code = curl_easy_perform(curl);
	long error = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &error);
	seen->status = http_status(curl);
	curl_easy_cleanup(curl); /* closes the socket, if nothing did yet */
	if (request->is_connected || !is_early(code))
		attempt_end(seen, SEEN_ANSWER, STAGE_ANSWER, 0, since);
	else if (code == CURLE_OPERATION_TIMEDOUT)
		attempt_end(seen, SEEN_SILENCE, STAGE_CONNECT, 0, since);
	else
		attempt_end(seen, SEEN_ERROR, STAGE_CONNECT, error ? (int)error : EPROTO, since);
}

void web_run(const struct job *job, struct seen *ret_seen)
{
	struct request request = { .seen = ret_seen };
	int64_t since = clock_now_us();
	CURL *curl = curl_easy_init();

	*ret_seen = (struct seen){ .end = SEEN_LOST };
	write_request(job, &request);
	if (curl && set_options(curl, &request) == CURLE_OK)
		perform(curl, &request, since);
	else
		attempt_end(ret_seen, SEEN_ERROR, STAGE_BECOME, ENOMEM, since);
}
