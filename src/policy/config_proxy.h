/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_proxy.h - the key "proxy" of uidwall.json. */
#ifndef UIDWALL_POLICY_CONFIG_PROXY_H
#define UIDWALL_POLICY_CONFIG_PROXY_H

#include "policy/config.h"
#include "policy/keys.h"

extern const struct value_type value_proxy; /* struct config: proxies, proxy_is_external, proxy */

#endif
