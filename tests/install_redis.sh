#!/bin/sh
# Install Debian's Redis for the tests of its queue, where it is missing and can be installed.
set -eu
if command -v redis-server >/dev/null 2>&1; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests of the queue in Redis need redis-server on the PATH." >&2
    exit 1
fi
root=""
[ "$(id -u)" = 0 ] || root="sudo"
$root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends redis-server >/dev/null
