/*
 * The folders of tests/data/reference: whatever a test compares with reference numbers, it compares for all
 * of them.
 */
#ifndef PT_TESTS_UNIT_REFERENCE_FOLDERS_H
#define PT_TESTS_UNIT_REFERENCE_FOLDERS_H

#include "base/threads.h"

static const char *const reference_folders[] = {
    "bloom",         "bloom-6heads", "falcon",       "falcon-alibi",  "falcon-new",   "falcon2",
    "gemma",         "gemma2",       "gemma3",       "gpt2",          "gpt2-gelu",    "gpt_neox",
    "gpt_neox-fast", "gpt_neox-seq", "llama",        "llama-dynamic", "llama-linear", "llama-yarn",
    "llama3",        "mistral",      "opt",          "opt-gelu",      "opt-postnorm", "phi3",
    "phi3-partial",  "qwen2",        "qwen2-window", "qwen3",         "starcoder2",
};

/* For a group of tests: the models are so small that waiting for other threads would take most of the time.
 */
static inline int use_one_thread(void **state)
{
    (void)state;
    pt_threads_set(1);
    return 0;
}

#endif
