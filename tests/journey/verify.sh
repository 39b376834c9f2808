#!/usr/bin/env bash
# verify: verdicts do not depend on the number of workers or the order of the pairs, exit codes, messages.
set -euo pipefail
bin=$1 source=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() { echo "verify.sh: $*" >&2; exit 1; }
rc_of() { local rc=0; "$@" >out.txt 2>err.txt || rc=$?; echo "$rc"; }
without_micros() { sed 's/, "micros": [0-9]*}$/}/' "$1"; }

# every fourth pair of the labelled cases is enough here; tests/math replays them all
awk 'NR % 4 == 0' "$source/tests/data/math/dev.jsonl" >pairs.jsonl
n=$(wc -l <pairs.jsonl)

for w in 1 2 5; do
    "$bin" verify --pairs pairs.jsonl --output "w$w.jsonl" --max_workers "$w" 2>"w$w.err"
    without_micros "w$w.jsonl" >"w$w.plain"
done
cmp w1.plain w2.plain || fail "two workers judge otherwise than one"
cmp w1.plain w5.plain || fail "five workers judge otherwise than one"
cmp w1.err w5.err || fail "the table depends on the number of workers"
[ "$(wc -l <w1.plain)" = "$n" ] || fail "not one line for each pair"
grep -q '^agreement' w1.err || fail "no table of agreement"

sort -t'"' -k4 pairs.jsonl | awk '{a[NR]=$0} END {for (i=NR; i>0; i--) print a[i]}' >shuffled.jsonl
"$bin" verify --pairs shuffled.jsonl --max_workers 2 2>/dev/null >s.jsonl
without_micros s.jsonl | sort >s.sorted
sort w1.plain >w.sorted
cmp w.sorted s.sorted || fail "verdicts depend on the order of the pairs"
diff <(grep -o '^{"id": "[^"]*"' s.jsonl) <(grep -o '^{"id": "[^"]*"' shuffled.jsonl) >/dev/null || fail "not in input order"

# one pair
[ "$(rc_of "$bin" verify '\frac{1}{2}' 'So the answer is $\boxed{0.5}$.')" = 0 ] || fail "0.5 is a half"
grep -q '^extracted  *0.5 *(boxed)' out.txt || fail "the rule is not shown: $(cat out.txt)"
grep -q '^verdict  *right' out.txt || fail "no verdict: $(cat out.txt)"
[ "$(rc_of "$bin" verify 3 'The answer is 4.')" = 1 ] || fail "4 is not 3"
[ "$(rc_of "$bin" verify --mode answer 3 '3.0')" = 0 ] || fail "a bare answer"

# bad usage and bad input
[ "$(rc_of "$bin" verify)" = 2 ] || fail "nothing given"
[ "$(rc_of "$bin" verify one)" = 2 ] || fail "one argument"
[ "$(rc_of "$bin" verify --pairs nowhere.jsonl)" = 2 ] || fail "no such file"
grep -q 'nowhere.jsonl' err.txt || fail "the file is not named"
printf '{"id": "a", "gold": "1", "pred": "1"}\n{"id": \n' >bad.jsonl
[ "$(rc_of "$bin" verify --pairs bad.jsonl)" = 2 ] || fail "a torn line"
grep -q 'bad.jsonl:2' err.txt || fail "the line is not named: $(cat err.txt)"
printf '{"id": "a", "gold": 1, "pred": "1"}\n' >bad.jsonl
[ "$(rc_of "$bin" verify --pairs bad.jsonl --output never.jsonl)" = 2 ] || fail "a gold that is no string"
[ ! -e never.jsonl ] || fail "output in spite of an error"
: >empty.jsonl
[ "$(rc_of "$bin" verify --pairs empty.jsonl --output e.jsonl)" = 0 ] || fail "no pairs are no error"
echo "verify.sh: ok, $n pairs"
