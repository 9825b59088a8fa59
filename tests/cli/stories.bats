#!/usr/bin/env bats
# The example that converts a checkpoint from llama2.c's layout.

load ../lib/helpers

@test "the story of the converted model is the published one, character for character" {
    make -s -C examples/stories260K CONVERT="$PT_BUILD/convert-llama2c" OUT="$BATS_TEST_TMPDIR"
    jq -r .steps_200 examples/stories260K/expected.json >"$BATS_TEST_TMPDIR/expected"
    cmp "$BATS_TEST_TMPDIR/expected" "$BATS_TEST_TMPDIR/story.txt"
}

@test "llama2.c files cut short or too long are refused" {
    convert=$PT_BUILD/convert-llama2c
    source=examples/stories260K
    for n in 0 10 27 28 5000 1056539; do
        head -c "$n" "$source/stories260K.bin" >"$BATS_TEST_TMPDIR/cut"
        exits 3 "$convert" "$BATS_TEST_TMPDIR/cut" "$source/tok512.bin" "$BATS_TEST_TMPDIR/folder"
    done
    { cat "$source/stories260K.bin"; echo; } >"$BATS_TEST_TMPDIR/long"
    exits 3 "$convert" "$BATS_TEST_TMPDIR/long" "$source/tok512.bin" "$BATS_TEST_TMPDIR/folder"
    head -c 6000 "$source/tok512.bin" >"$BATS_TEST_TMPDIR/cut"
    exits 3 "$convert" "$source/stories260K.bin" "$BATS_TEST_TMPDIR/cut" "$BATS_TEST_TMPDIR/folder"
}
