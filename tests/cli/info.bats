#!/usr/bin/env bats
# pt-info: what it says of each kind, and which status a fault has.
load ../lib/helpers

setup() {
    cd "$BATS_TEST_TMPDIR"
    root=$BATS_TEST_DIRNAME/../..
    data=$root/tests/data
    model=$root/$TINY_BLOOM
}

# kind FILE KIND [JQ-CONDITION]: --json and --verify call it so.
kind() {
    exits 0 pt-info --json --verify "$1"
    jq -e ".kind == \"$2\" and (${3:-true})" <<<"$output" || {
        echo "$output"
        return 1
    }
}

# safetensors HEADER DATA: a file on standard output; DATA in printf's escapes.
safetensors() {
    printf "\\x$(printf %x ${#1})\0\0\0\0\0\0\0%s$2" "$1"
}

@test "a stream of examples, from a file, a pipe and compressed" {
    kind "$data/streams/examples.pts" examples '.examples == 3 and .updates == 0 and .tokens == 5 and .targets == 3 and .vocab_size == 100'
    gzip -c "$data/streams/examples.pts" >s.gz
    kind s.gz examples '.tokens == 5'
    exits 0 bash -c 'cat "$1" "$1" | pt-info --json -' - "$data/streams/examples.pts"
    jq -e '.kind == "examples" and .examples == 6 and .tokens == 10' <<<"$output"
}

@test "a stream of updates counts an example as often as it stands there" {
    kind "$data/streams/updates.pts" updates '.examples == 3 and .updates == 2 and .tokens == 9 and .targets == 5 and .epochs == 1.5'
}

@test "people's words" {
    exits 0 pt-info "$data/streams/updates.pts"
    [[ "$output" == *"token stream of updates"*"schedule updates "*2* ]]
    exits 0 pt-info "$model"
    [[ "$output" == *"model checkpoint"*"BloomForCausalLM"*"66 (--verbose lists them)"* ]]
    exits 0 pt-info -v "$model"
    [[ "$output" == *"transformer.h.4.mlp.dense_4h_to_h.bias"*"F32  [32]"* ]]
}

@test "sizes of a checkpoint have one name, whatever its family calls them" {
    for family in bloom gpt2 mistral; do
        exits 0 pt-info --json "$data/reference/$family/model"
        jq -e '.hidden_size == 64 and .num_hidden_layers == 3 and .num_attention_heads == 4 and .vocab_size == 1024 and .head_dim == 16' <<<"$output"
    done
    jq -e '.num_key_value_heads == 2 and .positions == "rotary" and .sliding_window == 16 and .tie_word_embeddings == false' <<<"$output"
    exits 0 pt-info --json "$data/reference/bloom/model"
    jq -e '.positions == "ALiBi" and .tokenizer.file == "tokenizer.json" and .tokenizer.class == "BloomTokenizer" and
        (.tokenizer.fingerprint | length) == 32' <<<"$output"
}

@test "a checkpoint, its tensors and its tokenizer" {
    kind "$model" checkpoint '(.tensors | length) == 66 and .model_type == "bloom" and .tokenizer.vocab_size == 1024 and .non_finite == 0 and
        .tensors[0] == {name: "transformer.word_embeddings.weight", dtype: "F32", shape: [1024, 32]}'
}

@test "an architecture that is not supported is described, and does not verify" {
    cp -r "$model" other
    chmod -R u+w other
    sed -i 's/"model_type": "bloom"/"model_type": "mamba"/' other/config.json
    exits 0 pt-info --json other
    jq -e '.kind == "checkpoint" and (.not_supported | contains("mamba"))' <<<"$output"
    exits 4 pt-info --verify other
}

@test "tuned parameters, an adapter of them as folder and archives" {
    pt-init -m "$model" -n 3 --random -o p.safetensors
    kind p.safetensors tuned '.method == "prompt" and .virtual_tokens == 3 and .tensors == [{name: "prompt_embeddings", dtype: "F32", shape: [3, 32]}] and
        .metadata.history[0].tool == "pt-init"'
    pt-merge --to peft -o adapter p.safetensors
    kind adapter adapter '.configuration.peft_type == "PROMPT_TUNING" and .virtual_tokens == 3'
    kind adapter/adapter_model.safetensors tensors '.metadata == {format: "pt"}'
    tar czf adapter.tar.gz adapter
    kind adapter.tar.gz adapter
    exits 0 bash -c 'pt-info --json - <p.safetensors'
    jq -e '.kind == "tuned"' <<<"$output"
}

@test "an adapter that was pickled, as folder and archive" {
    kind "$data/reference/bloom/adapter-pickled" adapter '.method == "prompt" and .tensors == [{name: "prompt_embeddings", dtype: "F32", shape: [5, 64]}]'
    tar cf pickled.tar -C "$data/reference/bloom" adapter-pickled
    kind pickled.tar adapter '.virtual_tokens == 5'
    cp -r "$data/reference/bloom/adapter-pickled" cut
    chmod -R u+w cut
    head -c 2000 "$data/reference/bloom/adapter-pickled/adapter_model.bin" >cut/adapter_model.bin
    exits 3 pt-info cut
    says adapter_model.bin
    tar czf cut.tar.gz cut
    exits 3 pt-info cut.tar.gz
    says adapter_model.bin
}

@test "an adapter of another method is described, and does not verify" {
    exits 0 pt-info --json "$data/reference/bloom/adapter-lora"
    jq -e '.kind == "adapter" and .configuration.peft_type == "LORA" and .configuration.r == 2 and .tensors[1].shape == [192, 2] and
        (.not_supported | contains("LORA"))' <<<"$output"
    exits 4 pt-info --verify "$data/reference/bloom/adapter-lora"
    says "'LORA' is not supported"
    cp -r "$data/reference/bloom/adapter-lora" cut
    chmod -R u+w cut
    head -c 2000 "$data/reference/bloom/adapter-lora/adapter_model.safetensors" >cut/adapter_model.safetensors
    exits 3 pt-info --verify cut
}

@test "a damaged file of ours is status 3, wherever the bit is" {
    pt-init -m "$model" -n 3 --random -o p.safetensors
    size=$(stat -c %s p.safetensors)
    for at in 0 9 200 $((size - 100)) $((size - 1)); do
        cp p.safetensors q.safetensors
        byte=$(od -An -tu1 -j "$at" -N1 q.safetensors)
        printf "\\x$(printf %x $((byte ^ 2)))" | dd of=q.safetensors bs=1 seek="$at" conv=notrunc status=none
        exits 3 pt-info q.safetensors
    done
    head -c $((size - 1)) p.safetensors >q.safetensors
    exits 3 pt-info --verify q.safetensors
    says q.safetensors
}

@test "PyTorch files: checksums only with --verify, older forms not at all" {
    kind "$data/pytorch-files/test.pt" tensors '.tensors == [{name: "test", dtype: "I64", shape: [2, 4]}]'
    cp "$data/pytorch-files/test.pt" t.pt
    chmod u+w t.pt
    offset=$(grep -abo -P '\x05\0\0\0\0\0\0\0\x06' t.pt | head -1 | cut -d: -f1)
    printf '\x07' | dd of=t.pt bs=1 seek="$offset" conv=notrunc status=none
    exits 0 pt-info t.pt
    exits 3 pt-info --verify t.pt
    says data/0
    exits 0 pt-info --verify "$data/pytorch-files/reader__simple_legacy.pt"
    [[ "$output" == *"running_mean "*"F32  [2]"* ]]
    kind "$data/pytorch-files/epoch_beside_state_dict.bin" tensors '[.tensors[].name] == ["a", "b"]'
    head -c 900 "$data/pytorch-files/test.pt" >cut.pt
    exits 3 pt-info cut.pt
}

@test "values that are not finite are reported and no fault" {
    safetensors '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}' '\0\0\x80\x7f\0\0\xc0\x7f\0\0\x80\x3f' >n.safetensors
    kind n.safetensors tensors '.non_finite == 2 and .tensors[0].non_finite == 2'
    exits 0 pt-info --verify n.safetensors
    [[ "$output" == *"2 not finite"* ]]
}

@test "what is malformed, or of no known kind, is status 3" {
    head -c 300 "$data/streams/examples.pts" >cut.pts
    exits 3 pt-info cut.pts
    says "no end section"
    : >empty
    exits 3 pt-info empty
    echo "hello" >text
    exits 3 pt-info text
    head -c 4096 /dev/zero >zeros
    exits 3 pt-info zeros
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' >pointer.safetensors
    exits 3 pt-info pointer.safetensors
    says "git lfs pull"
    mkdir folder
    exits 3 pt-info folder
    safetensors '{"a":{"dtype":"F99","shape":[3],"data_offsets":[0,12]}}' abcdefghijkl >dtype.safetensors
    exits 3 pt-info dtype.safetensors
    says F99
    for file in "$data"/safetensors/*.safetensors; do
        expected=$(jq -r --arg file "${file##*/}" '.[] | select(.file == $file) | if .expected == "ok" then 0 else 3 end' "$data/safetensors/EXPECTED.json")
        exits "$expected" pt-info --verify "$file"
    done
}

@test "what is recognised and not read is status 4" {
    printf 'GGUF\3\0\0\0\0\0\0\0' >model.gguf
    printf '\x08\x07\x12\x07pytorch' >model.onnx
    printf '\x89HDF\r\n\x1a\n\0' >model.h5
    for file in model.*; do
        exits 4 pt-info --verify "$file"
        exits 4 pt-info "$file"
    done
}

@test "an archive is judged by its members" {
    cp "$data/streams/examples.pts" "$data/pytorch-files/test.pt" .
    echo hello >text
    tar cf good.tar examples.pts test.pt text
    kind good.tar archive '[.members[].kind] == ["examples", "tensors"]'
    head -c 300 examples.pts >cut.pts
    tar cf bad.tar test.pt cut.pts
    exits 3 pt-info bad.tar
    printf 'GGUF\3\0\0\0\0\0\0\0' >model.gguf
    tar cf foreign.tar model.gguf
    exits 4 pt-info foreign.tar
    tar cf nothing.tar text
    exits 4 pt-info nothing.tar
    says "nothing of these tools"
}

@test "several files: a line each, and the first fault ends it" {
    exits 0 pt-info --json "$data/streams/examples.pts" "$data/streams/updates.pts"
    [ "$(jq -r .kind <<<"$output" | xargs)" = "examples updates" ]
    echo hello >text
    exits 3 pt-info --json "$data/streams/examples.pts" text "$data/streams/updates.pts"
    [ "$(jq -r .kind <<<"$output" | xargs)" = "examples" ]
}

@test "names that are not UTF-8" {
    cp "$data/streams/examples.pts" $'caf\xe9.pts'
    exits 0 pt-info --json $'caf\xe9.pts'
    jq -e '.file == "caf\ufffd.pts"' <<<"$output"
    exits 0 pt-info $'caf\xe9.pts'
    [[ "$output" == "caf"$'\xef\xbf\xbd'".pts: token stream"* ]]
    cp -r "$model" $'mod\xe8le'
    exits 0 pt-info $'mod\xe8le'
    pt-init -m $'mod\xe8le' -n 1 -o p.safetensors
    kind p.safetensors tuned '.metadata | tostring | contains("mod\ufffdle")'
    printf '{prompt}{output}' >$'g\xe9.tmpl'
    echo '{"prompt": "a", "output": "b"}' | pt-tokenize -m "$model" --template-file $'g\xe9.tmpl' >s
    kind s examples '.template.name == "g\ufffd.tmpl"'
}

@test "nothing in a file steers the terminal" {
    header='{"__metadata__":{"k\u001b[2J":"v\u009b1m","deep":"{\"a\\u001b\": \"\\u007f\u0085\"}","history":"[{\"tool\": \"x\\u001b\"}]"},'
    safetensors "$header"'"w\n\u001b[31m":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' abcd >$'name\e[7m'
    exits 0 pt-info $'name\e[7m'
    [[ "$output" == *'"name\u001b[7m": file of tensors'* ]]
    [[ "$output" == *'"k\u001b[2J"'*'"v\u009b1m"'* ]]
    [[ "$output" == *'{"a\u001b": "\u007f\u0085"}'* ]]
    [[ "$output" == *'"x\u001b"'* ]]
    [[ "$output" == *'"w\n\u001b[31m"'*F32* ]]
    ! LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f]\|\xc2[\x80-\x9f]' <<<"$output"
}

@test "a tokenizer is known by its content, whatever file and folder are called" {
    cp "$model/tokenizer.json" plain
    [ "$(pt-info --json plain | jq -r .kind)" = tokenizer ]
    mkdir named.json
    cp "$BATS_TEST_DIRNAME/../data/tokenizers/sentencepiece-bytes.model" named.json/tokenizer.model
    [ "$(pt-info --json named.json/tokenizer.model | jq -r .kind)" = tokenizer ]
    tar cf model.json.tar -C named.json tokenizer.model
    for tokenizer in named.json model.json.tar; do
        [ "$(echo hi | pt-tokenize -q --text --eos '</s>' -m $tokenizer | pt-tokenize -q --decode -m $tokenizer)" = hi ]
    done
}

@test "a damaged tokenizer.json is named as one" {
    head -c 20000 "$model/tokenizer.json" >cut.json
    exits 3 pt-info cut.json
    says 'cut.json: line'
    printf '\nnot a tokenizer' >other
    exits 3 pt-info other
    says 'no known kind'
}

@test "usage, a full disk, a file that is not there" {
    exits 2 pt-info
    exits 2 pt-info --no-such-option x
    exits 1 pt-info absent
    exits 1 bash -c 'pt-info "$1" >/dev/full' - "$data/streams/examples.pts"
    exits 1 pt-info -o /dev/full "$data/streams/examples.pts"
}

@test "the reader in Python reads what the tools write" {
    command -v python3 >/dev/null || skip "there is no python3"
    exits 0 bash -c 'cat "$2" "$2" | python3 "$1/examples/read-stream.py"' - "$root" "$data/streams/examples.pts"
    [ "$(grep -c '^5 6 \[7\] \[2\]$' <<<"$output")" -eq 2 ]
    exits 0 bash -c 'python3 "$1/examples/read-stream.py" <"$2"' - "$root" "$data/streams/updates.pts"
    [ "$(grep -c '^\[99\]$' <<<"$output")" -eq 1 ]
    exits 1 bash -c 'head -c 300 "$2" | python3 "$1/examples/read-stream.py"' - "$root" "$data/streams/updates.pts"
}
