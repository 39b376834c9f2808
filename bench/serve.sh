#!/usr/bin/env bash
# usage: bench/serve.sh PATH_TO_LLMEVAL
# What the scripted server reaches under wrk: whole answers, and streams of 256 tokens. Needs wrk.
set -euo pipefail
llmeval=$1
work=$(mktemp -d)
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$work"' EXIT

body() { # max_tokens, further fields
    cat <<LUA
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"messages":[{"role":"user","content":"Find the sum of all integer bases b > 9 for which 17_b divides 97_b."}],"temperature":0.6,"seed":5,"max_tokens":$1$2}'
LUA
}
body 64 '' >"$work/whole.lua"
body 256 ',"ignore_eos":true,"stream":true' >"$work/stream.lua"

"$llmeval" serve --generator scripted --host 127.0.0.1 --port 0 --port_file "$work/port" 2>"$work/log" &
pid=$!
while [ ! -s "$work/port" ]; do sleep 0.1; done
url=http://127.0.0.1:$(cat "$work/port")/v1/chat/completions

cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/$pid/stat"; }

run() { # name, script, connections, tokens
    local before after out
    before=$(cpu_ms)
    out=$(wrk -t1 -c"$3" -d10s --timeout 60s -s "$work/$2.lua" "$url")
    after=$(cpu_ms)
    awk -v name="$1" -v tokens="$4" -v cpu="$((${after%.*} - ${before%.*}))" '
        /requests in/ { n = $1 }
        /^Requests\/sec/ { rate = $2 }
        END {
            printf "%-30s %8.0f requests/s %6.1f us CPU each", name, rate, cpu * 1000 / n
            if (tokens)
                printf " %9.0f token events/s %5.2f us CPU each", rate * tokens, cpu * 1000 / n / tokens
            print ""
        }' <<<"$out"
}
run "whole answers, 64 connections" whole 64 0
run "streams, 1 connection" stream 1 256
run "streams, 64 connections" stream 64 256
run "streams, 512 connections" stream 512 256
run "streams, 2000 connections" stream 2000 256
grep -E '^VmHWM' "/proc/$pid/status"
