#!/usr/bin/env bats
# pt-merge: PEFT's adapters both ways, means, sums, concatenation, refusals.

load ../lib/helpers

REFERENCE=tests/data/reference/bloom
MODEL=$REFERENCE/model

setup() {
    OUT=$BATS_TEST_TMPDIR
}

# changed_model FOLDER: the model with another first weight.
changed_model() {
    cp -r $MODEL "$1"
    printf '\x3d\x3d' | dd of="$1/model.safetensors" bs=1 conv=notrunc status=none \
        seek=$(($(od -An -tu8 -N8 "$1/model.safetensors") + 10))
}

# values FILE: the prompt's numbers alone, as bytes.
values() {
    local folder
    folder=$(mktemp -d "$OUT/values-XXXXXX")
    pt-merge --to peft -o "$folder" "$1"
    tail -c +$((9 + $(od -An -tu8 -N8 "$folder/adapter_model.safetensors"))) "$folder/adapter_model.safetensors"
}

same_values() {
    cmp <(values "$1") <(values "$2")
}

@test "adapters of PEFT come back as PEFT wrote them" {
    for adapter in adapter-trained adapter-text-init; do
        pt-merge $REFERENCE/$adapter >"$OUT/prompt"
        pt-merge --to peft -o "$OUT/$adapter" "$OUT/prompt"
        for file in adapter_config.json adapter_model.safetensors; do
            same_bytes $REFERENCE/$adapter/$file "$OUT/$adapter/$file"
        done
        [ -s "$OUT/$adapter/README.md" ]
    done
}

@test "an adapter that was pickled holds the same, as a folder and in archives" {
    tar cf "$OUT/a.tar" -C $REFERENCE adapter-pickled
    gzip -c "$OUT/a.tar" >"$OUT/a.tar.gz"
    for input in $REFERENCE/adapter-pickled "$OUT/a.tar" "$OUT/a.tar.gz"; do
        pt-merge --to peft -o "$OUT/adapter" "$input"
        for file in adapter_config.json adapter_model.safetensors; do
            same_bytes $REFERENCE/adapter-trained/$file "$OUT/adapter/$file"
        done
    done
    pt-eval -m $MODEL -p "$OUT/a.tar" --json <(pt-tokenize -q -m $MODEL --text $REFERENCE/../README.md) >"$OUT/pickled"
    pt-eval -m $MODEL -p $REFERENCE/adapter-trained --json <(pt-tokenize -q -m $MODEL --text $REFERENCE/../README.md) >"$OUT/trained"
    same_bytes "$OUT/pickled" "$OUT/trained"
}

@test "a new prompt becomes the adapter that PEFT makes of the same text" {
    pt-init -m $MODEL --text '下面是一段人与机器人的对话。' -n 11 | pt-merge --to peft -o "$OUT/adapter" -
    for file in adapter_config.json adapter_model.safetensors; do
        same_bytes $REFERENCE/adapter-text-init/$file "$OUT/adapter/$file"
    done
}

@test "the model knows what a bare tensor does not" {
    cp $REFERENCE/adapter-trained/adapter_model.safetensors "$OUT/bare"
    pt-merge --to peft -o "$OUT/without" "$OUT/bare"
    [ "$(jq -c '[.num_layers, .base_model_name_or_path, .token_dim]' "$OUT/without/adapter_config.json")" = '[null,null,64]' ]
    pt-merge --to peft -m $MODEL --base-name someone/tiny -o "$OUT/with" "$OUT/bare"
    jq -e '.num_layers == 3 and .num_attention_heads == 4 and .base_model_name_or_path == "someone/tiny"' "$OUT/with/adapter_config.json"
    exits 4 pt-merge -m tests/data/reference/bloom-6heads/model "$OUT/bare"
    says 'hidden size'
}

@test "archives, compressed or not, are read and written" {
    pt-merge --to peft -o "$OUT/adapter.tar" $REFERENCE/adapter-trained
    gzip -k "$OUT/adapter.tar"
    tar -C $REFERENCE -cf "$OUT/folder.tar" adapter-trained
    for archive in adapter.tar adapter.tar.gz folder.tar; do
        same_values "$OUT/$archive" $REFERENCE/adapter-trained
    done
    pt-merge --to peft -o "$OUT/again.tar" "$OUT/adapter.tar"
    same_bytes "$OUT/adapter.tar" "$OUT/again.tar"
}

@test "means, sums and concatenation" {
    pt-init -m $MODEL -n 3 -o "$OUT/a"
    pt-init -m $MODEL -n 3 --seed 7 -o "$OUT/b"
    pt-merge "$OUT/a" "$OUT/a" "$OUT/a" "$OUT/a" >"$OUT/mean"
    same_values "$OUT/mean" "$OUT/a"
    pt-merge --weight 2,-1 "$OUT/a" "$OUT/a" >"$OUT/sum" && same_values "$OUT/sum" "$OUT/a"
    pt-merge --weight 0 --weight 1 "$OUT/a" "$OUT/b" >"$OUT/sum" && same_values "$OUT/sum" "$OUT/b"
    pt-merge "$OUT/a" "$OUT/b" >"$OUT/mean" && pt-merge --weight 0.5,0.5 "$OUT/a" "$OUT/b" >"$OUT/sum"
    same_values "$OUT/mean" "$OUT/sum"
    ! same_values "$OUT/mean" "$OUT/a"
    pt-merge --concat "$OUT/a" "$OUT/b" >"$OUT/both"
    cmp <(values "$OUT/both") <(values "$OUT/a"; values "$OUT/b")
}

@test "inputs come from pipes too" {
    pt-init -m $MODEL -n 3 -o "$OUT/a"
    pt-merge "$OUT/a" "$OUT/a" >"$OUT/b"
    pt-merge - <(cat "$OUT/a") <"$OUT/a" >"$OUT/c"
    same_values "$OUT/b" "$OUT/c"
}

@test "inputs that do not belong together are refused" {
    changed_model "$OUT/changed"
    pt-init -m $MODEL -n 3 -o "$OUT/a"
    pt-init -m "$OUT/changed" -n 3 -o "$OUT/b"
    pt-init -m $MODEL -n 4 -o "$OUT/c"
    exits 4 pt-merge "$OUT/a" "$OUT/b"
    says fingerprint
    exits 4 pt-merge --concat "$OUT/a" "$OUT/b"
    says fingerprint
    pt-merge --to peft -o "$OUT/unknown" "$OUT/a"
    exits 4 pt-merge "$OUT/unknown" "$OUT/a" "$OUT/b"
    says fingerprint
    exits 4 pt-merge "$OUT/a" "$OUT/c"
    says '[4, 64]'
    exits 2 pt-merge --ignore-fingerprint "$OUT/a" "$OUT/b"
    pt-merge --ignore-fingerprint -m $MODEL "$OUT/a" "$OUT/b" >"$OUT/d"
}

@test "broken and foreign inputs" {
    pt-init -m $MODEL -n 3 -o "$OUT/a"
    head -c 900 "$OUT/a" >"$OUT/cut"
    exits 3 pt-merge "$OUT/cut"
    sed 's/"vocab/"vocal/' "$OUT/a" >"$OUT/changed"
    exits 3 pt-merge "$OUT/changed"
    exits 3 pt-merge - </dev/null
    exits 1 pt-merge "$OUT/absent"
    exits 4 pt-merge $MODEL
    says 'adapter_config.json'
    exits 4 pt-merge $MODEL/model.safetensors
    exits 3 pt-merge $MODEL/config.json
    cp -r $REFERENCE/adapter-trained "$OUT/lora"
    sed 's/PROMPT_TUNING/LORA/' $REFERENCE/adapter-trained/adapter_config.json >"$OUT/lora/adapter_config.json"
    exits 4 pt-merge "$OUT/lora"
    says "'LORA' is not supported"
}

@test "an adapter replaces an older one, and nothing else" {
    pt-merge --to peft -o "$OUT/adapter" $REFERENCE/adapter-trained
    pt-merge --to peft -o "$OUT/adapter" $REFERENCE/adapter-text-init
    same_bytes "$OUT/adapter/adapter_config.json" $REFERENCE/adapter-text-init/adapter_config.json
    touch "$OUT/adapter/precious"
    run pt-merge --to peft -o "$OUT/adapter" $REFERENCE/adapter-trained
    [ "$status" -ne 0 ]
    [ -e "$OUT/adapter/precious" ]
    same_bytes "$OUT/adapter/adapter_config.json" $REFERENCE/adapter-text-init/adapter_config.json
}

@test "wrong command lines" {
    pt-init -m $MODEL -n 3 -o "$OUT/a"
    exits 2 pt-merge
    exits 2 pt-merge --to nothing "$OUT/a"
    exits 4 pt-merge --to model -m $MODEL -o "$OUT/m" "$OUT/a"
    says '--to model is not supported'
    exits 2 pt-merge --to peft "$OUT/a"
    says 'hint: name it: -o DIR'
    exits 2 pt-merge --weight 1,2 "$OUT/a"
    says '2 weights for 1 inputs'
    exits 2 pt-merge --weight 1,, "$OUT/a" "$OUT/a" "$OUT/a"
    exits 2 pt-merge --weight nan "$OUT/a"
    exits 2 pt-merge --weight 1 --concat "$OUT/a"
    exits 2 pt-merge --base-name x "$OUT/a"
    exits 5 pt-merge --weight 1e300 "$OUT/a"
    says 'not finite'
}

@test "nothing is written to a terminal or to a full disk" {
    run on_a_terminal "pt-merge $REFERENCE/adapter-trained"
    [ "$status" -eq 2 ]
    exits 1 pt-merge -o /dev/full $REFERENCE/adapter-trained
}
