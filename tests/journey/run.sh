#!/usr/bin/env bash
# llmeval run over two tasks: interrupted, continued, scored; the summary says what the stores hold.
set -euo pipefail
llmeval=$1
source=$2
work=$(mktemp -d)
server=
cleanup() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" 2>/dev/null; } || true
    rm -rf "$work"
}
trap cleanup EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

"$llmeval" serve --generator scripted --answers "$source/data/aime24.jsonl" --answers "$source/data/aime25.jsonl" \
    --served_model_name Qwen/QwQ-32B --host 127.0.0.1 --port 0 --port_file "$work/port" 2>"$work/server.log" &
server=$!
while [ ! -s "$work/port" ]; do
    kill -0 "$server" || fail "the server ended before it served: $(cat "$work/server.log")"
    sleep 0.1
done
url=http://127.0.0.1:$(cat "$work/port")/v1

run() {
    "$llmeval" run --tasks aime24,aime25 --data_dir "$source/data" --baselines_dir "$source/baselines" \
        --base_url "$url" --max_tokens 4096 --n_samples 8 "$@"
}

run --output_dir "$work/whole" >"$work/whole.txt" 2>"$work/whole.log" || fail "whole run: $(cat "$work/whole.log")"
for task in aime24 aime25; do
    [ "$(wc -l <"$work/whole/$task.jsonl")" = 240 ] || fail "$task has $(wc -l <"$work/whole/$task.jsonl") rows"
    [ "$(wc -l <"$work/whole/$task.scored.jsonl")" = 240 ] || fail "$task scored"
done

# Ctrl-C at some moment; whatever that moment was, the next run completes.
run --output_dir "$work/parts" >/dev/null 2>"$work/parts.log" &
pid=$!
sleep 0.2
kill -INT $pid 2>/dev/null || true
status=0
wait $pid || status=$?
case $status in 0 | 130) ;; *) fail "interrupted run ended with $status: $(cat "$work/parts.log")" ;; esac
run --output_dir "$work/parts" >"$work/parts.txt" 2>"$work/parts.log" || fail "continued run"

accuracy() { grep -E '^\| math_opensource' "$1"; }
[ "$(accuracy "$work/whole.txt")" = "$(accuracy "$work/parts.txt")" ] || fail "an interruption changed the score"
cmp "$work/whole.txt" "$work/whole/summary.md" || fail "stdout is not summary.md"
grep -q 'published by Qwen: 79.50' "$work/whole.txt" || fail "published figures are missing"
grep -q '| `temperature` | 0.6 |' "$work/whole.txt" || fail "parameters are missing"
grep -q '"samples_expected": 240' "$work/whole/summary.json" || fail "summary.json"

# The score alone, from the same file, is the same score.
"$llmeval" score --input_path "$work/whole/aime24.jsonl" --result_path "$work/again.json" >/dev/null
cmp "$work/again.json" "$work/whole/aime24.score.json" || fail "score and run disagree"

status=0
run --output_dir "$work/whole" --temperature 0.7 >/dev/null 2>"$work/other.log" || status=$?
[ $status = 2 ] && grep -q 'temperature was 0.6 and is now 0.7' "$work/other.log" || fail "other parameters: $status"
status=0
"$llmeval" run --tasks nope --data_dir "$source/data" --base_url "$url" 2>"$work/other.log" || status=$?
[ $status = 2 ] && grep -q 'there is no task "nope"' "$work/other.log" || fail "unknown task: $status"

# The server from the environment; a benchmark whose name belongs to another grader than mathematics.
mkdir "$work/data"
head -2 "$source/data/aime24.jsonl" | sed 's/"answer": *"[0-9]*"/"answer":"B"/' >"$work/data/gpqa_tiny.jsonl"
OPENAI_BASE_URL=$url "$llmeval" run --tasks gpqa_tiny --data_dir "$work/data" --n_samples 2 --output_dir "$work/env" \
    >"$work/env.txt" 2>"$work/env.log" || fail "from the environment: $(cat "$work/env.log")"
grep -q '"grader": "choice"' "$work/env/gpqa_tiny.score.json" || fail "gpqa was not graded as multiple choice"
grep -q "answers from: $url" "$work/env.txt" || fail "the server from the environment is not named"
status=0
OPENAI_BASE_URL= "$llmeval" run --tasks aime24 --data_dir "$source/data" 2>"$work/other.log" || status=$?
[ $status = 2 ] && grep -q 'give either --base_url' "$work/other.log" || fail "no server and no model: $status"

# A model folder: the manifest names the arithmetic that "auto" came to; two processes give the bytes of one.
model=$source/tests/data/models/qwen2-tied-bf16
run_in() {
    local dir=$1
    shift
    "$@" run --tasks gpqa_tiny --data_dir "$work/data" --model_name_or_path "$model" --n_samples 2 --max_tokens 20 \
        --output_dir "$dir" >"$dir.txt" 2>"$dir.log" || fail "model folder: $(cat "$dir.log")"
}
run_in "$work/one" "$llmeval"
grep -qE '"cpu_isa": "(plain|avx|amx)' "$work/one/gpqa_tiny.jsonl.manifest.json" || fail "the instruction set is not recorded"
grep -q '"dtype": "bfloat16"' "$work/one/gpqa_tiny.jsonl.manifest.json" || fail "the type is not recorded"
"$llmeval" run --tasks gpqa_tiny --data_dir "$work/data" --model_name_or_path "$model" --max_tokens 4 --output_dir "$work/think" \
    --no_enable_thinking --chat_template_kwargs '{"a": 1}' >/dev/null 2>"$work/other.log" || fail "thinking: $(cat "$work/other.log")"
grep -qF '"chat_template_kwargs": "{\"a\": 1, \"enable_thinking\": false}"' "$work/think/gpqa_tiny.jsonl.manifest.json" ||
    fail "the template's variables are not recorded: $(grep chat_template_kwargs "$work/think/gpqa_tiny.jsonl.manifest.json")"
# A task whose prompts do not fit: it is named and counted, the other one is scored.
{ printf '{"answer":"1","prompt":"'; head -c 20000 /dev/zero | tr '\0' 'x'; printf '"}\n'; } >"$work/data/long.jsonl"
status=0
"$llmeval" run --tasks long,gpqa_tiny --data_dir "$work/data" --model_name_or_path "$model" --max_tokens 4 --output_dir "$work/long" \
    >"$work/long.txt" 2>"$work/long.log" || status=$?
[ $status = 3 ] && grep -q '^| math_opensource/long | no answers |' "$work/long.txt" && grep -q '^| gpqa_tiny | ' "$work/long.txt" &&
    grep -q '^- failed by: 1 over the context$' "$work/long.txt" && grep -q '"math_opensource/long": null' "$work/long/summary.json" ||
    fail "a task without answers: $status: $(cat "$work/long.log" "$work/long.txt")"
if command -v mpirun >/dev/null && [[ $(ldd "$llmeval") == *libmpi* ]]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    # Open MPI leaks, and takes its own locks in two orders, which the sanitizers would report as ours.
    ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=report_bugs=0 run_in "$work/two" mpirun --oversubscribe -n 2 "$llmeval"
    cmp <(grep -o '"gen": *"[^"]*"' "$work/one/gpqa_tiny.jsonl" | sort) <(grep -o '"gen": *"[^"]*"' "$work/two/gpqa_tiny.jsonl" | sort) ||
        fail "two processes answered otherwise than one"
fi
echo ok
