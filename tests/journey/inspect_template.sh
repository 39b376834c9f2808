#!/usr/bin/env bash
# inspect template: renderings, refusals and errors as lines; bad usage by exit code.
set -euo pipefail
llmeval=$1 source=$2
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"

cat >chat.jinja <<'T'
{%- if messages[0].role == 'tool' %}{{ raise_exception('no tools here') }}{% endif -%}
{{ bos_token }}{{ strftime_now('%d %b %Y') }}: {{ messages[0].content + '' }}{{ '!' if enable_thinking }}
T
cat >conversations.json <<'J'
[{"id": "plain", "messages": [{"role": "user", "content": "hi"}], "tools": null, "add_generation_prompt": true, "kwargs": {}},
 {"id": "kwargs", "messages": [{"role": "user", "content": "a\u2028b"}], "tools": null, "kwargs": {"enable_thinking": true}},
 {"id": "refused", "messages": [{"role": "tool", "content": "x"}], "tools": null, "kwargs": {}},
 {"id": "wrong", "messages": [{"role": "user", "content": null}], "tools": null, "kwargs": {}}]
J
cat >want <<'W'
{"id": "plain", "text": "<s>14 Mar 2025: hi"}
{"id": "kwargs", "text": "<s>14 Mar 2025: a\u2028b!"}
{"id": "refused", "error": "raise_exception", "message": "no tools here"}
{"id": "wrong", "error": "runtime", "message": "chat.jinja:2:71: '+' cannot be applied to a NoneType and a str, in `...rftime_now('%d %b %Y') }}: {{ messages[0].content + '' }}{{ '!' if enable_thinking }}`"}
W
"$llmeval" inspect template --template chat.jinja --conversations conversations.json \
    --tokens '{"bos_token": "<s>"}' --now "2025-03-14 15:09:26" --json >got
diff want got

# the same from a model directory
mkdir model && cp chat.jinja model/chat_template.jinja
echo '{"bos_token": {"content": "<b>"}}' >model/tokenizer_config.json
"$llmeval" inspect template --model_name_or_path model --conversations conversations.json --now "2025-03-14 15:09:26" >got
grep -qx '<b>14 Mar 2025: hi' got
grep -qx 'refused: no tools here' got

# every published template that the project carries parses by this way too
for t in "$source"/tests/data/chat_templates/*/template.jinja; do
    "$llmeval" inspect template --template "$t" --conversations "$source"/tests/data/chat_templates/conversations.json \
        --json | wc -l | grep -qx 55
done

refused() { # words: arguments
    local words=$1 code=0; shift
    "$llmeval" "$@" >out 2>err || code=$?
    [[ $code == 2 ]] && grep -qF -- "$words" err || { echo "exit $code: $*"; cat err; exit 1; }
}
echo '{{ x' >broken.jinja
echo '{}' >object.json
refused "this tag is never closed by }}" inspect template --template broken.jinja --conversations conversations.json
refused "array of conversations" inspect template --template chat.jinja --conversations object.json
refused "missing.json" inspect template --template chat.jinja --conversations missing.json
refused "--tokens" inspect template --template chat.jinja --conversations conversations.json --tokens '{'
refused "needs --template" inspect template --conversations conversations.json
refused "conversations" inspect template --template chat.jinja
refused 'inspect knows no "nothing"' inspect nothing
