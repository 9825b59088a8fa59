#!/usr/bin/env bats
# The reference workflow's Makefile, with variables for the demonstration model and few records.

load ../lib/helpers

setup_file() {
    { head -n 200 examples/data/kdconv-travel-train.json; echo '}]'; } >"$BATS_FILE_TMPDIR/train.json"
    { head -n 100 examples/data/kdconv-travel-test.json; echo '}]'; } >"$BATS_FILE_TMPDIR/test.json"
}

recipe() {
    make -s -C examples/reference MODEL=../demo-model DATA="$BATS_FILE_TMPDIR/train.json" HELD_OUT="$BATS_FILE_TMPDIR/test.json" \
        OUT="$BATS_TEST_TMPDIR/results" SAVE_EVERY=1 "$@"
}

@test "the recipe makes a prompt, PEFT's adapter, answers and the loss" {
    recipe
    results=$BATS_TEST_TMPDIR/results
    exits 0 pt-info --verify "$results/prompt.safetensors"
    tar -tf "$results/adapter.tar" | grep -q adapter_model.safetensors
    [ "$(wc -l <"$results/answers.txt")" -ge 3 ]
    grep -q '^loss' "$results/loss.txt"
    [ ! -e "$results/state.safetensors" ]
    jq -e -s 'last | .train_loss > 0' "$results/log.jsonl"
}

@test "an interrupted recipe goes on and ends with the same prompt" {
    recipe "$BATS_TEST_TMPDIR/results/prompt.safetensors"
    cp "$BATS_TEST_TMPDIR/results/prompt.safetensors" "$BATS_TEST_TMPDIR/whole"
    rm "$BATS_TEST_TMPDIR/results/prompt.safetensors"
    # A run that stops early leaves its state where the recipe looks for it.
    pt-train -q -m "$DEMO_MODEL" -p "$BATS_TEST_TMPDIR/results/initial.safetensors" --learning-rate 0.01 --max-steps 2 \
        --save "$BATS_TEST_TMPDIR/results/state.safetensors" -o /dev/null "$BATS_TEST_TMPDIR/results/updates.stream"
    recipe "$BATS_TEST_TMPDIR/results/prompt.safetensors"
    jq -s '.[0]' "$BATS_TEST_TMPDIR/results/log.jsonl" >/dev/null
    cmp <(tail -c 8192 "$BATS_TEST_TMPDIR/whole") <(tail -c 8192 "$BATS_TEST_TMPDIR/results/prompt.safetensors")
}
