#!/usr/bin/env bats
# pt-eval: losses against PEFT's, its outputs, refusals.

load ../lib/helpers

REFERENCE=tests/data/reference/bloom
MODEL=$REFERENCE/model

setup_file() {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    export EXAMPLES=$BATS_FILE_TMPDIR/examples PROMPT=$BATS_FILE_TMPDIR/prompt
    pt-tokenize -q -m $MODEL $REFERENCE/train.json >"$EXAMPLES"
    pt-init -m $MODEL -n 5 >"$PROMPT"
}

setup() {
    OUT=$BATS_TEST_TMPDIR
}

evaluate() {
    pt-eval -q -m $MODEL -p "$PROMPT" "$@"
}

@test "the demonstration model's loss is the one that PEFT finds" {
    jq '.[:400]' examples/data/kdconv-travel-test.json | pt-tokenize -m $DEMO_MODEL >"$OUT/test"
    pt-eval -q -m $DEMO_MODEL --math f32 --json "$OUT/test" >"$OUT/result"
    # 5.5071 in the model's README, to its four digits and rounding.
    jq -e '(.loss - 5.5071 | fabs) < 2e-4 and .examples == 400 and .targets == 9201' "$OUT/result"
    jq -e '(.perplexity - (.loss | exp) | fabs) < 1e-9' "$OUT/result"
}

@test "text, JSON and lines agree" {
    evaluate --json "$EXAMPLES" >"$OUT/json"
    evaluate "$EXAMPLES" >"$OUT/text"
    evaluate --per-example "$EXAMPLES" >"$OUT/lines"
    [ "$(wc -l <"$OUT/lines")" -eq 50 ]
    jq -e --argjson all "$(cat "$OUT/json")" -s '
        (map(.targets) | add) == $all.targets and length == $all.examples and
        ((map(.loss * .targets) | add) / $all.targets - $all.loss | fabs) < 1e-9' "$OUT/lines"
    [ "$(awk '$1 == "loss" { print $2 }' "$OUT/text")" = "$(jq -r '.loss' "$OUT/json" | xargs printf '%.6f')" ]
    [ "$(awk '{ print $1 }' "$OUT/text" | xargs)" = 'loss perplexity accuracy targets examples' ]
    evaluate --json --per-example "$EXAMPLES" >"$OUT/both"
    cat "$OUT/lines" "$OUT/json" | cmp - "$OUT/both"
}

@test "streams of updates, joined streams and any number of threads" {
    evaluate --json "$EXAMPLES" >"$OUT/once"
    pt-pack -q --max-length 4096 --no-shuffle "$EXAMPLES" | evaluate --json >"$OUT/updates"
    same_bytes "$OUT/once" "$OUT/updates"
    cat "$EXAMPLES" "$EXAMPLES" | evaluate --json -j 1 >"$OUT/one"
    cat "$EXAMPLES" "$EXAMPLES" | evaluate --json -j 2 >"$OUT/two"
    same_bytes "$OUT/one" "$OUT/two"
    [ "$(jq .examples "$OUT/one")" -eq 100 ]
}

@test "the prompt counts; so does its form" {
    pt-eval -q -m $MODEL --json "$EXAMPLES" >"$OUT/bare"
    evaluate --json "$EXAMPLES" >"$OUT/with"
    ! cmp -s "$OUT/bare" "$OUT/with"
    pt-merge --to peft -o "$OUT/adapter" "$PROMPT"
    pt-eval -q -m $MODEL -p "$OUT/adapter" --json "$EXAMPLES" | cmp - "$OUT/with"
    pt-eval -q -m $MODEL -p <(cat "$PROMPT") --json - <"$EXAMPLES" | cmp - "$OUT/with"
}

@test "logits come as safetensors, an example each" {
    evaluate --logits "$OUT/logits" "$EXAMPLES" >"$OUT/text"
    header=$(tail -c +9 "$OUT/logits" | head -c "$(od -An -tu8 -N8 "$OUT/logits" | tr -d ' ')")
    jq -e --slurpfile rows $REFERENCE/train.json '
        . as $tensors | [range(50)] | all(. as $i | $tensors["logits.\($i)"] |
            .dtype == "F32" and .shape == [($rows[0][$i].input_ids | length), 1024])' <<<"$header"
    exits 1 evaluate --logits /dev/full "$EXAMPLES"
    exits 2 evaluate --logits - "$EXAMPLES"
}

@test "an example without counted tokens has no loss; a stream of such is refused" {
    echo '{"input_ids": [5, 6, 7], "labels": [-100, -100, -100]}' >"$OUT/none.jsonl"
    pt-tokenize -q -m $MODEL "$OUT/none.jsonl" >"$OUT/none"
    exits 3 evaluate "$OUT/none"
    says 'no token counts'
    cat "$OUT/none" "$EXAMPLES" | evaluate --per-example | head -n 1 | cmp - <(echo '{"loss": null, "targets": 0}')
    cat "$OUT/none" "$EXAMPLES" | evaluate --json >"$OUT/a"
    jq -e '.examples == 51' "$OUT/a"
}

@test "truncated, empty and foreign streams" {
    size=$(stat -c %s "$EXAMPLES")
    for n in 1 20 $((size / 2)) $((size - 1)); do
        head -c "$n" "$EXAMPLES" >"$OUT/cut"
        exits 3 evaluate "$OUT/cut"
        [ -z "$output" ]
    done
    exits 3 evaluate - </dev/null
    exits 3 evaluate $MODEL/config.json
    exits 1 evaluate "$OUT/absent"
}

@test "what does not belong together is refused by both names" {
    cp -r $MODEL "$OUT/other"
    echo >>"$OUT/other/tokenizer.json"
    pt-tokenize -q -m "$OUT/other" --text <(echo one) >"$OUT/stream"
    exits 4 pt-eval -m $MODEL "$OUT/stream"
    [ "$(grep -oE '[0-9a-f]{32}' <<<"$stderr" | sort -u | wc -l)" -eq 2 ]
    pt-eval -q -m $MODEL --ignore-fingerprint "$OUT/stream" >"$OUT/a"
    echo '{"input_ids": [5, 2000], "labels": [5, 2000]}' >"$OUT/high.jsonl"
    mkdir "$OUT/bare"
    pt-tokenize -q -m "$OUT/bare" "$OUT/high.jsonl" >"$OUT/high"
    exits 4 pt-eval -m $MODEL "$OUT/high"
    says 'token 2000'
    exits 4 pt-eval -m tests/data/reference/bloom-6heads/model -p "$PROMPT" "$EXAMPLES"
    says fingerprint
}

@test "wrong command lines, full disks" {
    exits 2 pt-eval "$EXAMPLES"
    says '-m MODEL'
    exits 2 pt-eval -m $MODEL one two
    exits 2 evaluate --logits '' "$EXAMPLES"
    exits 2 evaluate --logits same -o same "$EXAMPLES"
    says 'one name for two outputs'
    cp "$EXAMPLES" "$OUT/stream"
    exits 2 evaluate --logits "$OUT/./x" -o "$OUT/x" "$EXAMPLES"
    exits 2 evaluate --logits "$OUT/stream" "$OUT/stream"
    says 'it is an input as well'
    exits 2 evaluate --logits "$OUT/stream" <"$OUT/stream"
    exits 2 evaluate -o "$PROMPT" "$EXAMPLES"
    cmp "$EXAMPLES" "$OUT/stream"
    exits 1 evaluate -o /dev/full "$EXAMPLES"
    exits 1 evaluate --logits /dev/full "$EXAMPLES"
    TMPDIR=/nonexistent exits 1 evaluate --logits "$OUT/none" "$EXAMPLES"
    says "temporary file in /nonexistent: No such file or directory"
    [ ! -e "$OUT/none" ]
    run bash -c "pt-eval -q -m $MODEL $EXAMPLES >/dev/full"
    [ "$status" -eq 1 ]
    run on_a_terminal "pt-eval -m $MODEL"
    [ "$status" -eq 2 ]
}
