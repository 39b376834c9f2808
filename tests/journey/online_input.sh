#!/usr/bin/env bash
# A new user's mistakes: each gives one clear line, status 2, and leaves earlier results as they were. Then
# Ctrl-C, and the key that must not be found anywhere.
set -euo pipefail
BIN=$1
SOURCE=$2
WORK=$(mktemp -d)
. "$SOURCE/tests/journey/lib/online.sh"
cd "$WORK"
unset OPENAI_API_KEY OPENAI_BASE_URL

head -3 "$SOURCE/data/aime24.jsonl" >in.jsonl
# Replies long enough that every row is over a KiB, the unit of the limit that stands for a full disk below.
start_server --answers in.jsonl --reply_tokens 200 --served_model_name right-model

# refuse WORDS OPTIONS...: status 2, exactly one line that is an error, with the words in it
refuse() {
    local words=$1 status=0
    shift
    "$BIN" online "$@" >out.txt 2>err.txt || status=$?
    [ $status = 2 ] || fail "$words: status $status: $(cat err.txt)"
    [ "$(grep -c 'error: ' err.txt)" = 1 ] || fail "$words: not one line: $(cat err.txt)"
    grep -qF -- "$words" err.txt || fail "\"$words\" is not in: $(cat err.txt)"
    [ ! -s out.txt ] || fail "$words: something on stdout"
}

"$BIN" online --input_file in.jsonl --output_file good.jsonl --base_url "$url" --max_tokens 900 2>log.txt || fail "$(cat log.txt)"
cp good.jsonl good.copy
good() {
    cmp good.jsonl good.copy || fail "earlier results were touched"
}

options() { # for the server that is running now
    ok=(--input_file in.jsonl --output_file good.jsonl --base_url "$url" --max_tokens 900)
}
options
refuse "unknown option --input_fil; did you mean --input_file?" --input_fil in.jsonl
refuse "--input_file is needed" --base_url "$url"
refuse "--base_url is needed" --input_file in.jsonl --output_file good.jsonl
refuse "missing.jsonl: No such file or directory" "${ok[@]}" --input_file missing.jsonl
refuse "--temperature 7 is out of range" "${ok[@]}" --temperature 7
refuse "--n_samples takes a whole number" "${ok[@]}" --n_samples many
refuse "--extra_body is not JSON" "${ok[@]}" --extra_body '{x'
refuse "--extra_body is an array" "${ok[@]}" --extra_body '[]'
refuse "--extra_body may not set" "${ok[@]}" --extra_body '{"n": 4}'
refuse "only http:// and https://" --input_file in.jsonl --output_file good.jsonl --base_url ftp://x
refuse "no server at http://127.0.0.1:1/v1" --input_file in.jsonl --output_file good.jsonl --base_url 127.0.0.1:1
refuse "does not serve \"wrong-model\"; it serves: right-model" "${ok[@]}" --model_name wrong-model
refuse "exclude each other" "${ok[@]}" --system_prompt x --system_prompt_type default
refuse "--system_prompt_type is one of empty|default" "${ok[@]}" --system_prompt_type nonsense
refuse "temperature was 0.6 and is now 0.5" "${ok[@]}" --temperature 0.5
refuse "n_samples was 1 and is now 2" "${ok[@]}" --n_samples 2

echo 'hello' >bad.jsonl
refuse "bad.jsonl:1: not a JSON object" "${ok[@]}" --input_file bad.jsonl
echo '{"question": "q"}' >bad.jsonl
refuse 'bad.jsonl:1: no field "prompt"; the line has: question. Name the right one with --input_key' "${ok[@]}" --input_file bad.jsonl
printf '{"prompt":"a","doc_id":1}\n{"prompt":"b","doc_id":1}\n' >bad.jsonl
refuse 'bad.jsonl:2: doc_id "1" stands in line 1 already' "${ok[@]}" --input_file bad.jsonl
{ printf '{"prompt":"'; head -c 100000000 /dev/zero | tr '\0' x; printf '"}\n'; } >bad.jsonl
refuse "bad.jsonl:1: the line has 100000013 bytes" "${ok[@]}" --input_file bad.jsonl
: >bad.jsonl
refuse "bad.jsonl: the file holds no problems" "${ok[@]}" --input_file bad.jsonl
refuse "good.jsonl:1: the field" "${ok[@]}" --input_file good.jsonl
refuse "is a folder" "${ok[@]}" --input_file .
good

# results that are damaged, of another run, or cannot be written
{ head -c 50 good.copy; echo; cat good.copy; } >damaged.jsonl
cp damaged.jsonl damaged.copy
refuse "damaged.jsonl:1: the string does not end; nothing was changed" "${ok[@]}" --output_file damaged.jsonl
cmp damaged.jsonl damaged.copy || fail "a refused file was touched"
refuse "is not a plain file" "${ok[@]}" --output_file .
if [ "$(id -u)" != 0 ]; then
    mkdir closed && chmod 555 closed
    refuse "closed/x.jsonl: cannot be written: Permission denied" "${ok[@]}" --output_file closed/x.jsonl
fi
refuse "/proc/x.jsonl: cannot be written" "${ok[@]}" --output_file /proc/x.jsonl # not even root writes there

# a disk that is full: a limit on file size stands for it
cp good.jsonl full.jsonl
cp good.jsonl.manifest.json full.jsonl.manifest.json
sed -i '$d' full.jsonl
cp full.jsonl full.copy
status=0
(
    trap '' XFSZ
    ulimit -f $(($(stat -c %s full.jsonl) / 1024 + 1))
    exec "$BIN" online "${ok[@]}" --output_file full.jsonl 2>err.txt
) || status=$?
[ $status = 2 ] && grep -q "full.jsonl: .*File too large" err.txt && grep -q "make room and run the same command again" err.txt ||
    fail "full disk: status $status: $(cat err.txt)"
cmp full.jsonl full.copy || fail "a full disk changed the rows"
"$BIN" online "${ok[@]}" --output_file full.jsonl 2>err.txt || fail "after the full disk: $(cat err.txt)"
[ "$(wc -l <full.jsonl)" = 3 ] || fail "after the full disk"
good
stop_server

# Ctrl-C: what has arrived stays, status 130, and how to go on is said; a second one ends at once.
start_server --answers in.jsonl --ttft_ms 200 --token_ms 1
options
"$BIN" online "${ok[@]}" --output_file int.jsonl --n_samples 400 --max_workers 8 2>err.txt &
client=$!
wait_until [ -s int.jsonl ]
kill -INT $client
status=0
wait $client || status=$?
n=$(wc -l <int.jsonl)
[ $status = 130 ] && [ "$n" -gt 0 ] && [ "$n" -lt 1200 ] || fail "Ctrl-C: status $status, $n rows: $(cat err.txt)"
grep -q "interrupted; what had arrived is in int.jsonl: run the same command again to go on" err.txt || fail "Ctrl-C: $(cat err.txt)"
[ -z "$(tail -c 1 int.jsonl)" ] || fail "Ctrl-C left half a line"
stop_server

# One writer at a time.
start_server --answers in.jsonl --ttft_ms 300
options
"$BIN" online "${ok[@]}" --output_file two.jsonl --n_samples 2000 --max_workers 4 2>first.txt &
client=$!
wait_until [ -s two.jsonl ]
refuse "process $client is writing this file" "${ok[@]}" --output_file two.jsonl --n_samples 2000
kill -KILL $client
wait $client 2>/dev/null || true
stop_server

# The key: right, wrong and refused, it is in no file, no line and no command line.
key=sk-canary-5f2e1d0c
start_server --answers in.jsonl --reply_tokens 20 --api_key $key --fault 500@2
options
mkdir keyed
"$BIN" online "${ok[@]}" --output_file keyed/a.jsonl --api_key $key --n_samples 5 >keyed/out 2>keyed/err ||
    fail "with the key: $(cat keyed/err)"
OPENAI_API_KEY=$key LLMEVAL_LOG=debug "$BIN" online "${ok[@]}" --output_file keyed/b.jsonl --n_samples 5 \
    >keyed/out2 2>keyed/err2 || fail "with the key in the environment: $(cat keyed/err2)"
refuse "refuses the key" "${ok[@]}" --api_key $key-wrong
cp err.txt keyed/err3
refuse "header has a line end inside" "${ok[@]}" --api_key "$key
x"
cp err.txt keyed/err4
! grep -r canary keyed || fail "the key was written down"
stop_server
start_server --answers in.jsonl --ttft_ms 500 --api_key $key
options
"$BIN" online "${ok[@]}" --output_file keyed/c.jsonl --api_key $key --n_samples 5 2>/dev/null &
client=$!
wait_until [ -e keyed/c.jsonl ]
! tr '\0' ' ' <"/proc/$client/cmdline" | grep -q canary || fail "the key is in the command line"
wait $client || fail "the last run"
stop_server
echo "all mistakes are told in one line"
