#!/usr/bin/env python3
"""Ids and decoded text against Hugging Face tokenizers and sentencepiece, over texts and random strings.

    tests/compare-tokenizers.py [--bin DIR] [--random N] TOKENIZER... [-- TEXT...]

TOKENIZER is a tokenizer.json, a SentencePiece model, or a folder with GPT-2's encoder.json and vocab.bpe. Each TEXT is compared
whole (but for SentencePiece) and line by line. Needs Python's tokenizers and sentencepiece, and spm_encode. Prints TAP. Not part of `make check`, which needs no Python.
"""
import argparse
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
import unicodedata

BLANKS = [" ", "\n", "\t", "\r", "\u3000", "\u00a0", "\u2028", "\x85", "\x0b", "\x1c", "\u180e", "\u200b", "\u200d", "\ufeff"]
TRICKY = ["'s", "'T", "'re", "'LL", "\u017f", "\u212a", "\u00e9", "e\u0301", "\uac00", "\u1100\u1161", "\ufb00", "\u2460", "\u00b2", "\u0663"]
POOLS = [
    [chr(c) for c in range(32, 127)], BLANKS, [chr(c) for c in range(0x4E00, 0x4F00)], list("。，、！？…（）،۔।.,!?|()'"), TRICKY,
    [chr(c) for c in range(0xA0, 0x600) if c not in range(0x530, 0x590)], ["😀", "👨\u200d👩\u200d👧", "🇨🇳", "\U00020000"], ["0", "12", "123", "4567"],
    ["the", " the", "ing", " a"],
]


def is_old(c):
    """Assigned, and with the combining class that it always had: the CAVEATS of pt-tokenize(1)."""
    return unicodedata.category(c) not in ("Cn", "Cs") and unicodedata.combining(c) == unicodedata.ucd_3_2_0.combining(c)


def random_texts(n, specials, seed=1):
    draw = random.Random(seed)
    pools = POOLS + [specials or ["<s>"]]
    for _ in range(n):
        chosen = (draw.choice(pools) for _ in range(draw.randint(1, 30)))
        yield "".join(draw.choice(pool) for pool in chosen for _ in range(draw.randint(1, 4)))
    for _ in range(n):
        points = (draw.randrange(draw.choice([0x250, 0x3100, 0x11000, 0x110000])) for _ in range(draw.randint(1, 60)))
        yield "".join(c for c in map(chr, points) if is_old(c))


class Fast:
    """A tokenizer.json."""

    def __init__(self, path):
        from tokenizers import Tokenizer
        self.tokenizer = Tokenizer.from_file(path)
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        added = {id: token.content for id, token in self.tokenizer.get_added_tokens_decoder().items()}
        self.specials = list(added.values())
        self.eos = next(token for token in (added.get(id, self.tokenizer.id_to_token(id)) for id in range(1000)) if token and token.isprintable())
        # From 0.23 on an added token is decoded as the normalizer leaves it, and then not known to be special; before, as it stands there.
        self.decodes = all(self.tokenizer.id_to_token(id) == content for id, content in added.items())
        front = self.tokenizer.encode("a").ids
        self.front = front[:front.index(self.tokenizer.encode("a", add_special_tokens=False).ids[0])]

    def takes(self, text):
        return True

    def encode(self, texts):
        return [self.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]

    def decode(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=False)


class Pieces:
    """A SentencePiece model, by spm_encode: it has the library that the tools are linked to, and other versions break ties otherwise."""

    def __init__(self, path):
        import sentencepiece
        self.path = path
        self.decodes = True
        self.model = sentencepiece.SentencePieceProcessor(model_file=path)
        self.specials = ["<s>", "</s>", "▁"]
        self.eos = self.model.id_to_piece(self.model.eos_id())
        self.front = [self.model.bos_id()] if self.model.bos_id() >= 0 else []

    def takes(self, text):
        return text and "\n" not in text

    def encode(self, texts):
        lines = "".join(text + "\n" for text in texts).encode()
        found = subprocess.run(["spm_encode", "--model=" + self.path, "--output_format=id"], input=lines, check=True, stdout=subprocess.PIPE)
        return [[int(word) for word in line.split()] for line in found.stdout.decode().split("\n")[:-1]]

    def decode(self, ids):
        return self.model.decode(ids)


def gpt2_as_json(folder, path):
    step = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    with open(os.path.join(folder, "encoder.json"), encoding="utf8") as file:
        vocabulary = json.load(file)
    with open(os.path.join(folder, "vocab.bpe"), encoding="utf8") as file:
        merges = [line for line in file.read().split("\n")[1:] if line]
    with open(path, "w", encoding="utf8") as file:
        json.dump({"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": step, "post_processor": step, "decoder": step,
                   "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "", "end_of_word_suffix": "",
                             "fuse_unk": False, "vocab": vocabulary, "merges": merges}}, file)


def examples(stream):
    """The ids of a stream's examples (see pt-stream.5 and examples/read-stream.py, which also checks it)."""
    at, found = 8, []
    while at < len(stream):
        kind, _, size, count, _ = struct.unpack_from("<8sQQQQ", stream, at)
        payload = stream[at + 40:at + 40 + size]
        at += 48 + size
        if kind.strip() == b"examples":
            place = 8 * count
            for length in struct.unpack_from(f"<{count}Q", payload):
                found.append([word & 0x7FFFFFFF for word in struct.unpack_from(f"<{length}I", payload, place)])
                place += 4 * length
    return found


def tokenize(binary, path, eos, texts, scratch):
    """Ids of all texts, what they decode to, and the seconds that encoding took."""
    template, records, stream = (os.path.join(scratch, name) for name in ("template", "records", "stream"))
    with open(template, "w", encoding="utf8") as file:
        file.write("{output}")
    with open(records, "w", encoding="utf8") as file:
        file.writelines(json.dumps({"output": text}, ensure_ascii=False) + "\n" for text in texts)
    start = time.time()
    subprocess.run([binary, "-q", "-m", path, "--eos", eos, "--template-file", template, "-o", stream, records], check=True)
    seconds = time.time() - start
    decoded = subprocess.run([binary, "-q", "-m", path, "--decode", stream], check=True, stdout=subprocess.PIPE).stdout
    with open(stream, "rb") as file:
        return examples(file.read()), decoded, seconds


def compare(binary, path, texts, n_random):
    with tempfile.TemporaryDirectory() as scratch:
        if os.path.isdir(path):
            gpt2_as_json(path, os.path.join(scratch, "tokenizer.json"))
            path = os.path.join(scratch, "tokenizer.json")
        reference = Fast(path) if path.endswith(".json") else Pieces(path)
        texts = [text for text in texts + list(random_texts(n_random, reference.specials)) if reference.takes(text)]
        found, decoded, seconds = tokenize(binary, path, reference.eos, texts, scratch)
    start = time.time()
    expected = reference.encode(texts)
    reference_seconds = time.time() - start
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"# {len(texts)} texts, {size:.1f} MB: {size / seconds:.1f} MB/s from JSON to stream, the reference {size / reference_seconds:.1f} MB/s")
    if len(found) != len(texts):
        print(f"# {len(found)} examples")
        return False
    bad = [text for text, ids, alone in zip(texts, found, expected) if ids[:-1] != reference.front + alone]
    for text in bad[:3]:
        print(f"# differs: {text[:100]!r}")
    if not reference.decodes:
        print("# decoding is not compared: it depends on the version of the reference")
        return not bad
    back = "".join(reference.decode(ids) + "\n" for ids in found).encode("utf8")
    if back != decoded:
        print("# the decoded texts differ")
    return not bad and back == decoded


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", default="bin")
    parser.add_argument("--random", type=int, default=3000)
    parser.add_argument("tokenizers", nargs="+")
    words = sys.argv[1:]
    cut = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:cut])
    texts = []
    for path in words[cut + 1:]:
        with open(path, encoding="utf8", newline="") as file:
            text = file.read()
        texts += [text] + text.split("\n")
    print(f"1..{len(options.tokenizers)}")
    failures = 0
    for number, path in enumerate(options.tokenizers, 1):
        good = compare(os.path.join(options.bin, "pt-tokenize"), path, texts, options.random)
        failures += not good
        print("ok" if good else "not ok", number, "-", path, flush=True)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
