"""A small byte-level BPE in the layout of Qwen's tokenizer.json: every digit is a token of its own.

The alphabet is the 256 bytes; merges are learned from generated problems. Generated text is ASCII, so the training
code splits with an ASCII form of the pattern; the file carries Qwen2's pattern, which agrees on ASCII.
"""

import collections
import json
import re

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
ASCII = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]| ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
PLAIN_ADDED = ["<think>", "</think>"]  # one token each, kept when special tokens are dropped


def byte_alphabet():
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table, extra = {}, 0
    for b in range(256):
        if b in keep:
            table[b] = chr(b)
        else:
            table[b] = chr(256 + extra)
            extra += 1
    return table


ALPHABET = byte_alphabet()


class Tokenizer:
    def __init__(self, merges):
        self.merges = merges
        self.vocab = {}
        for b in sorted(ALPHABET.values()):
            self.vocab[b] = len(self.vocab)
        for a, b in merges:
            self.vocab[a + b] = len(self.vocab)
        self.added = {}
        for text in SPECIAL + PLAIN_ADDED:
            self.added[text] = len(self.vocab) + len(self.added)
        self.rank = {m: i for i, m in enumerate(merges)}
        self.cache = {}
        self.split = re.compile("(" + "|".join(re.escape(t) for t in self.added) + ")")

    def word(self, text):
        if text not in self.cache:
            parts = [ALPHABET[b] for b in text.encode()]
            while len(parts) > 1:
                best = min(range(len(parts) - 1), key=lambda i: self.rank.get((parts[i], parts[i + 1]), 1 << 30))
                if (parts[best], parts[best + 1]) not in self.rank:
                    break
                parts[best : best + 2] = [parts[best] + parts[best + 1]]
            self.cache[text] = [self.vocab[p] for p in parts]
        return self.cache[text]

    def encode(self, text):
        ids = []
        for piece in self.split.split(text):
            if piece in self.added:
                ids.append(self.added[piece])
            else:
                for w in ASCII.findall(piece):
                    ids += self.word(w)
        return ids

    def size(self):
        return len(self.vocab) + len(self.added)

    def write(self, folder):
        added = [
            {"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
             "special": t in SPECIAL}
            for t, i in self.added.items()
        ]
        data = {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "NFC"},
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}]},
            "post_processor": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
            "decoder": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                      "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": self.vocab, "merges": [f"{a} {b}" for a, b in self.merges]},
        }
        with open(f"{folder}/tokenizer.json", "w", encoding="utf-8") as f:
            json.dump(data, f, ensure_ascii=False, indent=1)
        template = (
            "{% for message in messages %}"
            "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
            "{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
        )
        config = {
            "add_bos_token": False, "add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>", "unk_token": None, "chat_template": template, "model_max_length": 256,
            "clean_up_tokenization_spaces": False, "tokenizer_class": "Qwen2Tokenizer",
        }
        with open(f"{folder}/tokenizer_config.json", "w", encoding="utf-8") as f:
            json.dump(config, f, ensure_ascii=False, indent=2)


def learn(texts, n_merges):
    """The most frequent pair first, the smaller one on ties: the same texts give the same merges."""
    counts = collections.Counter(w for t in texts for w in ASCII.findall(t))
    words = [([ALPHABET[b] for b in w.encode()], n) for w, n in counts.items()]
    merges = []
    while len(merges) < n_merges:
        pairs = collections.Counter()
        for parts, n in words:
            for p in zip(parts, parts[1:]):
                pairs[p] += n
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        for parts, _ in words:
            i = 0
            while i + 1 < len(parts):
                if (parts[i], parts[i + 1]) == best:
                    parts[i : i + 2] = [best[0] + best[1]]
                i += 1
    return Tokenizer(merges)
