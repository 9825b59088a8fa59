#!/usr/bin/env bats
# pt-init: first prompts, what they remember, refusals.

load ../lib/helpers

MODEL=tests/data/reference/bloom/model
OTHER=tests/data/reference/bloom-6heads/model
ADAPTER=tests/data/reference/bloom/adapter-trained

setup() {
    OUT=$BATS_TEST_TMPDIR
}

init() {
    pt-init -m $MODEL "$@"
}

# changed_model FOLDER: the model with another first weight.
changed_model() {
    cp -r $MODEL "$1"
    printf '\x3d\x3d' | dd of="$1/model.safetensors" bs=1 conv=notrunc status=none \
        seek=$(($(od -An -tu8 -N8 "$1/model.safetensors") + 10))
}

# header FILE: the JSON in front of the tensors.
header() {
    tail -c +9 "$1" | head -c "$(od -An -tu8 -N8 "$1" | tr -d ' ')"
}

shape() {
    header "$1" | jq -c .prompt_embeddings.shape
}

@test "equal seeds give equal bytes, wherever they go and wherever the model lies" {
    init --vocab >"$OUT/a"
    init --vocab --seed 42 -o "$OUT/b"
    cp -r $MODEL "$OUT/model"
    pt-init -m "$OUT/model/" --vocab >"$OUT/c"
    same_bytes "$OUT/a" "$OUT/c"
    init --vocab -v -o "$OUT/d" && same_bytes "$OUT/a" "$OUT/d"
    pt-merge --to peft -o "$OUT/pa" "$OUT/a" && pt-merge --to peft -o "$OUT/pb" "$OUT/b"
    same_bytes "$OUT/pa/adapter_model.safetensors" "$OUT/pb/adapter_model.safetensors"
    init --vocab --seed 43 >"$OUT/e"
    ! cmp -s "$OUT/a" "$OUT/e"
}

@test "without an option the rows come from the vocabulary, 20 of them" {
    init >"$OUT/a"
    [ "$(shape "$OUT/a")" = '[20,64]' ]
    [ "$(header "$OUT/a" | jq -r '.__metadata__.init | fromjson | .kind')" = vocab ]
}

@test "a text gives as many rows as it has tokens, or as -n says" {
    n=$(jq '.text_init_ids | length' tests/data/reference/bloom/cases.json)
    init --text '下面是一段人与机器人的对话。' >"$OUT/a"
    [ "$(shape "$OUT/a")" = "[$n,64]" ]
    init --text '下面是一段人与机器人的对话。' -n 3 >"$OUT/b"
    [ "$(shape "$OUT/b")" = '[3,64]' ]
    init --text '下面是一段人与机器人的对话。' -n 100 >"$OUT/c"
    [ "$(shape "$OUT/c")" = '[100,64]' ]
}

@test "the file remembers its model, its text and its command, and no path" {
    init --text 'A talk.' -n 5 -o "$OUT/a"
    metadata=$(header "$OUT/a" | jq .__metadata__)
    [ "$(jq -r .base_model_name <<<"$metadata")" = model ]
    [[ "$(jq -r .base_model_fingerprint <<<"$metadata")" =~ ^[0-9a-f]{32}$ ]]
    [[ "$(jq -r .tokenizer_fingerprint <<<"$metadata")" =~ ^[0-9a-f]{32}$ ]]
    [ "$(jq -r '.init | fromjson | .text' <<<"$metadata")" = 'A talk.' ]
    [ "$(jq -c '.history | fromjson | .[0].arguments' <<<"$metadata")" = '["-m","model","--text","A talk.","-n","5"]' ]
    ! grep -q / <<<"$metadata"
}

@test "values are taken from a file, a pipe, or an adapter" {
    init --random --std 0.1 -n 7 >"$OUT/a"
    init --from "$OUT/a" -o "$OUT/b"
    init --from - <"$OUT/a" >"$OUT/c"
    init --from <(cat "$OUT/a") >"$OUT/d"
    for file in a b c d; do
        pt-merge --to peft -o "$OUT/p$file" "$OUT/$file"
        same_bytes "$OUT/pa/adapter_model.safetensors" "$OUT/p$file/adapter_model.safetensors"
    done
    init --from $ADAPTER >"$OUT/e"
    pt-merge --to peft -o "$OUT/pe" "$OUT/e"
    same_bytes $ADAPTER/adapter_model.safetensors "$OUT/pe/adapter_model.safetensors"
    exits 4 init --from "$OUT/a" -n 8 -o "$OUT/f"
    says '7 virtual tokens, not 8'
    [ ! -e "$OUT/f" ]
}

@test "a prompt of another model is refused, naming both fingerprints" {
    changed_model "$OUT/changed"
    init >"$OUT/a"
    pt-init -m "$OUT/changed" >"$OUT/b"
    exits 4 pt-init -m "$OUT/changed" --from "$OUT/a"
    for file in a b; do
        says "$(header "$OUT/$file" | jq -r .__metadata__.base_model_fingerprint)"
    done
    says 'hint: --ignore-fingerprint'
    exits 4 pt-init -m $OTHER --ignore-fingerprint --from "$OUT/a"
    says 'hidden size'
    pt-init -m "$OUT/changed" --ignore-fingerprint --from "$OUT/a" >"$OUT/c"
    [ "$(header "$OUT/c" | jq .__metadata__.base_model_fingerprint)" = "$(header "$OUT/b" | jq .__metadata__.base_model_fingerprint)" ]
}

@test "methods that are not there are refused by name" {
    exits 4 init --method lora
    says "method 'lora' is not supported"
    exits 4 init --method prefix
    says "method 'prefix' is not supported"
    init --method prompt >"$OUT/a"
}

@test "wrong command lines" {
    exits 2 pt-init
    says '-m MODEL'
    exits 2 init --text a --vocab
    says 'exclude each other'
    exits 2 init --random --from x
    says 'exclude each other'
    exits 0 init --random --random -o "$BATS_TEST_TMPDIR/twice"
    exits 2 init --std 0.1
    says '--std'
    exits 2 init --text ''
    says 'no token'
    exits 2 init -n 0
    exits 2 init -n 1x
    exits 2 init --seed -1
    exits 2 init --seed 4294967296
    exits 2 init --random --std nan
    exits 2 init surplus
    exits 3 init --text $'\xff'
    says 'UTF-8'
}

@test "what is no model is refused" {
    exits 1 pt-init -m "$OUT/absent"
    mkdir "$OUT/empty"
    exits 3 pt-init -m "$OUT/empty"
    says "$OUT/empty: holds no config.json"
    cp -r $MODEL "$OUT/cut"
    head -c 800000 $MODEL/model.safetensors >"$OUT/cut/model.safetensors"
    exits 3 pt-init -m "$OUT/cut"
    cp -r $MODEL "$OUT/gpt"
    sed 's/"bloom"/"gpt_unknown"/; s/BloomFor/UnknownFor/' $MODEL/config.json >"$OUT/gpt/config.json"
    exits 4 pt-init -m "$OUT/gpt"
    cp -r $MODEL "$OUT/mute"
    rm "$OUT/mute/tokenizer.json"
    pt-init -m "$OUT/mute" >"$OUT/a"
    exits 3 pt-init -m "$OUT/mute" --text a
    says tokenizer
}

@test "nothing is written to a terminal, to a full disk, or where nobody can" {
    run on_a_terminal "pt-init -m $MODEL"
    [ "$status" -eq 2 ]
    exits 1 init -o /dev/full
    exits 1 init -o "$OUT/no/such/folder"
    run bash -c "pt-init -m $MODEL >&-"
    [ "$status" -eq 1 ]
}
