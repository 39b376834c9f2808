#!/usr/bin/env bash
# inspect logits over a whole golden file: logits, best ids, greedy tokens and log-likelihoods of a tiny
# model, on one rank and on two, and clear refusals.
set -euo pipefail
bin=$1
models=$2/tests/data/models
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

for model in qwen2-tied-bf16 qwen3-untied-yarn-f32; do
    python3 - "$models/$model" "$dir" <<'PY'
import json, sys
g = json.load(open(sys.argv[1] + "/golden/golden.json"))
with open(sys.argv[2] + "/in.jsonl", "w") as out:
    for c in g["cases"]:
        out.write(json.dumps({"ids": c["input_ids"], "positions": c["positions"], "top": 20}) + "\n")
    for c in g["greedy"]:
        out.write(json.dumps({"ids": c["prompt_ids"], "greedy": len(c["tokens"])}) + "\n")
    for c in g["loglikelihood"]:
        out.write(json.dumps({"ids": c["context_ids"], "continuation": c["continuation_ids"]}) + "\n")
PY
    for ranks in 1 2; do
        # qwen3-untied-yarn-f32 has 3 kv heads, which two ranks cannot share
        [[ $ranks == 2 && $model == qwen3-untied-yarn-f32 ]] && continue
        "$bin" inspect logits --model_name_or_path "$models/$model" --input_file "$dir/in.jsonl" --dtype float32 --json \
            --logits_file "$dir/$ranks.bin" --tensor_parallel_size $ranks >"$dir/$ranks.jsonl"
    done
    if [[ -f $dir/2.jsonl ]]; then
        cmp "$dir/1.jsonl" "$dir/2.jsonl"
        cmp "$dir/1.bin" "$dir/2.bin"
        rm "$dir/2.jsonl"
    fi
    python3 - "$models/$model" "$dir" <<'PY'
import array, json, sys
model, folder = sys.argv[1:]
g = json.load(open(model + "/golden/golden.json"))
lines = [json.loads(line) for line in open(folder + "/1.jsonl")]
got = array.array("f", open(folder + "/1.bin", "rb").read())
assert len(lines) == len(g["cases"]) + len(g["greedy"]) + len(g["loglikelihood"]), len(lines)
at = 0
for c, line in zip(g["cases"], lines):
    want = array.array("f", open(f"{model}/golden/{c['logits_file']}", "rb").read())
    limit = 5e-4 if c["n_tokens"] <= 300 else 2e-3
    worst = max(abs(a - b) for a, b in zip(want, got[at:at + len(want)]))
    assert worst <= limit, (c["name"], worst)
    at += len(want)
    assert [t["position"] for t in line["top"]] == c["positions"]
    best = dict(zip(c["top20"]["positions"], zip(c["top20"]["ids"], c["top20"]["logprobs"])))
    for t in line["top"]:
        if t["position"] not in best:
            continue
        ids, logprobs = best[t["position"]]
        assert max(abs(a - b) for a, b in zip(t["logprobs"], logprobs)) < 2 * limit
        swapped = [i for i, (a, b) in enumerate(zip(t["ids"], ids)) if a != b]
        assert all(i == 19 or min(abs(logprobs[i] - x) for j, x in enumerate(logprobs) if j != i) < 2 * limit for i in swapped)
assert len(got) == at, (len(got), at)
rest = lines[len(g["cases"]):]
for c, line in zip(g["greedy"], rest):
    assert line["greedy"]["tokens"] == c["tokens"]
    assert max(abs(a - b) for a, b in zip(line["greedy"]["logprobs"], c["logprobs"])) < 1e-3
for c, line in zip(g["loglikelihood"], rest[len(g["greedy"]):]):
    out = line["continuation"]
    assert abs(out["sum_logprob"] - c["sum_logprob"]) <= 1e-3 * max(1, len(c["continuation_ids"]) / 10), (out, c)
    assert out["is_greedy"] == c["is_greedy"]
    assert max(abs(a - b) for a, b in zip(out["logprobs"], c["logprobs"])) < 1e-3
PY
done

refuse() { # words that the one line must hold, then the input line
    echo "$2" >"$dir/bad.jsonl"
    if "$bin" inspect logits --model_name_or_path "$models/qwen2-tied-bf16" --input_file "$dir/bad.jsonl" >"$dir/out" 2>"$dir/err"; then
        echo "accepted: $2" >&2
        exit 1
    fi
    grep -q "$1" "$dir/err" || { cat "$dir/err" >&2; exit 1; }
    [[ $(wc -l <"$dir/err") == 1 ]]
}
refuse 'bad.jsonl:1: "ids"\[1\] is not an integer within 0 to 1023' '{"ids": [1, 1024]}'
refuse 'bad.jsonl:1: "ids" is empty' '{"ids": []}'
refuse 'bad.jsonl:1: "positions"\[0\]' '{"ids": [1, 2], "positions": [2]}'
refuse 'bad.jsonl:1: "top"' '{"ids": [1], "top": -1}'
refuse 'over max_model_len 1024' '{"ids": [1], "continuation": '"$(python3 -c 'print([1] * 1100)')"'}'

# Two processes give the bits of one, where MPI is there to start them.
if command -v mpirun >/dev/null && [[ $(ldd "$bin") == *libmpi* ]]; then
    model=$models/qwen2-tied-bf16
    echo '{"ids": [5, 6, 7, 8], "positions": [0, 3], "top": 5, "greedy": 40}' >"$dir/in.jsonl"
    "$bin" inspect logits --model_name_or_path "$model" --input_file "$dir/in.jsonl" --logits_file "$dir/one.bin" >"$dir/one"
    # Open MPI leaks, and takes its own locks in two orders, which the sanitizers would report as ours.
    ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=report_bugs=0 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun --oversubscribe -n 2 "$bin" inspect logits \
        --model_name_or_path "$model" --input_file "$dir/in.jsonl" --logits_file "$dir/two.bin" >"$dir/two"
    cmp "$dir/one" "$dir/two"
    cmp "$dir/one.bin" "$dir/two.bin"
fi
