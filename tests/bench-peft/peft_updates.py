"""Updates by PEFT as the Trainer makes them: micro-batches (padded where they hold several examples), gradients accumulated, AdamW.
Prints seconds and loss of the last update. Arguments: MODEL f32|bf16 RECORDS EXAMPLES-AN-UPDATE EXAMPLES-A-MICRO-BATCH PROMPT, a
safetensors file."""

import json
import sys
import time

import torch
from peft import PromptTuningConfig, PromptTuningInit, TaskType, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def padded(examples, key, filler):
    longest = max(len(example[key]) for example in examples)
    return torch.tensor([example[key] + [filler] * (longest - len(example[key])) for example in examples])


def run_micro_batch(model, examples, counted):
    ids, labels = padded(examples, "input_ids", 3), padded(examples, "labels", -100)
    mask = padded([{"mask": [1] * len(example["input_ids"])} for example in examples], "mask", 0)
    loss = model(input_ids=ids, attention_mask=mask, labels=labels, num_items_in_batch=counted).loss
    loss.backward()
    return loss.item()


def main():
    folder, dtype, records, accumulation, batch, prompt = sys.argv[1:]
    accumulation, batch = int(accumulation), int(batch)
    first_prompt = load_file(prompt)["prompt_embeddings"]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[dtype])
    config = PromptTuningConfig(
        task_type=TaskType.CAUSAL_LM, prompt_tuning_init=PromptTuningInit.RANDOM, num_virtual_tokens=len(first_prompt)
    )
    model = get_peft_model(model, config)
    model.prompt_encoder["default"].embedding.weight.data.copy_(first_prompt)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01, weight_decay=0)
    with open(records) as file:
        examples = [json.loads(line) for line in file]
    for first in range(0, len(examples), accumulation):
        start = time.monotonic()
        update = examples[first : first + accumulation]
        counted = sum(label != -100 for example in update for label in example["labels"])
        loss = sum(run_micro_batch(model, update[i : i + batch], counted) for i in range(0, len(update), batch))
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds = time.monotonic() - start
    print(seconds, loss)


if __name__ == "__main__":
    main()
