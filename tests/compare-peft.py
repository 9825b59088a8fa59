#!/usr/bin/env python3
"""First values, adapter files and losses against PEFT itself.

    tests/compare-peft.py MODEL [BIN]

Needs torch, transformers, peft, safetensors; MODEL is a folder with a tokenizer, BIN the folder of the tools (default: bin).
Prints TAP. Not part of `make check`, which needs no Python.
"""
import filecmp
import json
import os
import subprocess
import sys
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
from peft import PeftModel, PromptTuningConfig, TaskType, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

MODEL = sys.argv[1].rstrip("/")
BIN = sys.argv[2] if len(sys.argv) > 2 else "bin"
TEXT = "下面是一段人与机器人的对话。"
SCRATCH = tempfile.mkdtemp()
failures = []


def run(*words, **options):
    return subprocess.run([os.path.join(BIN, words[0]), *words[1:]], check=True, stdout=subprocess.PIPE, **options).stdout


def path(name):
    return os.path.join(SCRATCH, name)


def report(what, good, detail=""):
    report.n += 1
    print(("ok" if good else "not ok"), report.n, "-", what, detail, flush=True)
    if not good:
        failures.append(what)


report.n = 0


def base_model():
    return AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()


def peft_model(kind, n, seed):
    config = dict(task_type=TaskType.CAUSAL_LM, num_virtual_tokens=n, prompt_tuning_init=kind)
    if kind == "TEXT":
        config.update(prompt_tuning_init_text=TEXT, tokenizer_name_or_path=MODEL)
    base = base_model()
    torch.manual_seed(seed)
    return get_peft_model(base, PromptTuningConfig(**config)).eval()


def prompt_of(model):
    return model.prompt_encoder["default"].embedding.weight.detach()


def compare_first_values():
    for kind, option in (("TEXT", ["--text", TEXT]), ("SAMPLE_VOCAB", ["--vocab"]), ("RANDOM", ["--random"])):
        for n, seed in ((3, 42), (20, 7), (101, 4294967295)):
            theirs = prompt_of(peft_model(kind, n, seed))
            run("pt-init", "-q", "-m", MODEL, *option, "-n", str(n), "--seed", str(seed), "-o", path("init"))
            ours = load_file(path("init"))["prompt_embeddings"]
            difference = (ours - theirs).abs().max().item()
            report(f"{kind}, {n} tokens, seed {seed}", torch.equal(ours, theirs), f"# largest difference {difference:g}")


def compare_files():
    for kind in ("TEXT", "SAMPLE_VOCAB", "RANDOM"):
        theirs, ours = path("theirs-" + kind), path("ours-" + kind)
        model = peft_model(kind, 8, 1)
        model.peft_config["default"].base_model_name_or_path = os.path.basename(MODEL)
        if kind == "TEXT":
            model.peft_config["default"].tokenizer_name_or_path = os.path.basename(MODEL)
        model.save_pretrained(theirs)
        run("pt-merge", theirs, "-o", path("prompt"))
        run("pt-merge", "--to", "peft", "-o", ours, path("prompt"))
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            report(f"{kind}: {name} survives", filecmp.cmp(f"{theirs}/{name}", f"{ours}/{name}", shallow=False))


def loss_of(model, ids, first):
    ids = torch.tensor([ids])
    labels = ids.clone()
    labels[0, :first] = -100
    with torch.no_grad():
        return model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss.item()


def compare_losses():
    run("pt-init", "-q", "-m", MODEL, "--text", TEXT, "-o", path("prompt"))
    run("pt-merge", "--to", "peft", "-o", path("adapter"), path("prompt"))
    model = PeftModel.from_pretrained(base_model(), path("adapter")).eval()
    report("from_pretrained loads the prompt", torch.equal(prompt_of(model), load_file(path("prompt"))["prompt_embeddings"]))
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    with open(path("data.jsonl"), "w", encoding="utf-8") as data:
        for question, answer in (("周末去哪里玩?", "去颐和园。"), ("Where to?", "To the lake.")):
            head, tail = tokenizer(question)["input_ids"], tokenizer(answer)["input_ids"]
            print(json.dumps({"input_ids": head + tail, "labels": [-100] * len(head) + tail}), file=data)
    stream = run("pt-tokenize", "-q", "-m", MODEL, path("data.jsonl"))
    lines = run("pt-eval", "-q", "-m", MODEL, "-p", path("prompt"), "--math", "f32", "--per-example", input=stream).splitlines()
    with open(path("data.jsonl"), encoding="utf-8") as data:
        for line, record in zip(lines, map(json.loads, data)):
            theirs = loss_of(model, record["input_ids"], record["labels"].count(-100))
            ours = json.loads(line)["loss"]
            report("loss of an example", abs(ours - theirs) < 1e-4, f"# {ours} and {theirs}")


compare_first_values()
compare_files()
compare_losses()
print(f"1..{report.n}")
sys.exit(1 if failures else 0)
