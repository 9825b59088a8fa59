#!/usr/bin/env bats
# One pipeline for every family of models: each tool on each folder of reference numbers, against what PEFT and transformers gave.

load ../lib/helpers
load ../lib/reference

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    FOLDERS=("$OLDPWD"/tests/data/reference/*/)
}

# for_each_folder FUNCTION: every command in it must succeed (so it is no part of a condition); what failed is in the last folder named.
for_each_folder() {
    for folder in "${FOLDERS[@]}"; do
        folder=${folder%/}
        model=$folder/model
        echo "in $folder"
        "$1"
    done
}

describes() {
    exits 0 pt-info --json "$model"
    jq -e --argjson type "$(jq .model_type "$model/config.json")" \
        '.kind == "checkpoint" and .model_type == $type and .parameters > 50000 and .dtype == "F32" and (.not_supported | not)' \
        <<<"$output"
}

@test "pt-info describes a model of every family" {
    for_each_folder describes
}

# The first updates have the Trainer's losses.
trains() {
    trainer_prompt "$folder" >first.safetensors
    trainer_updates "$folder" >updates
    pt-train -q -m "$model" -p first.safetensors --math f32 --log log --log-every 1 --max-steps 4 updates -o tuned.safetensors
    jq -s -e --slurpfile cases "$folder/cases.json" \
        '[map(select(.loss)) | .[0:4], ($cases[0].trainer.log_history[0:4])] | transpose | length == 4 and
         all(.[]; (.[0].loss - .[1].loss) < 1e-4 and (.[0].loss - .[1].loss) > -1e-4)' log
}

@test "pt-tokenize, pt-pack and pt-train give the Trainer's losses on every family" {
    for_each_folder trains
}

# PEFT's adapter is what the Trainer ended with: its loss on the rows is below that of where it started.
evaluates() {
    trainer_prompt "$folder" >first.safetensors
    pt-tokenize -m "$model" "$folder/train.json" >examples
    pt-eval -q -m "$model" -p first.safetensors --json examples >before
    pt-eval -q -m "$model" -p "$folder/adapter-trained" --json examples >after
    jq -s -e '.[1].loss < .[0].loss - 0.1 and .[0].targets == .[1].targets' before after
}

@test "pt-eval reads PEFT's adapters of every family" {
    for_each_folder evaluates
}

samples() {
    reference_tensor "$folder" prompt prompt_embeddings >prompt.safetensors
    local given expected
    given=$(reference_ids "$folder" ids.0)
    expected=$(reference_ids "$folder" greedy.0)
    exits 0 pt-sample -q -m "$model" -p prompt.safetensors --math f32 --greedy --max-new-tokens 24 --input-ids "$given"
    [ "$given $output" = "$expected" ]
}

@test "pt-sample's greedy ids are transformers' on every family" {
    for_each_folder samples
}

initialises() {
    pt-init -m "$model" --vocab -n 3 --seed 1 -o vocab.safetensors
    pt-merge --to peft -o adapter vocab.safetensors
    exits 0 pt-info --json adapter
    jq -e --argjson hidden "$(jq '.hidden_size // .n_embd' "$model/config.json")" '.tensors[0].shape == [3, $hidden]' <<<"$output"
    rm -r adapter
}

@test "pt-init and pt-merge on every family" {
    for_each_folder initialises
}

@test "a configuration with one field that changes the numbers is refused before any work" {
    for_each_folder refuses
}

refuses() {
    rm -rf other
    cp -r "$model" other
    chmod -R u+w other
    jq '. + {num_local_experts: 8}' "$model/config.json" >other/config.json
    exits 4 pt-sample -m other --greedy --max-new-tokens 1 --input-ids "5 6"
    says num_local_experts
    exits 0 pt-info other
    [[ $output == *num_local_experts* ]]
}

@test "every tool that needs the weights refuses such a model" {
    folder=${FOLDERS[0]%/}
    model=$folder/model
    cp -r "$model" other
    chmod -R u+w other
    jq '. + {quantization_config: {bits: 4}}' "$model/config.json" >other/config.json
    trainer_prompt "$folder" >prompt.safetensors
    trainer_updates "$folder" >updates
    pt-tokenize -m "$model" "$folder/train.json" >examples
    exits 4 pt-init -m other --random -n 2 -o result
    says quantization_config
    exits 4 pt-train -q -m other -p prompt.safetensors updates -o result
    says quantization_config
    exits 4 pt-eval -q -m other -p prompt.safetensors examples -o result
    says quantization_config
    [ ! -e result ]
}
