#!/usr/bin/env python3
"""The tools, through their command lines, against numbers that PEFT and transformers made.

    tests/compare-reference.py [--bin DIR] [--math SETTING] [FOLDER...]

Prints a line per folder (default: those in tests/data/reference): the largest deviations of logits with and without the
prompt and of its gradient, relative to the largest element; of the mean loss; of the Trainer's 30 losses, their gradient
norms (relative) and the prompt after them; whether order of rows and greedy ids are equal. Exit status 1 where a limit is
exceeded. Needs numpy and safetensors. Not part of `make check`, which asserts the same limits inside of the library.
"""
import argparse
import glob
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

LIMITS = {"logits": 1e-5, "bare": 1e-5, "gradient": 1e-5, "loss": 1e-5, "curve": 1e-4, "grad_norm": 1e-3, "final": 1e-4}
SHIFT = 2.0 ** 12  # a rate so high that what SGD adds outweighs the prompt


class Folder:
    def __init__(self, path, options):
        self.model, self.bin, self.math = path + "/model", options.bin, options.math
        self.tensors = load_file(path + "/cases.safetensors")
        self.cases = json.load(open(path + "/cases.json"))
        self.rows = json.load(open(path + "/train.json"))
        self.scratch = tempfile.TemporaryDirectory()
        self.prompt = self.file("prompt.safetensors")
        save_file({"prompt_embeddings": self.tensors["prompt"]}, self.prompt)

    def file(self, name):
        return os.path.join(self.scratch.name, name)

    def run(self, tool, *words, stdin=None):
        command = [os.path.join(self.bin, tool), *words]
        done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            sys.exit(f"{' '.join(command)}: status {done.returncode}: {done.stderr.decode()}")
        return done.stdout

    def compute(self, tool, *words, stdin=None):
        return self.run(tool, "-q", "-m", self.model, "--math", self.math, *words, stdin=stdin)

    def tokenize(self, rows):
        return self.run("pt-tokenize", "-q", "-m", self.model, stdin=json.dumps(rows).encode())

    def examples(self):
        n = sum(name.startswith("ids.") for name in self.tensors)
        return [{"input_ids": self.tensors[f"ids.{i}"].tolist(), "labels": self.tensors[f"labels.{i}"].tolist()} for i in range(n)]


def relative(ours, theirs):
    return float(np.abs(ours.astype(np.float64) - theirs).max() / np.abs(theirs).max())


def compare_logits(folder, found):
    stream = folder.tokenize(folder.examples())
    result = folder.compute("pt-eval", "-p", folder.prompt, "--json", "--logits", folder.file("logits"), stdin=stream)
    found["loss"] = abs(json.loads(result)["loss"] - folder.cases["loss"])
    ours, n = load_file(folder.file("logits")), folder.cases["n_virtual"]
    found["logits"] = max(relative(ours[f"logits.{i}"], folder.tensors[f"logits.{i}"][n:]) for i in range(len(ours)))
    first = folder.tokenize(folder.examples()[:1])
    folder.compute("pt-eval", "--logits", folder.file("bare"), stdin=first)
    found["bare"] = relative(load_file(folder.file("bare"))["logits.0"], folder.tensors["logits_without_prompt.0"])


def compare_gradient(folder, found):
    updates = folder.run("pt-pack", "-q", "--batch-size", "1", "--gradient-accumulation", "4", "--no-shuffle", stdin=folder.tokenize(folder.examples()))
    folder.compute("pt-train", "-p", folder.prompt, "--optimizer", "sgd", "--schedule", "constant", "--learning-rate", str(SHIFT),
                   "--max-grad-norm", "0", "-o", folder.file("moved"), stdin=updates)
    moved = load_file(folder.file("moved"))["prompt_embeddings"].astype(np.float64)
    found["gradient"] = relative((folder.tensors["prompt"] - moved) / SHIFT, folder.tensors["prompt_grad"])


def compare_trainer(folder, found):
    trainer = folder.cases["trainer"]
    save_file({"prompt_embeddings": folder.tensors["train.init"]}, folder.file("init"))
    updates = folder.run("pt-pack", "-q", "--batch-size", str(trainer["per_device_train_batch_size"]), "--gradient-accumulation",
                         str(trainer["gradient_accumulation_steps"]), "--max-steps", str(trainer["max_steps"]), "--seed",
                         str(trainer["seed"]), stdin=folder.tokenize(folder.rows))
    folder.compute("pt-train", "-p", folder.file("init"), "--learning-rate", str(trainer["learning_rate"]), "--log", folder.file("log"),
                   "--log-every", "1", "-o", folder.file("final"), stdin=updates)
    ours = [line for line in map(json.loads, open(folder.file("log"))) if "grad_norm" in line]
    theirs = [line for line in trainer["log_history"] if "grad_norm" in line]
    assert len(ours) == len(theirs)
    found["curve"] = max(abs(a["loss"] - b["loss"]) for a, b in zip(ours, theirs))
    found["grad_norm"] = max(abs(a["grad_norm"] / b["grad_norm"] - 1) for a, b in zip(ours, theirs))
    found["final"] = float(np.abs(load_file(folder.file("final"))["prompt_embeddings"] - folder.tensors["train.final"]).max())
    same = all(a["learning_rate"] == b["learning_rate"] and a["epoch"] == b["epoch"] for a, b in zip(ours, theirs))
    found["rates and epochs"] = "equal" if same else "DIFFER"


def compare_greedy(folder, found):
    ids = folder.tensors["ids.0"].tolist()
    line = folder.compute("pt-sample", "-p", folder.prompt, "--greedy", "--input-ids", "--max-new-tokens", "24", stdin=(" ".join(map(str, ids)) + "\n").encode())
    found["greedy"] = "equal" if ids + [int(i) for i in line.split()] == folder.tensors["greedy.0"].tolist() else "DIFFER"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", default="bin")
    parser.add_argument("--math", default="f32")
    parser.add_argument("folders", nargs="*", default=sorted(glob.glob("tests/data/reference/*/")))
    options = parser.parse_args()
    columns = [*LIMITS, "rates and epochs", "greedy"]
    print("\t".join(["folder", *columns]))
    failed = False
    for path in options.folders:
        folder, found = Folder(path.rstrip("/"), options), {}
        for compare in (compare_logits, compare_gradient, compare_trainer, compare_greedy):
            compare(folder, found)
        failed |= any(found[name] > limit for name, limit in LIMITS.items()) or "DIFFER" in found.values()
        print("\t".join([os.path.basename(folder.model[:-6]), *(v if isinstance(v, str) else f"{v:.1e}" for v in map(found.get, columns))]), flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
