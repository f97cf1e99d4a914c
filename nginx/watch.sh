#!/bin/sh
# Runs nginx, and reloads it within a minute after its certificate was replaced:
#
#     watch.sh <certificate.pem> nginx <options>
#
# Streams stay open: the old workers of nginx serve them to their end. nginx keeps the former certificate when the new one
# cannot be read, or does not fit its key. The next look tries again. WATCH_SECONDS changes the pause between two looks.
set -eu
certificate=$1
shift
nginx=$$

first=$(cksum < "$certificate")
(
    used=$first
    while sleep "${WATCH_SECONDS:-30}" && kill -0 "$nginx" 2>/dev/null; do
        found=$(cksum < "$certificate" 2>/dev/null) || continue
        if [ "$found" != "$used" ] && "$@" -t -q && "$@" -s reload; then
            used=$found
        fi
    done
) &
exec "$@"
