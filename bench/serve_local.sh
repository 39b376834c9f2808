#!/usr/bin/env bash
# What HTTP costs: completion tokens per second of 64 concurrent streamed chats over `llmeval serve`, against the engine alone
# (`llmeval bench`, decoding only) and in the process that samples (`llmeval offline`), same model, prompt and batch.
#   bench/serve_local.sh [LLMEVAL] [MODEL_FOLDER] [TOKENS] [ROUNDS]
# Without a folder: the shape of Qwen2.5-0.5B with random weights and the tokenizer of Qwen2.5, so that tokens have text.
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
    cp bench/configs/qwen2.5-0.5b/config.json "$model/"
    tar -C "$model" --strip-components 1 -xJf tests/data/tokenizers/tokenizers.tar.xz qwen2.5/tokenizer.json qwen2.5/tokenizer_config.json
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
    prompt=$(grep -oE '"prompt_tokens":[0-9]+' "$work/offline1.jsonl" | head -n 1 | grep -oE '[0-9]+')
    "$llmeval" bench --model_name_or_path "$model" "${load[@]}" --n_parallel 64 --prompt_len "$prompt" --gen_len "$tokens" \
        --shared_prompt --json >"$work/bench.json"
    bench=$(sed -nE 's/.*"decode_tokens_per_s": ([0-9.]+),.*/\1/p' "$work/bench.json")
    a=$(rate "$work/offline.log") b=$(rate "$work/online.log")
    awk -v r="$round" -v c="$bench" -v a="$a" -v b="$b" 'BEGIN {
        printf "round %d: bench %.0f, offline %.0f, over HTTP %.0f tokens/s; HTTP is %.3f of bench, %.3f of offline\n", r, c, a, b, b / c, b / a }'
done
