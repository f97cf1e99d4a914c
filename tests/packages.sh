#!/bin/sh
# Makes sure that the real servers and the browser that the tests start are on this machine. Installs them where it may;
# otherwise names what is missing and fails. It never lets the tests skip quietly.
set -eu
PATH="$PATH:/usr/sbin:/sbin"

missing=""
need() { # program, Debian package
    command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need mariadbd mariadb-server
need mariadb-dump mariadb-client
need redis-server redis-server
need nginx nginx
need chromium chromium
need chromium-headless-shell chromium-headless-shell
need node nodejs
need npm npm
need espeak-ng espeak-ng
need faketime faketime
need systemd-analyze systemd
need prometheus prometheus
need openssl openssl
if [ "${1-}" = bench ]; then # what we are measured beside
    need cc gcc
    [ -e /usr/lib/nginx/modules/ngx_nchan_module.so ] || missing="$missing libnginx-mod-nchan"
fi
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing:$missing"
    # Debian starts what it installs; the tests run their own, so nothing else may.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    log=$(mktemp)
    # shellcheck disable=SC2086  # a list of names
    if { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } \
        >"$log" 2>&1 </dev/null; then
        rm -f "$log"
        exit 0
    fi
    tail -n 20 "$log"
    rm -f "$log"
    echo "These packages could not be installed:$missing" >&2
    exit 1
fi
echo "The tests need these Debian packages, and this user may not install them:$missing" >&2
echo "As root: apt-get install --no-install-recommends$missing" >&2
exit 1
