#!/usr/bin/env bash
# From a fresh Debian 12 to a score: installs what is missing, builds, starts a scripted stand-in for an inference
# server, samples AIME 2024 with 64 samples a problem through HTTP, and scores the result.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-output/quickstart}

echo "== install and build"
tools/install-deps.sh
cmake --preset release -DLLMEVAL_BENCH=OFF >/dev/null
cmake --build --preset release --target llmeval -j "$(nproc)" | tail -n 1
llmeval=build/release/llmeval

mkdir -p "$out"
rm -f "$out/port" "$out"/aime24.jsonl*

echo
echo "== a server with scripted answers (yours would be vLLM, SGLang or \`llmeval serve --model DIR\`)"
"$llmeval" serve --generator scripted --answers data/aime24.jsonl --host 127.0.0.1 --port 0 --port_file "$out/port" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
for _ in $(seq 100); do
    [ -s "$out/port" ] && break
    sleep 0.1
done
port=$(cat "$out/port")

echo
echo "== 30 problems, 64 samples each"
"$llmeval" online \
    --input_file data/aime24.jsonl \
    --output_file "$out/aime24.jsonl" \
    --base_url "http://127.0.0.1:$port/v1" \
    --model_name scripted \
    --n_samples 64

echo
echo "== score"
"$llmeval" score \
    --input_path "$out/aime24.jsonl" \
    --task_name math_opensource/aime24 \
    --cache_path "$out/aime24.scored.jsonl" \
    --result_path "$out/aime24.score.json"

echo
echo "results are in $out/"
