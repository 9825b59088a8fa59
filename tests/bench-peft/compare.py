"""Times updates of pt-train and of PEFT in turn, each in a process of its own, and prints a TSV line for each."""

import argparse
import json
import os
import random
import subprocess
import sys
import time

EXAMPLES, LENGTH, COUNTED, VIRTUAL_TOKENS, UPDATES = 8, 128, 64, 8, 2


def write_records(path, vocab_size):
    """Examples of random ids, the last ones counted in the loss: EXAMPLES for each of UPDATES."""
    draw = random.Random(42)
    with open(path, "w") as file:
        for _ in range(EXAMPLES * UPDATES):
            ids = [draw.randrange(4, vocab_size) for _ in range(LENGTH)]
            labels = [-100] * (LENGTH - COUNTED) + ids[-COUNTED:]
            file.write(json.dumps({"input_ids": ids, "labels": labels}) + "\n")


def measure(command, **arguments):
    """Runs a command; returns its output, seconds and peak resident memory in MiB."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **arguments)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return output, time.monotonic() - start, usage.ru_maxrss / 1024


def pipe(command, target):
    with open(target, "wb") as file:
        subprocess.run(command, shell=True, check=True, stdout=file)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", required=True)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", required=True)
    options = parser.parse_args()
    with open(os.path.join(options.model, "config.json")) as file:
        vocab_size = json.load(file)["vocab_size"]
    records = os.path.join(options.folder, "records.jsonl")
    updates = os.path.join(options.folder, "updates.stream")
    prompt = os.path.join(options.folder, "prompt.safetensors")
    write_records(records, vocab_size)
    pipe(f"pt-tokenize -m {options.model} {records} | pt-pack --no-shuffle --batch-size 1 --gradient-accumulation {EXAMPLES}", updates)
    pipe(f"pt-init -m {options.model} --random -n {VIRTUAL_TOKENS}", prompt)

    # The time of one update is that of two less that of one, so that starting and reading do not count.
    print("dtype\tround\ttool\tseconds_per_update\tpeak_MiB", flush=True)
    here = os.path.dirname(os.path.abspath(__file__))
    for number in range(1, options.rounds + 1):
        seconds = []
        for steps in (1, UPDATES):
            command = ["pt-train", "-q", "-m", options.model, "-p", prompt, "--max-steps", str(steps), "-o", "/dev/null", updates]
            _, elapsed, peak = measure(command)
            seconds.append(elapsed)
        print(f"{options.dtype}\t{number}\tpt-train\t{seconds[1] - seconds[0]:.2f}\t{peak:.0f}", flush=True)
        command = [sys.executable, os.path.join(here, "peft_updates.py"), options.model, options.dtype, records, str(EXAMPLES)]
        output, _, peak = measure(command)
        print(f"{options.dtype}\t{number}\tPEFT\t{float(output.split()[-1]):.2f}\t{peak:.0f}", flush=True)


if __name__ == "__main__":
    main()
