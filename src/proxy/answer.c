/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.c - responses that a person understands. */
#include "proxy/answer.h"
