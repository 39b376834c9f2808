#!/usr/bin/env bash
# What HTTP costs: completion tokens per second of 64 concurrent streamed chats over `llmeval serve`, against the engine in the same
# process (`llmeval offline`), same model, prompts, seeds and batch. Prints both and their ratio.
#   bench/serve_local.sh [LLMEVAL] [MODEL_FOLDER] [TOKENS] [ROUNDS]
# Without a folder: the shape of Qwen2.5-0.5B with random weights and a small tokenizer.
set -euo pipefail
cd "$(dirname "$0")/.."
llmeval=${1:-build/release/llmeval}
model=${2:-}
tokens=${3:-256}
rounds=${4:-2}
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

load=()
if [ -z "$model" ]; then
    model=$work/model
    mkdir "$model"
    cp bench/configs/qwen2.5-0.5b/config.json tests/data/models/qwen2-tied-bf16/tokenizer*.json "$model/"
    load=(--load_format dummy)
fi
sed -n 1p data/aime24.jsonl >"$work/one.jsonl"
sampling=(--input_file "$work/one.jsonl" --n_samples 64 --max_tokens "$tokens" --fsync never)
engine=(--max_num_seqs 64 --max_model_len 1024)

rate() { grep -oE '[0-9]+ completion tokens/s' "$1" | grep -oE '^[0-9]+'; }

for round in $(seq "$rounds"); do
    "$llmeval" offline --model_name_or_path "$model" "${load[@]}" "${engine[@]}" "${sampling[@]}" \
        --output_file "$work/offline$round.jsonl" 2>"$work/offline.log" || { cat "$work/offline.log" >&2; exit 1; }
    "$llmeval" serve --model "$model" "${load[@]}" "${engine[@]}" --host 127.0.0.1 --port 0 --port_file "$work/port" \
        2>"$work/serve.log" &
    server=$!
    while [ ! -s "$work/port" ]; do sleep 0.1; done
    "$llmeval" online --base_url "http://127.0.0.1:$(cat "$work/port")/v1" --max_workers 64 \
        "${sampling[@]}" --output_file "$work/online$round.jsonl" 2>"$work/online.log" || { cat "$work/online.log" >&2; exit 1; }
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
    rm -f "$work/port"
    a=$(rate "$work/offline.log") b=$(rate "$work/online.log")
    echo "round $round: in process $a, over HTTP $b tokens/s, ratio $(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.3f", b / a }')"
done
