"""Tokens a second that transformers decodes greedily behind a prompt of 32 tokens: MODEL f32|bf16 SEQUENCES TOKENS."""

import sys
import time

import torch
from transformers import AutoModelForCausalLM


def seconds(model, ids, n):
    start = time.monotonic()
    with torch.no_grad():
        model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, min_new_tokens=n, max_new_tokens=n, pad_token_id=3)
    return time.monotonic() - start


def main():
    folder, dtype, sequences, tokens = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    model = AutoModelForCausalLM.from_pretrained(folder, dtype={"f32": torch.float32, "bf16": torch.bfloat16}[dtype])
    ids = torch.arange(5, 37).repeat(sequences, 1)
    seconds(model, ids, 1)
    # What one token takes holds the prompt's pass; the rest is steps.
    steps = min(seconds(model, ids, tokens + 1) - seconds(model, ids, 1) for _ in range(3))
    print(sequences * tokens / steps)


if __name__ == "__main__":
    main()
