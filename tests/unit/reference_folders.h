/*
 * The folders of tests/data/reference: whatever a test compares with reference numbers, it compares for all
 * of them.
 */
#ifndef PT_TESTS_UNIT_REFERENCE_FOLDERS_H
#define PT_TESTS_UNIT_REFERENCE_FOLDERS_H

static const char *const reference_folders[] = {
    "bloom",  "bloom-6heads", "gpt2", "gpt_neox",     "gpt_neox-seq", "llama",
    "llama3", "mistral",      "opt",  "opt-postnorm", "qwen2",        "qwen3",
};

#endif
