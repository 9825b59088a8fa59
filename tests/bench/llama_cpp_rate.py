"""Tokens a second of llama.cpp from ids, the logits of the last one only: FILE decode|prefill TOKENS.

decode: TOKENS steps of one sequence behind a prompt of 32, the fastest of five parts of them. prefill: the fastest of
five passes over TOKENS at once.
"""

import ctypes
import os
import sys
import time

import llama_cpp

PROMPT, PARTS = 32, 5


def append(context, first, n):
    ids = (llama_cpp.llama_token * n)(*range(5 + first, 5 + first + n))
    if llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(ids, n)):
        sys.exit("llama_cpp_rate.py: llama_decode failed")
    llama_cpp.llama_get_logits_ith(context, -1)


def seconds(run):
    start = time.monotonic()
    run()
    return time.monotonic() - start


def decode_rate(context, n):
    def part():
        for i in range(n // PARTS):
            append(context, i % PROMPT, 1)

    append(context, 0, PROMPT)
    return n // PARTS / min(seconds(part) for _ in range(PARTS))


def prefill_rate(context, n):
    def whole():
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(context), False)
        append(context, 0, n)

    whole()
    return n / min(seconds(whole) for _ in range(PARTS))


def main():
    path, task, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p())
    llama_cpp.llama_backend_init()
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx = PROMPT + n
    settings.n_threads = settings.n_threads_batch = len(os.sched_getaffinity(0))
    model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
    context = model and llama_cpp.llama_init_from_model(model, settings)
    if not context:
        sys.exit(f"llama_cpp_rate.py: {path}: llama.cpp cannot open it")
    print({"decode": decode_rate, "prefill": prefill_rate}[task](context, n))


if __name__ == "__main__":
    main()
