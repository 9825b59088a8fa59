#!/usr/bin/env bats
# pt-pack: order, totals and settings through the tool; inputs that are joined, compressed, damaged, foreign or empty.

load ../lib/helpers

# records N: N records of 1 to 9 ready-made ids, of which the last two count; every fifth has none that counts.
records() {
    jq -nc --argjson n "$1" 'range($n) | . as $i | (1 + $i % 9) as $length
        | [range($length) | 3 + ($i + .) % 50] as $ids
        | {input_ids: $ids, labels: ($ids | to_entries | map(if $i % 5 == 4 or .key < $length - 2 then -100 else .value end))}'
}

setup_file() {
    export EXAMPLES=$BATS_FILE_TMPDIR/examples
    records 50 | pt-tokenize -m "$TINY_BLOOM" >"$EXAMPLES"
}

setup() {
    UPDATES=$BATS_TEST_TMPDIR/updates
}

# field NAME: of the stream in $UPDATES
field() {
    pt-info --json "$UPDATES" | jq ".$1"
}

@test "defaults: one epoch, updates of eight examples, every example once" {
    pt-pack "$EXAMPLES" >"$UPDATES"
    exits 0 pt-info --verify "$UPDATES"
    [ "$(field kind)" = '"updates"' ]
    [ "$(field updates)" -eq 7 ]
    [ "$(field examples)" -eq 50 ]
    [ "$(field tokens)" -eq "$(pt-info --json "$EXAMPLES" | jq .tokens)" ]
    [ "$(field targets)" -eq "$(pt-info --json "$EXAMPLES" | jq .targets)" ]
}

@test "pipe, file, standard input by name, and compressed files give the same bytes but for the history" {
    pt-pack -o "$UPDATES" <"$EXAMPLES"
    cat "$EXAMPLES" | pt-pack >"$UPDATES.pipe"
    same_bytes "$UPDATES" "$UPDATES.pipe"
    gzip -c "$EXAMPLES" | pt-pack >"$UPDATES.gz"
    same_bytes "$UPDATES" "$UPDATES.gz"
    tar -C "$BATS_FILE_TMPDIR" -cf "$BATS_TEST_TMPDIR/examples.tar" examples
    pt-pack <"$BATS_TEST_TMPDIR/examples.tar" >"$UPDATES.tar"
    same_bytes "$UPDATES" "$UPDATES.tar"
    exits 0 pt-pack -o "$UPDATES.member" "$BATS_TEST_TMPDIR/examples.tar:examples"
}

@test "equal seeds give equal bytes, another seed another order of the same examples" {
    pt-pack <"$EXAMPLES" >"$UPDATES"
    pt-pack <"$EXAMPLES" >"$UPDATES.again"
    same_bytes "$UPDATES" "$UPDATES.again"
    pt-pack --seed 7 <"$EXAMPLES" >"$UPDATES.seven"
    run ! cmp -s "$UPDATES" "$UPDATES.seven"
    [ "$(pt-info --json "$UPDATES.seven" | jq .targets)" -eq "$(field targets)" ]
}

@test "epochs and steps set the number of updates" {
    pt-pack --epochs 2.5 --batch-size 2 --gradient-accumulation 3 "$EXAMPLES" >"$UPDATES" # 9 updates an epoch
    [ "$(field updates)" -eq 23 ]
    pt-pack --max-steps 30 --batch-size 2 --gradient-accumulation 3 "$EXAMPLES" >"$UPDATES"
    [ "$(field updates)" -eq 30 ]
    [ "$(field examples)" -eq 168 ]
}

@test "--stats says what was packed, once through, on standard error" {
    exits 0 pt-pack --stats -q --max-length 6 --epochs 3 -o "$UPDATES" "$EXAMPLES"
    jq -e '[.examples, .cut, .untargeted, .dropped, .updates, .epochs] == [50, 15, 18, 0, 21, 3]' <<<"$stderr"
    [ "$(jq .tokens <<<"$stderr")" -eq $(($(field tokens) / 3)) ]
    [ "$(jq .targets <<<"$stderr")" -eq $(($(field targets) / 3)) ]
    exits 0 pt-pack --stats -q --max-length 6 --drop-untargeted -o "$UPDATES" "$EXAMPLES"
    jq -e '[.examples, .untargeted, .dropped] == [32, 18, 18]' <<<"$stderr"
    [ "$(field examples)" -eq 32 ]
    run bash -c 'pt-pack --stats -q -o "$1" "$2" 2>/dev/full' - "$UPDATES" "$EXAMPLES"
    [ "$status" -eq 1 ]
    # A file that standard error goes to is written behind what it holds, as messages are.
    echo before >"$BATS_TEST_TMPDIR/messages"
    pt-pack --stats -q -o "$UPDATES" "$EXAMPLES" 2>>"$BATS_TEST_TMPDIR/messages"
    [ "$(head -n 1 "$BATS_TEST_TMPDIR/messages")" = before ]
    tail -n +2 "$BATS_TEST_TMPDIR/messages" | jq -e '.examples == 50'
}

@test "what is cut and what does not count is said, unless --quiet" {
    exits 0 pt-pack --max-length 6 -o "$UPDATES" "$EXAMPLES"
    says "15 of 50 examples were cut to 6 tokens"
    says "18 of 50 examples have no counted token"
    exits 0 pt-pack -q --max-length 6 -o "$UPDATES" "$EXAMPLES"
    [ -z "$stderr" ]
}

@test "the temporary file changes no byte, and leaves nothing" {
    mkdir "$BATS_TEST_TMPDIR/spool"
    pt-pack --epochs 2 <"$EXAMPLES" >"$UPDATES"
    TMPDIR=$BATS_TEST_TMPDIR/spool pt-pack --epochs 2 --memory 300 <"$EXAMPLES" >"$UPDATES.spooled"
    same_bytes "$UPDATES" "$UPDATES.spooled"
    [ -z "$(ls -A "$BATS_TEST_TMPDIR/spool")" ]
    TMPDIR=/nonexistent exits 1 pt-pack --memory 300 -o "$UPDATES.none" "$EXAMPLES"
    says "temporary file in /nonexistent: No such file or directory"
    [ ! -e "$UPDATES.none" ]
}

@test "streams of examples join, by cat or as several files" {
    cat "$EXAMPLES" "$EXAMPLES" | pt-pack >"$UPDATES"
    [ "$(field examples)" -eq 100 ]
    pt-pack "$EXAMPLES" - "$EXAMPLES" <"$EXAMPLES" >"$UPDATES"
    [ "$(field examples)" -eq 150 ]
}

@test "updates are refused, alone and joined" {
    pt-pack <"$EXAMPLES" >"$UPDATES"
    exits 4 pt-pack -o "$UPDATES.again" "$UPDATES"
    says "stream of updates"
    cat "$EXAMPLES" "$UPDATES" >"$UPDATES.joined"
    exits 4 pt-pack -o "$UPDATES.again" "$UPDATES.joined"
    says "hint: "
    [ ! -e "$UPDATES.again" ]
}

@test "an empty file, another file, a missing one and a folder are refused with a way out" {
    exits 3 pt-pack -o "$UPDATES" /dev/null
    says "hint: "
    exits 3 pt-pack -o "$UPDATES" LICENSE
    says "not a token stream"
    exits 1 pt-pack -o "$UPDATES" /nonexistent
    exits 3 pt-pack -o "$UPDATES" tests
    [ ! -e "$UPDATES" ]
}

@test "examples of another tokenizer do not join" {
    pt-tokenize -m "$DEMO_MODEL" --text <<<"hello" >"$BATS_TEST_TMPDIR/foreign"
    exits 4 pt-pack -o "$UPDATES" "$EXAMPLES" "$BATS_TEST_TMPDIR/foreign"
    [ ! -e "$UPDATES" ]
}

@test "numbers are strict" {
    for wrong in --max-length=0 --batch-size=0 --gradient-accumulation=x --epochs=0 --epochs=-1 --epochs=nan --max-steps=0 \
        --seed=-1 --seed=1.5 --memory=lots; do
        exits 2 pt-pack "$wrong" -o "$UPDATES" "$EXAMPLES"
        says "${wrong%%=*}"
    done
    [ ! -e "$UPDATES" ]
}

@test "a full disk, a closed output, and a reader that goes away" {
    exits 1 pt-pack -o /dev/full "$EXAMPLES"
    says "No space left on device"
    exits 1 bash -c "pt-pack '$EXAMPLES' >&-"
    exits 141 bash -c "set -o pipefail; pt-pack -q --epochs 1000 '$EXAMPLES' | head -c 1 >/dev/null"
    [ -z "$stderr" ]
}
