"""Times updates of pt-train and of PEFT in turn, each in a process of its own, and prints a TSV line for each."""

import argparse
import json
import os
import random
import subprocess
import sys
import time

EXAMPLES, UPDATES = 8, 2
DATA = "examples/data/kdconv-travel-train.json"
TOKENIZER = "examples/demo-model"


def real_lengths():
    """Tokens of all, and of the prompts alone, of the first records of the data: a cut at 256 as pt-pack makes it."""
    with open(DATA, encoding="utf-8") as file:
        records = json.load(file)[: EXAMPLES * UPDATES]
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{TOKENIZER}/tokenizer.json")
    for record in records:
        prompt = len(tokenizer.encode(f"Human: {record['instruction']}\n\nAssistant: ").ids)
        yield min(256, prompt + len(tokenizer.encode(record["output"]).ids) + 1), prompt


def write_records(path, vocab_size, length):
    """Examples of random ids, the last ones counted in the loss: EXAMPLES for each of UPDATES."""
    draw = random.Random(42)
    lengths = list(real_lengths()) if length == "real" else [(int(length), int(length) // 2)] * (EXAMPLES * UPDATES)
    with open(path, "w") as file:
        for n, prompt in lengths:
            ids = [draw.randrange(4, vocab_size) for _ in range(n)]
            file.write(json.dumps({"input_ids": ids, "labels": [-100] * prompt + ids[prompt:]}) + "\n")


def measure(command):
    """Runs a command; returns the lines it prints, each with the time it came at, and its peak resident memory in MiB."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    lines = [(time.monotonic(), line) for line in process.stdout]
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return lines, usage.ru_maxrss / 1024


def last_update(lines):
    """Seconds and loss of the last update in pt-train's log: the time since the line of the one before."""
    updates = [(when, entry["loss"]) for when, entry in ((when, json.loads(line)) for when, line in lines) if "grad_norm" in entry]
    return updates[-1][0] - updates[-2][0], updates[-1][1]


def pipe(command, target):
    with open(target, "wb") as file:
        subprocess.run(command, shell=True, check=True, stdout=file)


def warm(folder):
    """Reads the checkpoint, so that the first run does not wait for the disk."""
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            while file.read(1 << 24):
                pass


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--length", required=True)
    parser.add_argument("--virtual-tokens", type=int, required=True)
    parser.add_argument("--math", default="auto", help="pt-train's")
    parser.add_argument("--header", action="store_true")
    options = parser.parse_args()
    with open(os.path.join(options.model, "config.json")) as file:
        vocab_size = json.load(file)["vocab_size"]
    records = os.path.join(options.folder, "records.jsonl")
    updates = os.path.join(options.folder, "updates.stream")
    prompt = os.path.join(options.folder, "prompt.safetensors")
    write_records(records, vocab_size, options.length)
    pipe(f"pt-tokenize -q -m {options.model} {records} | pt-pack -q --no-shuffle --batch-size 1 --gradient-accumulation {EXAMPLES}", updates)
    pipe(f"pt-init -q -m {options.model} --random -n {options.virtual_tokens}", prompt)

    warm(options.model)
    if options.header:
        print("dtype\tround\ttool\tseconds_per_update\tpeak_MiB\tloss", flush=True)
    here = os.path.dirname(os.path.abspath(__file__))
    for number in range(1, options.rounds + 1):
        ours = ["pt-train", "-q", "-m", options.model, "-p", prompt, "--log", "/dev/stdout", "--log-every", "1", "--math", options.math, "-o", "/dev/null", updates]
        for name, more in (("pt-train", []), ("pt-train-packed", ["--pack"])):
            lines, peak = measure(ours + more)
            elapsed, loss = last_update(lines)
            print(f"{options.dtype}\t{number}\t{name}\t{elapsed:.3f}\t{peak:.0f}\t{loss:.5f}", flush=True)
        for name, batch in (("PEFT", 1), (f"PEFT-batch-of-{EXAMPLES}", EXAMPLES)):
            command = [sys.executable, os.path.join(here, "peft_updates.py"), options.model, options.dtype, records, str(EXAMPLES), str(batch)]
            command.append(prompt)
            lines, peak = measure(command)
            elapsed, loss = map(float, lines[-1][1].split())
            print(f"{options.dtype}\t{number}\t{name}\t{elapsed:.3f}\t{peak:.0f}\t{loss:.5f}", flush=True)


if __name__ == "__main__":
    main()
