# pt-sample: what comes out, in which order, and what is refused.

load ../lib/helpers

BLOOM=tests/data/reference/bloom/model
LLAMA=tests/data/reference/llama/model

# A copy of the tiny model with another generation_config.json.
model_with_generation_config() {
    cp -r "$BLOOM" "$BATS_TEST_TMPDIR/model"
    chmod -R u+w "$BATS_TEST_TMPDIR/model"
    printf '%s' "$1" >"$BATS_TEST_TMPDIR/model/generation_config.json"
}

@test "ids in, ids out, one line a text" {
    exits 0 pt-sample -m "$BLOOM" --input-ids --greedy --max-new-tokens 5 '5 6 7' '8 9'
    [ "${#lines[@]}" -eq 2 ]
    [[ "${lines[0]}" =~ ^[0-9]+(\ [0-9]+){0,4}$ ]]
}

@test "less memory makes smaller groups, of the same answers" {
    local texts=('5 6 7' '8 9' '10' '11 12 13 14' '15')
    sample() { pt-sample -m "$BLOOM" --input-ids --json --greedy --math f32:portable -n 2 --max-length 40 "$@" "${texts[@]}"; }
    sample >"$BATS_TEST_TMPDIR/all"
    sample --memory 300K >"$BATS_TEST_TMPDIR/parts"
    same_bytes "$BATS_TEST_TMPDIR/all" "$BATS_TEST_TMPDIR/parts"
    exits 1 sample --memory 50K
    says 'keys and values need 120.0 KiB, where 50.0 KiB are allowed'
}

@test "--null ends objects too" {
    pt-sample -m "$BLOOM" --input-ids --json -0 --max-new-tokens 3 '5 6 7' '8 9' >"$BATS_TEST_TMPDIR/objects"
    [ "$(tr -dc '\0' <"$BATS_TEST_TMPDIR/objects" | wc -c)" -eq 2 ]
    [ "$(tr '\0' '\n' <"$BATS_TEST_TMPDIR/objects" | jq -s length)" -eq 2 ]
    ! tr '\0' 'x' <"$BATS_TEST_TMPDIR/objects" | grep -q '}$'
}

@test "lines of standard input are texts like arguments" {
    pt-sample -m "$BLOOM" --input-ids --max-new-tokens 5 '5 6 7' '8 9' >"$BATS_TEST_TMPDIR/arguments"
    printf '5 6 7\r\n8 9' | pt-sample -m "$BLOOM" --input-ids --max-new-tokens 5 >"$BATS_TEST_TMPDIR/lines"
    same_bytes "$BATS_TEST_TMPDIR/arguments" "$BATS_TEST_TMPDIR/lines"
}

@test "equal seeds give equal bytes for any number of threads, other seeds others" {
    for run in '1 -j1' '1 -j2' '1 -j3' '2 -j1'; do
        set -- $run
        pt-sample -m "$DEMO_MODEL" --seed "$1" "$2" -n 3 --max-new-tokens 12 'In the beginning' '你好' >"$BATS_TEST_TMPDIR/$1$2"
    done
    same_bytes "$BATS_TEST_TMPDIR/1-j1" "$BATS_TEST_TMPDIR/1-j2"
    same_bytes "$BATS_TEST_TMPDIR/1-j1" "$BATS_TEST_TMPDIR/1-j3"
    ! cmp -s "$BATS_TEST_TMPDIR/1-j1" "$BATS_TEST_TMPDIR/2-j1"
}

@test "an id that the tokenizer has no token for has no text, and a warning says so once a continuation" {
    model_with_generation_config '{}'
    rm "$BATS_TEST_TMPDIR"/model/*token*.json
    cp tests/data/tokenizers/llama2-form.json "$BATS_TEST_TMPDIR/model/tokenizer.json"
    exits 0 pt-sample -m "$BATS_TEST_TMPDIR/model" --seed 1 -n 2 --max-new-tokens 30 'ab'
    [ "${#lines[@]}" -eq 2 ]
    [ "$(grep -c 'the tokenizer has no token' <<<"$stderr")" -eq 2 ]
}

@test "continuations end with a line feed, or with a NUL" {
    [ "$(pt-sample -m "$DEMO_MODEL" -n 3 --no-repeat-ngram-size 1 --max-new-tokens 1 --input-ids '5 6' | wc -l)" -eq 3 ]
    [ "$(pt-sample -m "$DEMO_MODEL" -n 3 -0 --max-new-tokens 1 --input-ids '5 6' | tr -dc '\0' | wc -c)" -eq 3 ]
}

@test "--json gives an object a continuation, and its ids decode to its text" {
    exits 0 pt-sample -m "$DEMO_MODEL" -n 2 --json --max-new-tokens 6 'In the' '你好'
    [ "${#lines[@]}" -eq 4 ]
    jq -e -s 'map([.index, .sample]) == [[0,0],[0,1],[1,0],[1,1]] and all(.ids | length <= 6)
        and all(.finish_reason == "length" or .finish_reason == "stop") and .[2].prompt == "你好"' <<<"$output"
}

@test "text stops in front of a stop string" {
    whole=$(pt-sample -m "$DEMO_MODEL" --greedy --max-new-tokens 12 'In the beginning')
    stop=${whole:5:4}
    cut=$(pt-sample -m "$DEMO_MODEL" --greedy --max-new-tokens 12 --stop "$stop" 'In the beginning')
    [ "$cut" = "${whole%%"$stop"*}" ]
    [ -n "$stop" ]
}

@test "generation_config.json decides, and options decide over it" {
    model_with_generation_config '{"do_sample": false, "max_new_tokens": 3}'
    [ "$(pt-sample -m "$BATS_TEST_TMPDIR/model" --input-ids --seed 1 '17 300 5 900')" = \
        "$(pt-sample -m "$BLOOM" --greedy --input-ids --max-new-tokens 3 '17 300 5 900')" ]
    [ "$(pt-sample -m "$BATS_TEST_TMPDIR/model" --input-ids --max-length 5 '5 6 7' | wc -w)" -le 2 ]
}

@test "beam search and unknown ways to choose are refused by name" {
    model_with_generation_config '{"num_beams": 4}'
    exits 4 pt-sample -m "$BATS_TEST_TMPDIR/model" --input-ids '5 6 7'
    says "'num_beams' is not supported"
}

@test "a malformed generation_config.json is refused" {
    model_with_generation_config '{"top_p": 2}'
    exits 3 pt-sample -m "$BATS_TEST_TMPDIR/model" --input-ids '5 6 7'
    says "'top_p' is not from 0 to 1"
}

@test "without generation_config.json the settings in config.json hold, and any of its end-of-sequence ids ends a text" {
    model=$BATS_TEST_TMPDIR/model
    cp -r "$LLAMA" "$model"
    chmod -R u+w "$model"
    rm "$model/generation_config.json"
    pt-sample -m "$model" --greedy --input-ids --max-new-tokens 8 '5 900 44 17 301' >"$BATS_TEST_TMPDIR/plain"
    third=$(cut -d' ' -f3 "$BATS_TEST_TMPDIR/plain")
    change_config() { # FILTER
        jq "$1" "$LLAMA/config.json" >"$model/config.json"
    }
    change_config ".eos_token_id = [1023, $third] | .do_sample = false | .max_length = 20"
    exits 0 pt-sample -m "$model" --greedy --input-ids --max-new-tokens 8 '5 900 44 17 301'
    [ "$output" = "$(cut -d' ' -f1-3 "$BATS_TEST_TMPDIR/plain")" ]
    change_config ".eos_token_id = 1023 | .suppress_tokens = [$third]"
    exits 4 pt-sample -m "$model" --greedy --input-ids --max-new-tokens 8 '5 900 44 17 301'
    says "'suppress_tokens' is not supported"
    change_config ".eos_token_id = $third"
    echo '{"do_sample": false}' >"$model/generation_config.json"
    exits 0 pt-sample -m "$model" --input-ids --max-new-tokens 8 '5 900 44 17 301'
    [ "$output" = "$(cat "$BATS_TEST_TMPDIR/plain")" ]
    echo "{\"eos_token_id\": $third, \"min_length\": 9, \"min_new_tokens\": 1, \"do_sample\": false, \"temperature\": 0.0}" \
        >"$model/generation_config.json"
    exits 0 pt-sample -m "$model" --input-ids --max-new-tokens 8 '5 900 44 17 301'
    [ "$output" = "$(cut -d' ' -f1-3 "$BATS_TEST_TMPDIR/plain")" ]
}

@test "where the settings forbid every token nothing is made up" {
    exits 4 pt-sample -m "$BLOOM" --input-ids --seed 1 --no-repeat-ngram-size 1 --max-new-tokens 5 "$(seq -s ' ' 0 1023)"
    says 'forbid every token'
}

@test "texts that cannot be continued are refused with their number" {
    exits 3 pt-sample -m "$BLOOM" --input-ids --max-length 3 '5 6' '5 6 7'
    says 'text 2'
    says 'leave no room'
    exits 3 pt-sample -m "$BLOOM" --input-ids '5 6' ''
    says 'text 2: no token to continue'
    exits 3 pt-sample -m "$BLOOM" --input-ids '5 1024'
    says "text 1: '1024' is not a token id below 1024"
    exits 3 pt-sample -m "$DEMO_MODEL" $'a\xff'
    says 'UTF-8'
}

@test "a prompt of another model is refused with both fingerprints" {
    pt-init -m "$BLOOM" --vocab -n 2 >"$BATS_TEST_TMPDIR/prompt.safetensors"
    exits 4 pt-sample -m "$DEMO_MODEL" -p "$BATS_TEST_TMPDIR/prompt.safetensors" 'In the'
    [ "$(grep -oE '[0-9a-f]{32}' <<<"$stderr" | sort -u | wc -l)" -eq 2 ]
}

@test "a prompt changes the answer, and PEFT's file is one" {
    adapter=tests/data/reference/bloom/adapter-trained
    with=$(pt-sample -m "$BLOOM" -p "$adapter" --greedy --input-ids --max-new-tokens 8 '17 300 5 900')
    file=$(pt-sample -m "$BLOOM" -p "$adapter/adapter_model.safetensors" --greedy --input-ids --max-new-tokens 8 '17 300 5 900')
    without=$(pt-sample -m "$BLOOM" --greedy --input-ids --max-new-tokens 8 '17 300 5 900')
    [ "$with" = "$file" ]
    [ "$with" != "$without" ]
}
