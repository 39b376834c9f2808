#!/usr/bin/env bash
# Each fault of the scripted server, on every first try, on every try, and all of them mixed at 20 %: the run ends by
# itself, with every row or with a count of those that failed, and what is stored is right.
set -euo pipefail
BIN=$1
SOURCE=$2
WORK=$(mktemp -d)
. "$SOURCE/tests/journey/lib/online.sh"

head -4 "$SOURCE/data/aime24.jsonl" >"$WORK/in.jsonl"

# Limits that no good answer reaches, on a machine that stands still for seconds too, and limits for what stalls.
# Under those a good answer may come too late as well, and then it takes further tries.
patient=(--silence_timeout 100 --first_token_timeout 100 --request_timeout 200)
hasty=(--silence_timeout 0.5 --first_token_timeout 1 --request_timeout 4)

# limits_for FAULT: sets limits
limits_for() {
    case $1 in
    stall*) limits=("${hasty[@]}") ;;
    *) limits=("${patient[@]}") ;;
    esac
}

# online NAME OPTIONS...: sets status, n_rows, log
online() {
    local name=$1
    shift
    log="$WORK/$name.log"
    status=0
    timeout 400 "$BIN" online --input_file "$WORK/in.jsonl" --output_file "$WORK/$name.jsonl" --base_url "$url" \
        --max_tokens 4096 "$@" 2>"$log" || status=$?
    [ $status != 124 ] || fail "$name: the run hangs: $(tail -3 "$log")"
    n_rows=$({ cat "$WORK/$name.jsonl" 2>/dev/null || true; } | wc -l)
}

start_server --answers "$WORK/in.jsonl" --reply_tokens 20
online plain --n_samples 4 "${patient[@]}"
[ $status = 0 ] && [ "$n_rows" = 16 ] || fail "plain: status $status, $n_rows rows: $(cat "$log")"
rows "$WORK/plain.jsonl" >"$WORK/plain.sorted"
stop_server

# Faults of the wire, each on every first try: the second one brings the same rows as a run without.
for fault in 429 429_retry_after 500 503 reset_before reset_inside reset_after close_before stall stall_before \
    trickle half_utf8 malformed truncated stream_error; do
    limits_for $fault
    [[ $fault != stall* ]] || limits+=(--max_retries 50)
    start_server --answers "$WORK/in.jsonl" --reply_tokens 20 --fault "$fault@2"
    for stream in --stream --no_stream; do
        name="first_$fault$stream"
        online "$name" --n_samples 4 $stream "${limits[@]}"
        [ $status = 0 ] && [ "$n_rows" = 16 ] || fail "$name: status $status, $n_rows rows: $(cat "$log")"
        rows "$WORK/$name.jsonl" >"$WORK/$name.sorted"
        cmp "$WORK/plain.sorted" "$WORK/$name.sorted" || fail "$name: the rows differ"
    done
    stop_server
done

# On every try: the run gives up by itself and says how many failed and why.
for fault in 429 429_retry_after 500 503 reset_before reset_inside close_before stall stall_before truncated stream_error context; do
    start_server --answers "$WORK/in.jsonl" --reply_tokens 20 --fault "$fault"
    limits_for $fault
    online "always_$fault" --n_samples 1 --max_retries 1 --rate_limit_wait 3 "${limits[@]}"
    [ $status = 3 ] && [ "$n_rows" = 0 ] || fail "always_$fault: status $status, $n_rows rows: $(cat "$log")"
    grep -q "4 samples failed; run the same command again" "$log" || fail "always_$fault: no count: $(cat "$log")"
    grep -q "failed by  *4 " "$log" || fail "always_$fault: no classes: $(cat "$log")"
    stop_server
done

# Faults that leave an answer: stored and counted.
start_server --answers "$WORK/in.jsonl" --reply_tokens 20 --fault empty
online empty --n_samples 2 "${patient[@]}"
[ $status = 0 ] && grep -q "empty answers  *8 of 8" "$log" || fail "empty: $(cat "$log")"
stop_server
start_server --answers "$WORK/in.jsonl" --reply_tokens 20 --fault length
online length --n_samples 2 "${patient[@]}"
[ $status = 0 ] && grep -q "cut at max_tokens  *8 of 8" "$log" || fail "length: $(cat "$log")"
stop_server
start_server --answers "$WORK/in.jsonl" --reply_tokens 1000 --fault duplicate
online duplicate --n_samples 2 "${patient[@]}"
[ $status = 0 ] && grep -q "4 of 4 problems have samples with the same long text" "$log" || fail "duplicate: $(cat "$log")"
stop_server

# All at once at 20 %.
mixed=()
for fault in 429 429_retry_after 500 503 reset_before reset_inside reset_after close_before stall stall_before \
    half_utf8 truncated stream_error; do
    mixed+=(--fault "$fault:0.016")
done
start_server --answers "$WORK/in.jsonl" --reply_tokens 20 "${mixed[@]}"
online mixed --n_samples 100 --max_retries 100 --max_workers 32 "${hasty[@]}"
[ $status = 0 ] && [ "$n_rows" = 400 ] || fail "mixed: status $status, $n_rows rows: $(cat "$log")"
grep -q "tried again" "$log" || fail "mixed: no retries are told"
stop_server
start_server --answers "$WORK/in.jsonl" --reply_tokens 20
online mixed_plain --n_samples 100 "${patient[@]}"
rows "$WORK/mixed.jsonl" >"$WORK/mixed.sorted"
rows "$WORK/mixed_plain.jsonl" | cmp - "$WORK/mixed.sorted" || fail "mixed: the rows differ"
echo "every fault ends in all rows or in a count"
