#!/usr/bin/env bash
# Installs every Debian 12 package that is missing: what the program is built from and, with "tests", what
# the tests need in addition.
#   tools/install-deps.sh [tests]
set -euo pipefail

packages=(
    gcc libc6-dev cmake ninja-build pkg-config
    libcurl4-openssl-dev libmicrohttpd-dev libjansson-dev libyaml-dev libpcre2-dev libutf8proc-dev
    libflint-dev libflint-arb-dev libcalcium-dev libmpfr-dev libgmp-dev
)
if [ "${1:-}" = tests ]; then
    # A second compiler; Open MPI for tensor parallelism over processes, which a build goes without too; and
    # Python, the second opinion on golden files in two tests.
    packages+=(clang clang-format git libcmocka-dev xz-utils curl libopenmpi-dev openmpi-bin python3)
fi

missing=()
for p in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "install these as root: ${missing[*]}" >&2; exit 1; }
    sudo=sudo
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
