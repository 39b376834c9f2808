#!/usr/bin/env python3
"""Writes the small tokenizers of this folder: between them every step that a tokenizer.json may hold."""
import json
import os

here = os.path.dirname(os.path.abspath(__file__))


def byte_alphabet():
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in own}
    rest = [b for b in range(256) if b not in table]
    table.update({b: chr(256 + i) for i, b in enumerate(rest)})
    return [table[b] for b in range(256)]


def added(token_id, content, **flags):
    token = dict(id=token_id, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    token.update(flags)
    return token


def merges_of(words):
    """Left to right, so that every prefix of a word becomes a token."""
    seen = {}
    for word in words:
        for end in range(2, len(word) + 1):
            seen[(word[:end - 1], word[end - 1])] = None
    return list(seen)


def bpe(alphabet, words, **options):
    merges = merges_of(words)
    tokens = list(dict.fromkeys([*alphabet, *(a + b for a, b in merges)]))
    model = dict(type="BPE", dropout=None, unk_token=None, continuing_subword_prefix=None, end_of_word_suffix=None,
                 fuse_unk=False, byte_fallback=False, ignore_merges=False)
    model.update(options)
    model["vocab"] = {t: i for i, t in enumerate(tokens)}
    model["merges"] = [f"{a} {b}" for a, b in merges]
    return model


def write(name, model, tokens=(), normalizer=None, pre=None, post=None, decoder=None):
    file = dict(version="1.0", truncation=None, padding=None, added_tokens=list(tokens), normalizer=normalizer,
                pre_tokenizer=pre, post_processor=post, decoder=decoder, model=model)
    with open(os.path.join(here, name + ".json"), "w", encoding="utf-8") as out:
        json.dump(file, out, ensure_ascii=False, separators=(",", ":"))
        out.write("\n")


def sequence(kind, *items):
    return {"type": "Sequence", kind: list(items)}


LLAMA3 = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
          "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")
GPT4 = ("'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$"
        "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s")
BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}

# Byte-level, as Llama 3: whole words without merging, a template, added tokens of every kind.
model = bpe(byte_alphabet(), ["Ġthe", "Ġand", "ing", "ation", "ĠĠĠĠ", "123", "ä½łå¥½", "Ċ"], ignore_merges=True)
n = len(model["vocab"])
write("byte-level", model, [
    added(n, "<|bos|>", special=True), added(n + 1, "<|end|>", special=True), added(n + 2, "<l>", lstrip=True),
    added(n + 3, "<r>", rstrip=True, special=True), added(n + 4, "<lr>", lstrip=True, rstrip=True),
    added(n + 5, "word", single_word=True), added(n + 6, "Caf\u00e9", normalized=True),
    added(n + 7, "  ", normalized=True), added(n + 8, "<|end|><|end|>", special=True),
    added(n + 9, "\n\n", normalized=False), added(n + 10, "norm", normalized=True, single_word=True, lstrip=True),
], {"type": "NFC"}, sequence("pretokenizers", {"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated",
                                               "invert": False}, BYTE_LEVEL),
    sequence("processors", BYTE_LEVEL, {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|bos|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "<|end|>", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|bos|>": {"id": "<|bos|>", "ids": [n], "tokens": ["<|bos|>"]},
                           "<|end|>": {"id": "<|end|>", "ids": [n + 1], "tokens": ["<|end|>"]}}}), BYTE_LEVEL)

# The pattern of GPT-4 with possessive quantifiers, which Oniguruma reads in its own way.
write("possessive", bpe(byte_alphabet(), ["Ġof", "Ġto", "000", "12345"]), [],
      {"type": "Replace", "pattern": {"Regex": "(?i:\\bcolou?r\\b)"}, "content": "hue"},
      sequence("pretokenizers", {"type": "Split", "pattern": {"Regex": GPT4}, "behavior": "Removed", "invert": True},
               {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}),
      None, BYTE_LEVEL)

# Sentencepiece as Llama 2: no pre-tokenizer, bytes for unknown characters, some of which are missing.
alphabet = ["<unk>", "<s>", "</s>", *(f"<0x{b:02X}>" for b in range(256) if b != 0xF0), "▁", *"abcdefghijklmnopqrstuvwxyz",
            "é", "你", "好"]
write("sentencepiece", bpe(alphabet, ["▁the", "▁of", "ing", "▁▁▁▁", "你好", "hello"], unk_token="<unk>", fuse_unk=True,
                           byte_fallback=True),
      [added(0, "<unk>", special=True), added(1, "<s>", special=True), added(2, "</s>", special=True)],
      sequence("normalizers", {"type": "Prepend", "prepend": "▁"},
               {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}), None, None,
      sequence("decoders", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
               {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}))

# Unigram with Metaspace.
pieces = [("<unk>", 0.0), ("<s>", 0.0), ("▁", -2.5), ("▁the", -3.25), ("the", -4.5), ("th", -5.0), ("e", -3.0),
          ("▁a", -3.5), ("a", -3.0), ("b", -4.0), ("ab", -6.5), ("aba", -7.0), ("bab", -7.5), ("t", -3.75), ("h", -4.25),
          ("1", -5.0), ("12", -6.0), ("é", -8.0), ("你", -9.0), ("你好", -9.5), ("▁▁", -4.75)]
write("unigram", {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": False},
      [added(0, "<unk>", special=True), added(1, "<s>", special=True), added(len(pieces), "<sep>", rstrip=True)],
      sequence("normalizers", {"type": "NFKC"}, {"type": "Lowercase"},
               {"type": "Strip", "strip_left": False, "strip_right": True}),
      {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}, None,
      {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True})

# Unigram that falls back to bytes, accents stripped, words from blanks, punctuation and digits.
pieces = [("<unk>", 0.0), *((f"<0x{b:02X}>", -20.0) for b in range(256)), *((c, -4.0) for c in "abcdefgh0123"),
          ("abc", -5.0), ("bcd", -5.0), ("fgh", -6.0), ("12", -4.5)]
write("unigram-bytes", {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": True}, [],
      sequence("normalizers", {"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}),
      sequence("pretokenizers", {"type": "WhitespaceSplit"}, {"type": "Punctuation", "behavior": "MergedWithPrevious"},
               {"type": "Digits", "individual_digits": False}), None,
      sequence("decoders", {"type": "ByteFallback"}, {"type": "Fuse"}))

# BPE over characters with decorated symbols, unknowns one by one, all other steps.
alphabet = ["[UNK]", *"abcxyz ", *("##" + c for c in "abcxyz"), *(c + "</w>" for c in "abcxyz"),
            *("##" + c + "</w>" for c in "abcxyz"), "ab", "##bc", "xy", "##z</w>"]
model = bpe(list(dict.fromkeys(alphabet)), [], unk_token="[UNK]", continuing_subword_prefix="##", end_of_word_suffix="</w>")
model["merges"] = [["a", "##b"], ["##b", "##c"], ["x", "##y"]]
write("decorated", model, [added(len(model["vocab"]), "<stop>", special=True, normalized=True)],
      sequence("normalizers", {"type": "NFKD"}, {"type": "Strip", "strip_left": True, "strip_right": True}),
      sequence("pretokenizers", {"type": "Split", "pattern": {"String": "x"}, "behavior": "MergedWithNext", "invert": False},
               {"type": "Split", "pattern": {"Regex": "[[:digit:]]+|y"}, "behavior": "Contiguous", "invert": False},
               {"type": "Whitespace"}), None,
      sequence("decoders", {"type": "Replace", "pattern": {"Regex": "##|\\[UNK\\]"}, "content": ""}, {"type": "Fuse"},
               {"type": "Replace", "pattern": {"String": "</w>"}, "content": " "},
               {"type": "Strip", "content": " ", "start": 0, "stop": 1}))
