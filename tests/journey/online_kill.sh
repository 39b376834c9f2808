#!/usr/bin/env bash
# The client is killed by SIGKILL at 100 random moments of one run; afterwards the same command finishes it,
# and the rows are those of a run that nobody disturbed: none lost, none twice, no byte different but for
# times and tries.
set -euo pipefail
BIN=$1
SOURCE=$2
WORK=$(mktemp -d)
. "$SOURCE/tests/journey/lib/online.sh"

n_samples=200
online() {
    "$BIN" online --input_file "$SOURCE/data/aime24.jsonl" --base_url "$url" --n_samples $n_samples \
        --max_tokens 4096 --seed 7 "$@" 2>>"$WORK/client.log"
}

start_server --answers "$SOURCE/data/aime24.jsonl" --reply_tokens 20
online --output_file "$WORK/whole.jsonl" || fail "the undisturbed run: $(tail -3 "$WORK/client.log")"
[ "$(wc -l <"$WORK/whole.jsonl")" = $((30 * n_samples)) ] || fail "the undisturbed run has $(wc -l <"$WORK/whole.jsonl") rows"
stop_server
rows "$WORK/whole.jsonl" >"$WORK/whole.sorted"

RANDOM=20240601
start_server --answers "$SOURCE/data/aime24.jsonl" --reply_tokens 20 --ttft_ms 40
n_killed=0
n_runs=0
most_ms=160 # a client's longest life: grows where clients are too slow to store anything in it
n_before=0
n_stored=0 # clients that stored something
while [ $n_killed -lt 100 ]; do
    n_runs=$((n_runs + 1))
    [ $n_runs -lt 1000 ] || fail "only $n_killed of $n_runs runs could be killed"
    # a process group of its own, so that it is this client that dies
    "$BIN" online --input_file "$SOURCE/data/aime24.jsonl" --base_url "$url" --n_samples $n_samples \
        --max_tokens 4096 --seed 7 --max_workers 8 --output_file "$WORK/killed.jsonl" 2>>"$WORK/client.log" &
    client=$!
    ms=$((RANDOM % most_ms + 10))
    sleep "$((ms / 1000)).$(printf '%03d' $((ms % 1000)))"
    kill -KILL $client 2>/dev/null || true
    status=0
    wait $client 2>/dev/null || status=$?
    [ $status = 137 ] && n_killed=$((n_killed + 1))
    [ $status = 137 ] || [ $status = 0 ] || fail "a client ended with $status: $(tail -3 "$WORK/client.log")"
    if [ $status = 0 ]; then # a client that was left alone for long: its rows must be right, and it goes on anew
        rows "$WORK/killed.jsonl" | cmp - "$WORK/whole.sorted" || fail "the rows of a run that was over differ"
        rm -f "$WORK"/killed.jsonl*
        n_before=0
        continue
    fi
    n=0
    [ ! -f "$WORK/killed.jsonl" ] || n=$(wc -l <"$WORK/killed.jsonl")
    if [ "$n" -gt "$n_before" ]; then
        n_stored=$((n_stored + 1))
        most_ms=$((most_ms * 3 / 4 + 20))
    else
        most_ms=$((most_ms * 11 / 10))
    fi
    n_before=$n
done
[ $n_stored -gt 0 ] || fail "no client lived long enough to store anything"
stop_server
start_server --answers "$SOURCE/data/aime24.jsonl" --reply_tokens 20
online --output_file "$WORK/killed.jsonl" || fail "the last run: $(tail -3 "$WORK/client.log")"

rows "$WORK/killed.jsonl" >"$WORK/killed.sorted"
cmp "$WORK/whole.sorted" "$WORK/killed.sorted" || fail "the rows differ"
echo "killed $n_killed times, $n_before rows were stored by then, all $(wc -l <"$WORK/killed.jsonl") are the same"
