"""Updates by PEFT as the Trainer makes them: micro-batches of one example, gradients accumulated, AdamW. Prints seconds of the last update."""

import json
import sys
import time

import torch
from peft import PromptTuningConfig, PromptTuningInit, TaskType, get_peft_model
from transformers import AutoModelForCausalLM

DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def main():
    folder, dtype, records, accumulation = sys.argv[1:]
    accumulation = int(accumulation)
    torch.manual_seed(42)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[dtype])
    config = PromptTuningConfig(task_type=TaskType.CAUSAL_LM, prompt_tuning_init=PromptTuningInit.RANDOM, num_virtual_tokens=8)
    model = get_peft_model(model, config)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=0.01)
    with open(records) as file:
        examples = [json.loads(line) for line in file]
    for first in range(0, len(examples), accumulation):
        start = time.monotonic()
        update = examples[first : first + accumulation]
        counted = sum(label != -100 for example in update for label in example["labels"])
        for example in update:
            ids, labels = torch.tensor([example["input_ids"]]), torch.tensor([example["labels"]])
            model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels, num_items_in_batch=counted).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        seconds = time.monotonic() - start
    print(seconds)


if __name__ == "__main__":
    main()
