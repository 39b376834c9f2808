#!/usr/bin/env bash
# Every broken model gives one clear line and exit code 2.
set -euo pipefail
bin=$1
models=$2/tests/data/models
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 - "$bin" "$models" "$dir" <<'PY'
import json, os, shutil, struct, subprocess, sys
binary, models, root = sys.argv[1:]
lines = root + "/in.jsonl"
open(lines, "w").write('{"ids": [1, 2, 3], "top": 1}\n')
SINGLE, SHARDED = "qwen2-tied-bf16", "llama3-untied-bf16-sharded"

def read(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    return json.loads(raw[8:8 + n]), bytearray(raw[8 + n:])

def write(path, header, data, n=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    open(path, "wb").write(struct.pack("<Q", len(text) if n is None else n) + text + bytes(data))

def run(d, *more):
    return subprocess.run([binary, "inspect", "logits", "--model_name_or_path", d, "--input_file", lines, *more],
                          capture_output=True, text=True)

n_cases = 0
def case(what, words, change, base=SINGLE, more=()):
    """change(dir) breaks a copy of the model; the one line of the error must hold all words."""
    global n_cases
    d = root + "/model"
    shutil.rmtree(d, ignore_errors=True)
    shutil.copytree(models + "/" + base, d)
    change(d)
    r = run(d, *more)
    assert r.returncode == 2, (what, r.returncode, r.stderr)
    assert r.stdout == "", what
    err = r.stderr.strip()
    assert "\n" not in err and len(err) > 0, (what, err)
    for w in words:
        assert w in err, (what, w, err)
    n_cases += 1

def edit_config(**keys):
    def change(d):
        c = json.load(open(d + "/config.json"))
        for k, v in keys.items():
            if v is None:
                c.pop(k, None)
            else:
                c[k] = v
        json.dump(c, open(d + "/config.json", "w"))
    return change

def edit_weights(f, name="model.safetensors"):
    def change(d):
        h, data = read(d + "/" + name)
        r = f(h, data)
        write(d + "/" + name, h, data, r)
    return change

NORM = "model.norm.weight"
Q = "model.layers.0.self_attn.q_proj.weight"

def truncate(d):
    p = d + "/model-00002-of-00002.safetensors"
    raw = open(p, "rb").read()
    open(p, "wb").write(raw[:len(raw) // 2])
case("truncated shard", ["model-00002-of-00002.safetensors", "cut short"], truncate, SHARDED)
case("missing shard", ["model-00002-of-00002.safetensors"], lambda d: os.remove(d + "/model-00002-of-00002.safetensors"), SHARDED)

def overlap(h, data):
    a, b = sorted((k for k in h if k != "__metadata__"), key=lambda k: h[k]["data_offsets"])[:2]
    size = h[b]["data_offsets"][1] - h[b]["data_offsets"][0]
    h[b]["data_offsets"] = [h[a]["data_offsets"][0], h[a]["data_offsets"][0] + size]
case("overlapping tensors", ["model.safetensors", "overlap"], edit_weights(overlap))

def reshape(h, data):
    h[Q]["shape"] = [h[Q]["shape"][0] * 2, h[Q]["shape"][1] // 2]
case("wrong shape", [Q, "[128, 32]", "[64, 64]"], edit_weights(reshape))

def bytes_short(h, data):
    h[Q]["shape"] = [64, 63]
case("shape and bytes disagree", [Q, "8064", "8192"], edit_weights(bytes_short))

def drop(name):
    def f(h, data):
        a, b = h.pop(name)["data_offsets"]
        for k in h:
            if k != "__metadata__" and h[k]["data_offsets"][0] >= b:
                h[k]["data_offsets"] = [x - (b - a) for x in h[k]["data_offsets"]]
        del data[a:b]
    return f
case("missing tensor", [NORM, "missing"], edit_weights(drop(NORM)))

def extra(h, data):
    h["model.layers.0.surprise"] = {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]}
    data.extend(b"\0\0\0\0")
case("leftover tensor", ["model.layers.0.surprise", "no place"], edit_weights(extra))

def nan(name):
    def f(h, data):
        at = h[name]["data_offsets"][0]
        data[at:at + 2] = b"\xc0\x7f"
    return f
case("NaN in a matrix", ["self_attn", "not finite"], edit_weights(nan(Q)))
case("NaN in a norm", [NORM, "not finite"], edit_weights(nan(NORM)))

def as_ints(h, data):
    h[Q]["dtype"] = "I16"
case("integers for weights", [Q, "I16"], edit_weights(as_ints))
case("hostile header size", ["model.safetensors", "header claims"], edit_weights(lambda h, d: 2**64 - 1))
case("header over the file", ["model.safetensors", "header claims"], edit_weights(lambda h, d: 2**31))
case("empty weights", ["model.safetensors", "too few"], lambda d: open(d + "/model.safetensors", "wb").close())
case("header is no JSON", ["model.safetensors", "header"], lambda d: write(d + "/model.safetensors", b"{nope", b""))
case("no weights", ["neither model.safetensors nor"], lambda d: os.remove(d + "/model.safetensors"))
case("no config", ["config.json"], lambda d: os.remove(d + "/config.json"))
case("config is no JSON", ["config.json"], lambda d: open(d + "/config.json", "w").write("{"))

def edit_index(f):
    def change(d):
        p = d + "/model.safetensors.index.json"
        i = json.load(open(p))
        f(i["weight_map"])
        json.dump(i, open(p, "w"))
    return change
case("index puts a tensor elsewhere", [NORM, "model-00001-of-00002.safetensors"],
     edit_index(lambda m: m.__setitem__(NORM, "model-00001-of-00002.safetensors")), SHARDED)
case("index leaves the folder", ["../../etc/passwd", "not the name of a file"],
     edit_index(lambda m: m.__setitem__(NORM, "../../etc/passwd")), SHARDED)
case("index names what is not there", ["ghost"], edit_index(lambda m: m.__setitem__("ghost", "model-00001-of-00002.safetensors")), SHARDED)

case("unknown architecture", ["GPT2LMHeadModel", "Qwen2ForCausalLM"], edit_config(architectures=["GPT2LMHeadModel"]))
case("no architecture", ["architectures"], edit_config(architectures=None))
case("vocab smaller than tokenizer", ["tokenizer.json", "vocab_size 512"], edit_config(vocab_size=512, bos_token_id=None, eos_token_id=None))
case("missing size", ["hidden_size", "missing"], edit_config(hidden_size=None))
case("negative size", ["num_hidden_layers", "-1"], edit_config(num_hidden_layers=-1))
case("huge size", ["hidden_size"], edit_config(hidden_size=10**12))
case("heads do not divide", ["num_attention_heads", "num_key_value_heads"], edit_config(num_key_value_heads=3))
case("another activation", ["gelu"], edit_config(hidden_act="gelu"))
case("sliding window", ["use_sliding_window"], edit_config(use_sliding_window=True))
case("unknown rope", ["dynamic"], edit_config(rope_scaling={"rope_type": "dynamic", "factor": 2.0}))
case("unknown rope key", ["short_factor"], edit_config(rope_scaling={"rope_type": "yarn", "factor": 2.0, "short_factor": [1]}))
case("quantised", ["quantization_config"], edit_config(quantization_config={"quant_method": "awq"}))
case("too long", ["max_model_len 5000", "1024"], lambda d: None, more=["--max_model_len", "5000"])
huge = edit_config(hidden_size=65536, intermediate_size=65536, num_hidden_layers=1000, num_attention_heads=512,
                   num_key_value_heads=8, head_dim=128)
dummy = ["--load-format", "dummy"]
case("weights that do not fit", ["the weights need", "GB in bfloat16", "GB are free", "mpirun"], huge, more=[*dummy, "--dtype", "bfloat16"])
case("weights that do not fit in float32", ["the weights need", "--dtype bfloat16 needs half"], huge, more=[*dummy, "--dtype", "float32"])
case("bad rope option", ["rope_scaling as given"], lambda d: None, more=["--rope-scaling", "{"])
case("ranks that do not divide", ["tensor_parallel_size 8"], lambda d: None, more=["--tensor_parallel_size", "8"])
case("ranks that do not divide kv heads", ["tensor_parallel_size 2", "3 kv heads"], lambda d: None, "qwen3-untied-yarn-f32", more=["--tensor_parallel_size", "2"])

# What only looks odd is taken: YaRN by option reaches further, and dummy weights need config.json alone.
r = run(models + "/" + SINGLE, "--rope-scaling", '{"type": "yarn", "factor": 4, "original_max_position_embeddings": 1024}', "--max-model-len", "4096")
assert r.returncode == 0, r.stderr
d = root + "/dummy"
os.mkdir(d)
shutil.copy(models + "/" + SINGLE + "/config.json", d)
r = run(d, "--load-format", "dummy")
assert r.returncode == 0 and json.loads(r.stdout)["top"], r.stderr
print(n_cases, "broken models refused")
PY
