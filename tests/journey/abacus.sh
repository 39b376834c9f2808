#!/usr/bin/env bash
# The model in the box: what run prints and stores for it, its accuracy by level, the same bytes in every way of running
# it, and the same answers over a server.
set -euo pipefail
bin=$1
src=$2
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"

fail() { echo "FAILED: $*" >&2; exit 1; }
model=$src/models/abacus
[ "$(stat -c %s "$model/model.safetensors")" -le 8000000 ] || fail "the model is larger than 8 MB"

# run_in FOLDER OPTIONS...: 20 problems of all levels
mkdir data
sed -n '1~10p' "$src/data/abacus.jsonl" >data/abacus.jsonl
run_in() {
    local out=$1
    shift
    "$bin" run --tasks abacus --data_dir data --baselines_dir "$src/baselines" --model_name_or_path "$model" --n_samples 3 \
        --output_dir "$out" "$@" >"$out.txt" 2>"$out.log" || fail "$out: $(cat "$out.log")"
}

# 1. Batches of 1, 7 and 64, one thread and two, and a run that was killed: the same store, byte for byte.
run_in whole --max_num_seqs 64
[ "$(wc -l <whole/abacus.jsonl)" = 60 ] || fail "$(wc -l <whole/abacus.jsonl) rows"
run_in one --max_num_seqs 1
run_in seven --max_num_seqs 7
run_in thread --n_threads 1
run_in threads --n_threads 2
stored() { { cat killed/abacus.jsonl 2>/dev/null || true; } | wc -l; }
n_killed=0
n_runs=0
while [ $n_killed -lt 2 ]; do
    n_runs=$((n_runs + 1))
    [ $n_runs -le 50 ] || fail "none of 50 runs could be killed twice in time"
    "$bin" run --tasks abacus --data_dir data --baselines_dir "$src/baselines" --model_name_or_path "$model" --n_samples 3 \
        --output_dir killed --max_num_seqs 5 >/dev/null 2>&1 &
    pid=$!
    while kill -0 $pid 2>/dev/null && [ "$(stored)" -lt $((n_killed * 12 + 12)) ]; do sleep 0.01; done
    kill -9 $pid 2>/dev/null || true
    status=0
    wait $pid 2>/dev/null || status=$?
    [ $status = 137 ] || [ $status = 0 ] || fail "a run to be killed ended with $status"
    if [ $status = 137 ] && [ "$(stored)" -lt 60 ]; then
        n_killed=$((n_killed + 1))
    else # it was over before it could be killed: once more from the beginning
        n_killed=0
        rm -rf killed
    fi
done
run_in killed
for other in one seven thread threads killed; do
    cmp whole/abacus.jsonl $other/abacus.jsonl || fail "another store: $other"
    cmp whole/abacus.score.json $other/abacus.score.json || fail "another score: $other"
done

# 2. Over a server the same answers.
answers() { sed -E 's/.*"doc_id":("[^"]*"),"sample_index":([0-9]+).*"gen":("([^"\\]|\\.)*").*/\1 \2 \3/' "$1" | sort; }
"$bin" serve --model "$model" --host 127.0.0.1 --port 0 --port_file port 2>server.log &
server=$!
while [ ! -s port ]; do
    kill -0 "$server" || fail "the server ended before it served"
    sleep 0.05
done
"$bin" online --input_file data/abacus.jsonl --output_file served.jsonl --base_url "http://127.0.0.1:$(cat port)/v1" --n_samples 3 2>log ||
    fail "online: $(cat log)"
cmp <(answers whole/abacus.jsonl) <(answers served.jsonl) || fail "served answers differ"
kill "$server"
wait "$server" || true
server=

# 3. All problems: the summary that the README shows, and accuracy within the bands of the model card.
"$bin" run --tasks abacus --data_dir "$src/data" --baselines_dir "$src/baselines" --model_name_or_path "$model" --n_samples 2 \
    --output_dir all >all.txt 2>all.log || fail "all: $(cat all.log)"
cmp all.txt all/summary.md || fail "stdout is not summary.md"
for words in '^# abacus$' '^| math_opensource/abacus | [0-9.]* | [0-9.]* - [0-9.]* |' '^\*\*[0-9.]* %\*\* of 400 samples (200 problems x 2)$' \
    '^- these problems again: ' '^- problems like these: ' '^- cut off by the token limit, not right: [0-9]* ' '^| 2 | [0-9.]* ± [0-9.]* |' \
    '^- time: ' 'completion tokens/s$' '^- answers from: cpu ' '^| `temperature` | 0.6 |' '^| `cpu_isa` | [a-z0-9_]* |'; do
    grep -q "$words" all.txt || fail "the summary has no line like $words: $(cat all.txt)"
done
level() { sed -nE "s/^\| $1 \| ([0-9]+)\.[0-9]+ \| .* \| 50 \| 100 \|$/\1/p" all.txt; }
overall=$(sed -nE 's/^\*\*([0-9]+)\..*/\1/p' all.txt)
for l in 1 2 3 4; do [ -n "$(level $l)" ] || fail "no accuracy for level $l: $(cat all.txt)"; done
[ "$overall" -ge 50 ] && [ "$overall" -lt 90 ] && [ "$(level 1)" -ge 90 ] && [ "$(level 4)" -lt 60 ] ||
    fail "accuracy $overall, by level $(level 1) $(level 2) $(level 3) $(level 4)"
echo ok
