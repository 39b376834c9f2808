#!/usr/bin/env bash
# Installs what is missing, builds with gcc and clang, and runs all tests: as released, under the address
# and undefined-behaviour sanitizers, and under the thread sanitizer.
#   ./test.sh            everything
#   ./test.sh release    one preset: release, dev or tsan
set -euo pipefail
cd "$(dirname "$0")"

tools/install-deps.sh tests

jobs=$(nproc)
run() {
    echo "== $1: build"
    cmake --preset "$1" >/dev/null
    if ! cmake --build --preset "$1" -j "$jobs" >"build/$1.log" 2>&1; then
        grep -E 'error|FAILED|undefined' "build/$1.log" || tail -n 40 "build/$1.log"
        exit 1
    fi
    tail -n 1 "build/$1.log"
    if [ "$1" != clang ]; then
        echo "== $1: test"
        ctest --preset "$1" -j "$jobs" --output-on-failure --no-tests=error
    fi
}

if [ $# -gt 0 ]; then
    for preset in "$@"; do run "$preset"; done
else
    for preset in release clang dev tsan; do run "$preset"; done
fi
