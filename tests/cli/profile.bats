#!/usr/bin/env bats
# pt-train --profile: every part is there, times add up, what was left out is counted, the result is the same.

load ../lib/helpers

setup_file() {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    export RECORDS=$BATS_FILE_TMPDIR/records UPDATES=$BATS_FILE_TMPDIR/updates PROMPT=$BATS_FILE_TMPDIR/first
    export TABLE=$BATS_FILE_TMPDIR/table TUNED=$BATS_FILE_TMPDIR/tuned
    # 10 tokens of which those at 4 to 7 count: 7 rows are needed, 4 of them predict; 6 tokens, 2 to 5 count: 5 and 4.
    cat >"$RECORDS" <<'END'
{"input_ids": [5, 6, 7, 8, 9, 10, 11, 12, 13, 14], "labels": [-100, -100, -100, -100, 9, 10, 11, 12, -100, -100]}
{"input_ids": [20, 21, 22, 23, 24, 25], "labels": [-100, -100, 22, 23, 24, 25]}
END
    pt-tokenize -m "$DEMO_MODEL" "$RECORDS" | pt-pack --no-shuffle --gradient-accumulation 2 --max-steps 3 >"$UPDATES"
    pt-init -m "$DEMO_MODEL" -n 3 >"$PROMPT"
    pt-train -q -m "$DEMO_MODEL" -p "$PROMPT" --profile "$UPDATES" -o "$TUNED" 2>"$TABLE"
}

# column NAME N: word N of the line of a part.
column() {
    awk -v name="$1" -v n="$2" '$2 == name { print $(n + 1) }' "$TABLE"
}

@test "every part of an update is there, called as often as its layers and updates say" {
    local layers=4 updates=3 part
    for part in qkv attention-out mlp-up mlp-down attention; do
        [ "$(column "$part-forward" 3)" -eq $((layers * updates)) ]
        [ "$(column "$part-backward" 3)" -eq $((layers * updates)) ]
    done
    for part in head-forward head-backward loss input; do
        [ "$(column "$part" 3)" -eq "$updates" ]
    done
    for part in norm-forward norm-backward activation-forward activation-backward residual embedding optimizer; do
        [ "$(column "$part" 3)" -ge "$updates" ]
    done
}

@test "the seconds of all parts and of the rest add up to the updates' seconds, and shares to 100 %" {
    awk '$2 == "part" { inside = 1; next }
        $2 == "sum" { total = $3; share = $7; inside = 0 }
        inside { seconds += $3; shares += $7; lines++; if ($2 == "other") rest = $3 }
        END { exit !(lines > 15 && rest >= 0 && total > 0 && seconds - total < 0.002 && total - seconds < 0.002 &&
            shares > 98 && shares < 102 && share == "100.0%") }' "$TABLE"
}

@test "rates are compared with limits that were measured" {
    grep -qE 'profile: 3 updates, [a-z0-9]+:[a-z0-9]+, [0-9]+ threads; limits: [0-9.]+ GF/s, [0-9.]+ GB/s$' "$TABLE"
    [[ "$(column mlp-up-forward 5)" == GF/s && "$(column mlp-up-forward 7)" == *% ]]
    [[ "$(column loss 5)" == GB/s && "$(column loss 7)" == *% ]]
}

@test "rows that nothing needs are counted" {
    [ "$(column rows-in-front 2) $(column rows-in-front 3)" = "$((3 * 3)) $((3 * 3))" ]
    [ "$(column rows-of-examples 2) $(column rows-of-examples 3)" = "$((3 * 12)) $((3 * 4))" ]
    [ "$(column last-layer 2) $(column last-layer 3)" = "$((3 * 8)) $((3 * 7))" ]
    [ "$(column logits 2) $(column logits 3)" = "$((3 * 8)) $((3 * 7))" ]
    [ "$(column first-layer-gradient 2) $(column first-layer-gradient 3)" = "$((3 * 3)) $((3 * 12))" ]
}

@test "an evaluation between the updates is no part of them" {
    pt-tokenize -m "$DEMO_MODEL" "$RECORDS" >"$BATS_TEST_TMPDIR/examples"
    pt-train -q -m "$DEMO_MODEL" -p "$PROMPT" --profile --eval "$BATS_TEST_TMPDIR/examples" --eval-every 1 "$UPDATES" \
        -o /dev/null 2>"$BATS_TEST_TMPDIR/table"
    TABLE=$BATS_TEST_TMPDIR/table
    [ "$(column head-forward 3)" -eq 3 ]
}

@test "the result is the same with and without it, and without it there is no table" {
    exits 0 pt-train -m "$DEMO_MODEL" -p "$PROMPT" "$UPDATES" -o "$BATS_TEST_TMPDIR/plain"
    same_bytes "$TUNED" "$BATS_TEST_TMPDIR/plain"
    [[ "$stderr" != *profile* ]]
}
