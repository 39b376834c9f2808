#!/usr/bin/env bash
# From a fresh Debian 12 to a score: installs what is missing, builds, samples 200 problems of arithmetic 16 times each
# from the model in the box, shows that a server over the same model gives the same answers, and prints the summary.
set -euo pipefail
cd "$(dirname "$0")"
out=${1:-output/quickstart}

echo "== install and build"
tools/install-deps.sh
cmake --preset release -DLLMEVAL_TESTS=OFF -DLLMEVAL_BENCH=OFF >/dev/null
cmake --build --preset release --target llmeval -j "$(nproc)" | tail -n 1
llmeval=build/release/llmeval

rm -rf "$out"
mkdir -p "$out"

echo
echo "== 200 problems, 16 samples each, from models/abacus in this process"
"$llmeval" run --tasks abacus --model_name_or_path models/abacus --n_samples 16 --output_dir "$out" >/dev/null

echo
echo "== the same model behind an OpenAI-compatible server: 20 of the problems, 4 samples each"
"$llmeval" serve --model models/abacus --host 127.0.0.1 --port 0 --port_file "$out/port" 2>"$out/server.log" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true' EXIT
for _ in $(seq 300); do
    [ -s "$out/port" ] && break
    kill -0 $server 2>/dev/null || { cat "$out/server.log" >&2; exit 1; }
    sleep 0.1
done
sed -n '1~10p' data/abacus.jsonl >"$out/twenty.jsonl"
"$llmeval" online --input_file "$out/twenty.jsonl" --output_file "$out/served.jsonl" \
    --base_url "http://127.0.0.1:$(cat "$out/port")/v1" --n_samples 4

# doc_id, sample index and answer of every row; the rest, such as the time it took, may differ.
answers() { sed -E 's/.*"doc_id":("[^"]*"),"sample_index":([0-9]+).*"gen":("([^"\\]|\\.)*").*/\1 \2 \3/' "$1" | sort; }
answers "$out/abacus.jsonl" >"$out/in_process.txt"
answers "$out/served.jsonl" >"$out/served.txt"
same=$(comm -12 "$out/in_process.txt" "$out/served.txt" | wc -l)
all=$(wc -l <"$out/served.txt")
echo "$same of $all answers are the same, byte for byte"
[ "$same" = "$all" ] || exit 1

echo
sed '/^## Run/,$d' "$out/summary.md"
echo "The whole summary is in $out/summary.md, the answers and verdicts beside it."
