#!/usr/bin/env bash
# Installs every Debian 12 package that a build or a test needs; does nothing when all are there.
set -euo pipefail

packages=(
    gcc clang make cmake ninja-build pkg-config git
    libcurl4-openssl-dev libmicrohttpd-dev libjansson-dev libyaml-dev libpcre2-dev libutf8proc-dev
    libflint-dev libflint-arb-dev libcalcium-dev libmpfr-dev libgmp-dev
    libcmocka-dev xz-utils curl
)
# Open MPI makes tensor parallelism over processes possible; the build goes without it too.
packages+=(libopenmpi-dev openmpi-bin)

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
