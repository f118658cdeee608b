#!/bin/sh
# Install one of Debian's packages for the tests, where its program of the same name is missing and can be installed.
set -eu
name="$1"
if command -v "$name" >/dev/null 2>&1; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need $name on the PATH; install it with this system's package manager." >&2
    exit 1
fi
root=""
[ "$(id -u)" = 0 ] || root="sudo"
$root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends "$name" >/dev/null
