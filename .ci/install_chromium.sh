#!/bin/sh
# Installs Debian's Chromium for the browser tests if it is missing and can be installed. Without it, these tests are
# skipped. In CI, a missing browser is a failure.
set -eu

if [ -x /usr/bin/chromium ]; then
    exit 0
fi

give_up() {
    echo "Chromium is not installed$1; the browser tests need it (on Debian: apt-get install chromium)." >&2
    if [ -n "${CI:-}" ]; then
        exit 1
    fi
    exit 0
}

command -v apt-get >/dev/null || give_up ""
[ "$(id -u)" = 0 ] || give_up ", and only root can install it"
echo "Installing Chromium for the browser tests …"
log=$(mktemp)
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium; } >"$log" 2>&1; then
    tail -5 "$log" >&2
    rm -f "$log"
    give_up ", and installing it failed"
fi
rm -f "$log"
