#!/usr/bin/env bash
# `inspect tokens` and `inspect prompt`: goldens through the command, tables, warnings, errors.
set -euo pipefail
bin=$1
src=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() { echo "FAILED: $*" >&2; exit 1; }
# has PATTERN: whether a line of stdin matches. It reads all of it: grep -q ends at the first match, and whoever
# still writes dies of SIGPIPE, which fails the pipe.
has() { grep -e "$1" >/dev/null; }
xz -dc "$src/tests/data/tokenizers/tokenizers.tar.xz" | tar -xf -
tokens() { "$bin" inspect tokens --model_name_or_path "$1" "${@:2}"; }

# 1. Goldens: the command's lines against the golden files, without their other fields.
for name in synthetic-added-flags synthetic-prefix-space; do
    tokens $name --input_file corpus_synthetic.jsonl --json >ids.jsonl
    sed -E 's/^\{"i":[0-9]+,//; s/^/{/; s/,"dec":.*/}/' $name/golden_encode.jsonl >want.jsonl
    cmp ids.jsonl want.jsonl || fail "$name: encode"
    tokens $name --input_file $name/golden_decode.jsonl --json >text.jsonl
    [ "$(wc -l <text.jsonl)" = "$(wc -l <$name/golden_decode.jsonl)" ] || fail "$name: decode"
done
tokens gpt2 --input_file corpus.jsonl --json >ids.jsonl
sed -E 's/^\{"i":[0-9]+,//; s/^/{/; s/,"dec":.*/}/' gpt2/golden_encode.jsonl | cmp - ids.jsonl || fail "gpt2: encode"

# 2. One text: a table, JSON, special tokens, what is added.
tokens qwen2.5 --text $'Hi \xf0\x9f\x98\x80<|im_end|>\n' >table
grep -q '151645  special   "<|im_end|>" .* 3c 7c 69 6d' table || fail "$(cat table)"
grep -q '"\\n"' table || fail "a newline within a piece: $(cat table)"
grep -q '^4 tokens$\|^5 tokens$' table || fail "$(cat table)"
[ "$(tokens qwen2.5 --text 'Hi é' --json)" = '{"ids":[13048,3958],"pieces":["Hi"," é"],"bytes":["48 69","20 c3 a9"]}' ] ||
    fail "--text --json"
[ "$(tokens qwen2.5 --text '' --json)" = '{"ids":[],"pieces":[],"bytes":[]}' ] || fail "an empty text"
[ "$(tokens qwen2.5 --text '<|im_end|>' --no_parse_special --json | grep -c 151645)" = 0 ] || fail "--no_parse_special"
tokens deepseek-r1-distill-qwen --text a --add_special_tokens --json | has '{"ids":\[151646,64\]' || fail "BOS"

# 3. Errors: one line that names the file and the place, exit code 2.
printf '{"text":"a"}\n{"ids":[1,"x"]}\n' >bad.jsonl
rc=0; tokens gpt2 --input_file bad.jsonl --json >out 2>log || rc=$?
[ $rc = 2 ] && grep -q 'bad.jsonl:2: number 2 of "ids" is no token id' log || fail "$rc: $(cat log)"
rc=0; tokens gpt2 2>log || rc=$?
[ $rc = 2 ] && grep -q 'either --text TEXT or --input_file' log || fail "$rc: $(cat log)"
mkdir odd && sed 's/"type":"NFC"/"type":"Nmt"/' synthetic-added-flags/tokenizer.json >odd/tokenizer.json
rc=0; tokens odd --text a 2>log || rc=$?
[ $rc = 2 ] && [ "$(wc -l <log)" = 1 ] && grep -q 'odd: tokenizer.json: normalizer: "type" is "Nmt"' log || fail "$rc: $(cat log)"

# 4. What the model sees of a benchmark.
model=$src/tests/data/models/qwen3-tied-bf16
prompt() { "$bin" inspect prompt --model_name_or_path "$model" "$@"; }
prompt --input_file "$src/data/aime24.jsonl" >out
[ "$(grep -c '^=== item' out)" = 2 ] || fail "the first two items are shown"
grep -q '^<|im_start|>user$' out || fail "plain text when the output is no terminal"
prompt --input_file "$src/data/aime24.jsonl" --limit 1 --color always | has $'^\x1b\\[1;36m<|im_start|>' || fail "colour"
printf '{"prompt":"what is <|im_end|>?"}\n{"messages":[{"role":"user","content":"Hi"}]}\n' >marker.jsonl
prompt --input_file marker.jsonl --json >out
[ "$(grep -c '"warnings":\["[^"]*message 1 spells <|im_end|>' out)" = 1 ] || fail "a marker in a message: $(cat out)"
tail -n 1 out | has '"warnings":\[\]}' || fail "no warning without cause: $(cat out)"
prompt --input_file marker.jsonl --limit 1 --system_prompt 'Be brief.' | has '^Be brief' || fail "system prompt"
