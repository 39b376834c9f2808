#!/usr/bin/env bash
# Samples benchmarks with the engine and a tiny model: stored, killed and resumed, the same over the server.
set -euo pipefail
bin=$1
src=$2
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"

fail() { echo "FAILED: $*" >&2; exit 1; }
# (doc_id, sample_index, gen) of every row, in order: what is left to compare where times are stored.
rows() { sed -E 's/.*"doc_id":("[^"]*"),"sample_index":([0-9]+),.*"gen":("([^"\\]|\\.)*").*/\1 \2 \3/' "$1" | sort; }

model=$src/tests/data/models/qwen3-tied-bf16
base=(--model_name_or_path "$model" --max-model-len 1024 --dtype float32 --num_kv_blocks 600)
run() { "$bin" offline "${base[@]}" "$@"; }

# 1. Both benchmarks, with the flags of the tool that users come from.
run --input_file "$src/data/aime24.jsonl" --output_file aime.jsonl --n_samples 4 --max_tokens 48 --batch_size 32 \
    --trust_remote_code --gpu_memory_utilization 0.5 --tensor_parallel_size 1 --enforce_eager 2>log
[ "$(wc -l <aime.jsonl)" = 120 ] || fail "aime24: $(wc -l <aime.jsonl) rows"
grep -q 'KV cache: at most' log || fail "no word about the cache"
[ "$(grep -c 'has no effect here' log)" = 3 ] || fail "flags without effect are said once each: $(cat log)"
# One problem of math500 is longer than the tiny model's context: it is named and counted, the others go on.
status=0
run --input_file "$src/data/math500.jsonl" --output_file math.out.jsonl --max_tokens 8 --repetition_penalty 1.1 --min_p 0.05 2>log || status=$?
[ "$status" = 3 ] && [ "$(wc -l <math.out.jsonl)" = 499 ] && grep -q '1 over the context' log || fail "math500: status $status: $(cat log)"
"$bin" score --input_path aime.jsonl --task_name math_opensource/aime24 --result_path aime.score.json >score.txt 2>log || fail "score: $(cat log)"
grep -q '"sample_count": *120' aime.score.json || fail "score of aime24: $(head -c 400 aime.score.json)"
"$bin" score --input_path math.out.jsonl --task_name math_opensource/math500 --result_path math.score.json >score.txt 2>log || fail "score: $(cat log)"
grep -q '"sample_count": *499' math.score.json && grep -q '"missing": *1,' math.score.json || fail "score of math500: $(head -c 400 math.score.json)"

# 2. Killed again and again, at any moment; then the same as without.
long=(--input_file "$src/data/aime24.jsonl" --n_samples 3 --max_tokens 64 --max_num_seqs 16)
run "${long[@]}" --output_file whole.jsonl 2>log
stored() { { cat killed.jsonl 2>/dev/null || true; } | wc -l; }
n_killed=0
n_runs=0
while [ $n_killed -lt 3 ]; do
    n_runs=$((n_runs + 1))
    [ $n_runs -le 50 ] || fail "none of 50 runs could be killed three times in time"
    "$bin" offline "${base[@]}" "${long[@]}" --output_file killed.jsonl 2>log &
    pid=$!
    while kill -0 $pid 2>/dev/null && [ "$(stored)" -lt $((n_killed * 15 + 15)) ]; do sleep 0.01; done
    kill -9 $pid 2>/dev/null || true
    status=0
    wait $pid 2>/dev/null || status=$?
    [ $status = 137 ] || [ $status = 0 ] || fail "a run to be killed ended with $status: $(cat log)"
    if [ $status = 137 ] && [ "$(stored)" -lt 90 ]; then
        n_killed=$((n_killed + 1))
    else # it was over before it could be killed: once more from the beginning
        n_killed=0
        rm -f killed.jsonl*
    fi
done
run "${long[@]}" --output_file killed.jsonl 2>log
[ "$(wc -l <whole.jsonl)" = 90 ] || fail "whole: $(wc -l <whole.jsonl) rows"
cmp whole.jsonl killed.jsonl || fail "a killed run differs from a whole one"

# 3. Threads, batches, chunks, cache and ranks change nothing.
for how in "--n_threads 1 --max_num_seqs 3" "--max_num_batched_tokens 40 --enable_prefix_caching false" \
    "--tensor_parallel_size 2" "--num_kv_blocks 100"; do
    rm -f other.jsonl*
    # shellcheck disable=SC2086
    run "${long[@]}" $how --output_file other.jsonl 2>log
    cmp whole.jsonl other.jsonl || fail "another store with $how"
done
if command -v mpirun >/dev/null && "$bin" version >/dev/null; then
    rm -f other.jsonl*
    # Open MPI leaks, and takes its own locks in two orders, which the sanitizers would report as ours.
    if ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=report_bugs=0 mpirun --allow-run-as-root --oversubscribe -n 2 "$bin" offline "${base[@]}" --n_threads 1 \
        "${long[@]}" --output_file other.jsonl 2>log; then
        cmp whole.jsonl other.jsonl || fail "another store with two processes"
    elif ! grep -q 'no MPI' log; then
        fail "mpirun: $(cat log)"
    fi
fi

# 4. Over our own server the same text, row by row.
"$bin" serve "${base[@]}" --host 127.0.0.1 --port 0 --port_file port 2>serve.log &
server=$!
while [ ! -s port ]; do
    kill -0 "$server" || fail "the server ended before it served"
    sleep 0.05
done
"$bin" online --input_file "$src/data/aime24.jsonl" --n_samples 3 --max_tokens 64 --max_workers 24 \
    --base_url "http://127.0.0.1:$(cat port)/v1" --output_file online.jsonl 2>log
rows whole.jsonl >a
rows online.jsonl >b
cmp a b || fail "online and offline differ"
kill "$server"
wait "$server" || true
server=

# 5. What cannot work is said at once, in one line, with exit status 2.
refused() {
    local words=$1
    shift
    local status=0
    run --input_file "$src/data/aime24.jsonl" --output_file none.jsonl "$@" 2>log || status=$?
    [ "$status" = 2 ] || fail "$words: exit status $status"
    grep -q -- "$words" log || fail "expected \"$words\", found: $(cat log)"
    [ ! -e none.jsonl ] || fail "$words: an output file was made"
}
refused 'max_model_len' --num_kv_blocks 30
refused 'is not a folder' --model_name_or_path "$dir/nothing"
refused 'quantization' --quantization awq
refused 'chat_template_kwargs' --chat_template_kwargs '[1]'
echo ok
