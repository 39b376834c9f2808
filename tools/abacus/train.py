"""Trains the abacus model from scratch and writes a Hugging Face folder.

    python3 tools/abacus/train.py --output models/abacus --minutes 60 --processes 2

Needs PyTorch (Debian: python3-torch). The problems follow from --seed alone; the weights also from how many steps
fit into --minutes (or from --steps, which makes them repeatable on one machine).
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import struct
import time

import torch
from torch import nn
from torch.nn import functional as F

import problems
import tokenizer as tok

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "hidden_size": 192,
    "intermediate_size": 576, "num_hidden_layers": 6, "num_attention_heads": 6, "num_key_value_heads": 2,
    "max_position_embeddings": 256, "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "tie_word_embeddings": True,
    "attention_dropout": 0.0, "initializer_range": 0.02, "use_sliding_window": False, "torch_dtype": "bfloat16",
    "use_cache": True,
}
LEVEL_SHARE = [0.22, 0.28, 0.34, 0.16]


class Norm(torch.autograd.Function):
    """x / rms(x) * w, from float32 to bfloat16. Written out because the CPU is bound by the passes over memory."""

    @staticmethod
    def forward(ctx, x, w):
        rms = torch.linalg.vector_norm(x, dim=-1, keepdim=True).pow_(2).div_(x.shape[-1])
        r = rms.add_(CONFIG["rms_norm_eps"]).rsqrt_()
        unit, w = (x * r).bfloat16(), w.bfloat16()
        ctx.save_for_backward(unit, r, w)
        return unit * w

    @staticmethod
    def backward(ctx, g):
        unit, r, w = ctx.saved_tensors
        t = g * unit
        mean = (t @ w[:, None]).float().div_(unit.shape[-1]).bfloat16()
        return torch.addcmul(g * w, unit, mean, value=-1).float() * r, t.flatten(0, -2).sum(0, dtype=torch.float32)


class RMSNorm(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))

    def forward(self, x):
        return Norm.apply(x, self.weight)


class SwiGLU(torch.autograd.Function):
    """silu(a) * b"""

    @staticmethod
    def forward(ctx, a, b):
        s = torch.sigmoid(a)
        ctx.save_for_backward(a, b, s)
        return a * s * b

    @staticmethod
    def backward(ctx, g):
        a, b, s = ctx.saved_tensors
        t = a * s
        return torch.addcmul(s + t, t, s, value=-1).mul_(b).mul_(g), g * t


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads = c["num_attention_heads"], c["num_key_value_heads"]
        self.dim = c["hidden_size"] // self.heads
        self.q_proj = nn.Linear(c["hidden_size"], self.heads * self.dim)
        self.k_proj = nn.Linear(c["hidden_size"], self.kv_heads * self.dim)
        self.v_proj = nn.Linear(c["hidden_size"], self.kv_heads * self.dim)
        self.o_proj = nn.Linear(self.heads * self.dim, c["hidden_size"], bias=False)

    def forward(self, x, cos, sin, mask):
        B, T, _ = x.shape
        q = self.q_proj(x).view(B, T, self.heads, self.dim).transpose(1, 2)
        k = self.k_proj(x).view(B, T, self.kv_heads, self.dim).transpose(1, 2)
        v = self.v_proj(x).view(B, T, self.kv_heads, self.dim).transpose(1, 2)
        scale = self.dim**-0.5
        q, k = rotate(q, cos * scale, sin * scale), rotate(k, cos, sin)
        # The heads of a group share keys and values: they become further rows of one product.
        group = self.heads // self.kv_heads
        q = q.reshape(B, self.kv_heads, group * T, self.dim)
        scores = q @ k.transpose(2, 3) + mask.repeat(group, 1)
        y = scores.softmax(-1, dtype=torch.bfloat16) @ v
        y = y.view(B, self.heads, T, self.dim)
        return self.o_proj(y.transpose(1, 2).reshape(B, T, -1))


def rotate(x, cos, sin):
    """sin carries the sign: the first half of a head takes -sin of the second."""
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(SwiGLU.apply(self.gate_proj(x), self.up_proj(x)))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm = RMSNorm(c["hidden_size"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c["hidden_size"])
        self.mlp = MLP(c)

    def forward(self, x, cos, sin, mask):
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = RMSNorm(c["hidden_size"])
        dim = c["hidden_size"] // c["num_attention_heads"]
        inv = c["rope_theta"] ** (-torch.arange(0, dim, 2).double() / dim)
        angle = torch.outer(torch.arange(c["max_position_embeddings"]).double(), inv).repeat(1, 2)
        sign = torch.tensor([-1.0, 1.0]).repeat_interleave(dim // 2)
        self.register_buffer("cos", angle.cos().bfloat16(), persistent=False)
        self.register_buffer("sin", (angle.sin() * sign).bfloat16(), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                scale = 0.02 / math.sqrt(2 * c["num_hidden_layers"]) if "o_proj" in name or "down_proj" in name else 0.02
                nn.init.normal_(p, 0, scale)
            elif "bias" in name:
                nn.init.zeros_(p)

    def forward(self, ids):
        T = ids.shape[1]
        mask = torch.full((T, T), -1e4, dtype=torch.bfloat16).triu(1)
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, self.cos[:T], self.sin[:T], mask)
        return F.linear(self.norm(x), self.embed_tokens.weight)


class Batches:
    """An endless stream of batches of about n_tokens, samples of like length together."""

    def __init__(self, t, seed, n_tokens):
        self.t, self.rng, self.n_tokens = t, random.Random(seed), n_tokens
        self.ready = []

    def sample(self):
        while True:
            level = self.rng.choices([1, 2, 3, 4], LEVEL_SHARE)[0]
            p = problems.problem(self.rng, level, held_back=False)
            prompt = self.t.encode(f"<|im_start|>user\n{p['prompt']}<|im_end|>\n<|im_start|>assistant\n")
            answer = self.t.encode(problems.response(p) + "<|im_end|>")
            if len(prompt) + len(answer) <= CONFIG["max_position_embeddings"]:
                return prompt, answer

    def fill(self):
        samples = sorted((self.sample() for _ in range(3000)), key=lambda s: len(s[0]) + len(s[1]))
        i = 0
        while i < len(samples):
            width, j = 0, i
            while j < len(samples):
                longest = len(samples[j][0]) + len(samples[j][1])
                if longest * (j - i + 1) > self.n_tokens and j > i:
                    break
                width, j = longest, j + 1
            ids = torch.zeros(j - i, width, dtype=torch.long)
            target = torch.full((j - i, width), -100, dtype=torch.long)
            for row, (p, a) in enumerate(samples[i:j]):
                ids[row, : len(p) + len(a)] = torch.tensor(p + a)
                target[row, len(p) - 1 : len(p) + len(a) - 1] = torch.tensor(a)
            self.ready.append((ids, target))
            i = j
        self.rng.shuffle(self.ready)

    def next(self):
        if not self.ready:
            self.fill()
        return self.ready.pop()


def write_safetensors(path, model):
    names, blobs, header, at = [], [], {}, 0
    for name, p in sorted(model.named_parameters()):
        data = p.detach().to(torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()
        header["model." + name] = {"dtype": "BF16", "shape": list(p.shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        blobs.append(data)
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".tmp", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    os.replace(path + ".tmp", path)


def write_curve(path, curve):
    """The training loss as an SVG line, logarithmic in the loss."""
    w, h, left, bottom = 640, 360, 60, 40
    steps = [s for s, _ in curve]
    logs = [math.log10(l) for _, l in curve]
    lo, hi, last = min(logs), max(logs), max(steps)

    def xy(s, l):
        return left + (w - left - 20) * s / last, 20 + (h - bottom - 20) * (hi - l) / (hi - lo + 1e-9)

    line = " ".join("%.1f,%.1f" % xy(s, l) for s, l in zip(steps, logs))
    marks = ""
    for k in range(5):
        l = lo + (hi - lo) * k / 4
        x, y = xy(0, l)
        marks += f'<line x1="{left}" x2="{w - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        marks += f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{10**l:.3f}</text>'
        s = last * k // 4
        x, _ = xy(s, lo)
        marks += f'<text x="{x:.1f}" y="{h - bottom + 18}" text-anchor="middle">{s}</text>'
    with open(path, "w") as f:
        f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" font-family="sans-serif" font-size="11">'
                f'<rect width="{w}" height="{h}" fill="white"/>{marks}'
                f'<polyline points="{line}" fill="none" stroke="#1f6fb2" stroke-width="1.5"/>'
                f'<text x="{w / 2}" y="{h - 6}" text-anchor="middle">step</text>'
                f'<text x="14" y="{h / 2}" transform="rotate(-90 14 {h / 2})" text-anchor="middle">loss per answer token (nats)</text></svg>\n')


def learning_rate(done, peak):
    """Warm-up over 1 % of the run, then a cosine down to a twentieth; done is 0 to 1."""
    if done < 0.01:
        return peak * done / 0.01
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))


class Ranks:
    """The processes of a run. Each takes batches of its own; the mean of their gradients is the same in all."""

    def __init__(self, n, n_parameters):
        self.n = n
        self.barrier = multiprocessing.Barrier(n)
        self.gradients = [torch.zeros(n_parameters).share_memory_() for _ in range(n)]
        self.losses = torch.zeros(n).share_memory_()
        self.tokens = torch.zeros(n, dtype=torch.long).share_memory_()
        self.done = torch.zeros(1, dtype=torch.double).share_memory_()

    def average(self, rank, parameters, loss, n_tokens):
        self.losses[rank], self.tokens[rank] = loss, n_tokens
        torch.cat([p.grad.view(-1) for p in parameters], out=self.gradients[rank])
        self.barrier.wait()
        mean = sum(self.gradients[1:], self.gradients[0].clone()) / self.n
        loss, n_tokens = self.losses.mean().item(), self.tokens.sum().item()
        self.barrier.wait()
        for p, g in zip(parameters, mean.split([p.numel() for p in parameters])):
            p.grad.copy_(g.view_as(p))
        return loss, n_tokens


def train(rank, ranks, model, t, o):
    torch.set_num_threads(1)
    parameters = list(model.parameters())
    decay = [p for p in parameters if p.dim() == 2]
    other = [p for p in parameters if p.dim() != 2]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": other, "weight_decay": 0.0}],
                            lr=o.lr, betas=(0.9, 0.98))
    batches = Batches(t, o.seed + 1 + rank, o.tokens // ranks.n)
    start, curve, window, n_tokens, step = time.time(), [], [], 0, 0
    while True:
        if rank == 0:
            ranks.done[0] = step / o.steps if o.steps else (time.time() - start) / (60 * o.minutes)
        ranks.barrier.wait()
        done = ranks.done.item()
        if done >= 1:
            break
        for g in opt.param_groups:
            g["lr"] = learning_rate(done, o.lr)
        ids, target = batches.next()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(ids)
        loss = F.cross_entropy(logits.float().view(-1, logits.shape[-1]), target.view(-1), ignore_index=-100)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        loss, n = ranks.average(rank, parameters, loss.item(), ids.numel())
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        opt.step()
        step += 1
        n_tokens += n
        window.append(loss)
        if step % 100 == 0:
            curve.append((step, sum(window) / len(window)))
            window = []
            if rank == 0:
                print(f"step {step} loss {curve[-1][1]:.4f} tokens {n_tokens} seconds {time.time() - start:.0f}", flush=True)
        if rank == 0 and step % 1000 == 0:
            write_safetensors(f"{o.output}/model.safetensors", model)
    if rank != 0:
        return
    write_safetensors(f"{o.output}/model.safetensors", model)
    write_curve(f"{o.output}/loss.svg", curve)
    with open(f"{o.output}/training.json", "w") as f:
        json.dump({"parameters": sum(p.numel() for p in parameters), "steps": step, "tokens": n_tokens,
                   "seconds": round(time.time() - start), "seed": o.seed, "processes": ranks.n, "batch_tokens": o.tokens,
                   "learning_rate": o.lr, "final_loss": curve[-1][1]}, f, indent=2)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--output", default="models/abacus")
    ap.add_argument("--minutes", type=float, default=60)
    ap.add_argument("--steps", type=int, default=0, help="instead of --minutes")
    ap.add_argument("--processes", type=int, default=2, help="one a core")
    ap.add_argument("--tokens", type=int, default=6000, help="in a batch, over all processes")
    ap.add_argument("--lr", type=float, default=2e-3)
    ap.add_argument("--seed", type=int, default=1)
    o = ap.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(o.seed)
    os.makedirs(o.output, exist_ok=True)
    rng = random.Random(o.seed)
    texts = []
    for _ in range(4000):
        p = problems.problem(rng, rng.choices([1, 2, 3, 4], LEVEL_SHARE)[0], held_back=False)
        texts.append("user\n" + p["prompt"] + "\nassistant\n\n" + problems.response(p))
    t = tok.learn(texts, 160)
    CONFIG["vocab_size"] = (t.size() + 31) // 32 * 32
    CONFIG["bos_token_id"] = t.added["<|endoftext|>"]
    CONFIG["eos_token_id"] = t.added["<|im_end|>"]
    t.write(o.output)
    with open(f"{o.output}/config.json", "w") as f:
        json.dump(CONFIG, f, indent=2)
    with open(f"{o.output}/generation_config.json", "w") as f:
        json.dump({"bos_token_id": CONFIG["bos_token_id"], "eos_token_id": [CONFIG["eos_token_id"], CONFIG["bos_token_id"]],
                   "pad_token_id": CONFIG["bos_token_id"], "do_sample": True, "temperature": 0.6, "top_p": 0.95}, f, indent=2)

    model = Model(CONFIG)
    n = sum(p.numel() for p in model.parameters())
    print(f"{n} parameters, vocabulary {CONFIG['vocab_size']}", flush=True)
    ranks = Ranks(o.processes, n)
    others = [multiprocessing.Process(target=train, args=(r, ranks, model, t, o)) for r in range(1, o.processes)]
    for p in others:
        p.start()
    train(0, ranks, model, t, o)
    for p in others:
        p.join()


if __name__ == "__main__":
    main()
