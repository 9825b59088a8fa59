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

@test "--pack keeps weights packed as far as the memory goes, and gives the same bytes" {
    local size packed="packed weights ([0-9.]+) (.)iB"
    for size in 1G 48M; do
        exits 0 pt-train -v -m "$MODEL" -p first --pack --math f32:portable --memory "$size" updates -o "packed-$size"
        [[ "$stderr" =~ $packed && "${BASH_REMATCH[1]}" != 0 ]]
        echo "${BASH_REMATCH[1]}" >"size-$size"
    done
    awk 'NR == FNR { all = $1; next } { exit !($1 < all) }' size-1G size-48M
    exits 0 pt-train -v -m "$MODEL" -p first --math f32:portable updates -o plain
    says "packed weights 0 B"
    same_bytes plain packed-1G
    same_bytes plain packed-48M
}

@test "weights that the page cache does not hold give the same bytes" {
    cp -r "$MODEL" cold
    exits 0 pt-train -q -m cold -p first updates -o warm.safetensors
    sync cold/model.safetensors
    dd if=cold/model.safetensors iflag=nocache count=0 status=none
    exits 0 pt-train -q -m cold -p first updates -o cold.safetensors
    same_bytes warm.safetensors cold.safetensors
}
