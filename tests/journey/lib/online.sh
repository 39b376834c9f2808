# What the journeys of `llmeval online` share. To be sourced with BIN and WORK set.

server_pid=

# wait_until COMMAND...: until it succeeds; machines differ in speed.
wait_until() {
    for _ in $(seq 12000); do
        "$@" 2>/dev/null && return 0
        sleep 0.05
    done
    fail "waited in vain for: $*"
}

start_server() { # further options of llmeval serve
    rm -f "$WORK/port"
    "$BIN" serve --generator scripted --host 127.0.0.1 --port 0 --port_file "$WORK/port" "$@" 2>"$WORK/server.log" &
    server_pid=$!
    while [ ! -s "$WORK/port" ]; do
        kill -0 "$server_pid" 2>/dev/null || fail "the server ended: $(cat "$WORK/server.log")"
        sleep 0.05
    done
    url="http://127.0.0.1:$(cat "$WORK/port")/v1"
}

stop_server() {
    [ -n "$server_pid" ] || return 0
    kill "$server_pid" 2>/dev/null || true
    kill "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
    server_pid=
    ! grep -E 'Sanitizer|runtime error:' "$WORK/server.log" >&2 || fail "the server broke a rule of the sanitizers"
}

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# Rows without what depends on time and luck: latencies, tries, the server's address.
rows() {
    sed -E 's/,"latency":[^,]*,"first_token_latency":[^,]*//; s/,"server":"[^"]*"//; s/,"attempts":[0-9]+//' "$1" | sort
}

trap 'stop_server; rm -rf "$WORK"' EXIT
