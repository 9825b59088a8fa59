#!/usr/bin/env bats
# What training takes of memory, and weights that are not in it.

load ../lib/helpers

setup() {
    pt-tokenize -m "$DEMO_MODEL" examples/data/kdconv-travel-test.json | pt-pack --max-length 64 --max-steps 2 >"$BATS_TEST_TMPDIR/updates"
    pt-init -m "$DEMO_MODEL" -n 4 >"$BATS_TEST_TMPDIR/first"
    cd "$BATS_TEST_TMPDIR" || return 1
    MODEL=$OLDPWD/$DEMO_MODEL
}

@test "-v says what the memory is for, and less of it makes smaller slices" {
    local rows
    for size in 64M 16M; do
        exits 0 pt-train -v -m "$MODEL" -p first --memory "$size" updates -o tuned
        [[ "$stderr" =~ "memory: "[0-9.]+" MiB of weights mapped; for slices of "([0-9]+)" rows: kept activations "[0-9.]+" MiB" ]]
        rows+=" ${BASH_REMATCH[1]}"
        says "logits of "
        says "beside the mapped weights, of ${size%M}.0 MiB allowed"
    done
    read -r large small <<<"$rows"
    [ "$small" -lt "$large" ]
}

@test "evaluating and sampling keep nothing for a backward" {
    exits 0 pt-eval -v -m "$MODEL" -p first updates
    says "kept activations 0 B, "
    exits 0 pt-sample -v -m "$MODEL" -p first --max-new-tokens 1 text
    says "kept activations 0 B, "
}

@test "a run goes on with too little memory for all activations, to the same bytes" {
    train() { pt-train -q -m "$MODEL" -p first "$@" updates; }
    train -o whole
    train --memory 1G --max-steps 1 --save state -o half # of slices of 512 rows: 23 MB with all activations
    exits 0 train --memory 20M --resume state -o gone-on
    same_bytes whole gone-on
    exits 1 train --memory 12M --resume state -o refused
    says "a sequence of 516 rows needs 16.7 MiB of memory, 12.0 MiB is allowed"
    [ ! -e refused ]
}

@test "--pack keeps weights packed as far as the memory goes, and gives the same bytes" {
    local some sizes="packed weights ([0-9.]+) MiB.*memory: ([0-9.]+) MiB beside the mapped weights"
    train() { exits 0 pt-train -v -m "$MODEL" -p first --math f32:portable "$@" updates; }
    train -o none
    says "packed weights 0 B"
    train --pack --memory 8G -o all
    [[ "$stderr" =~ $sizes ]]
    some=$(awk -v packed="${BASH_REMATCH[1]}" -v total="${BASH_REMATCH[2]}" 'BEGIN { print int(total - packed / 2) }')
    local all=${BASH_REMATCH[1]}
    train --pack --memory "${some}M" -o some
    [[ "$stderr" =~ $sizes ]]
    awk -v all="$all" -v some="${BASH_REMATCH[1]}" -v total="${BASH_REMATCH[2]}" -v allowed="$some" \
        'BEGIN { exit !(some > 0 && some < all && total <= allowed) }'
    same_bytes none all
    same_bytes none some
}

@test "weights that the page cache does not hold give the same bytes" {
    cp -r "$MODEL" cold
    exits 0 pt-train -q -m cold -p first updates -o warm.safetensors
    sync cold/model.safetensors
    dd if=cold/model.safetensors iflag=nocache count=0 status=none
    exits 0 pt-train -q -m cold -p first updates -o cold.safetensors
    same_bytes warm.safetensors cold.safetensors
}
