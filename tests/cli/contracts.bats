#!/usr/bin/env bats
# What every tool promises at its edges. A tool joins by a row in `rows`; tools that are not built yet are left out.

load ../lib/helpers

# TOOL | binary or text output | arguments of a run that succeeds | arguments of one that reads its main input from standard
# input (empty: none does) | the file that goes there. $F is the folder of the fixtures.
rows() {
    cat <<END
pt-tokenize|binary|-m $DEMO_MODEL $F/records.json|-m $DEMO_MODEL|$F/records.json
pt-pack|binary|--max-length 64 $F/examples.stream|--max-length 64|$F/examples.stream
pt-init|binary|-m $DEMO_MODEL -n 4 --vocab --seed 7||
pt-train|binary|-q -m $DEMO_MODEL -p $F/prompt.safetensors $F/updates.stream|-q -m $DEMO_MODEL -p $F/prompt.safetensors|$F/updates.stream
pt-merge|binary|$F/prompt.safetensors $F/other.safetensors|-|$F/prompt.safetensors
pt-sample|text|-m $DEMO_MODEL -p $F/prompt.safetensors --greedy --max-new-tokens 4 x|-m $DEMO_MODEL --greedy --max-new-tokens 4|$F/lines.txt
pt-eval|text|-m $DEMO_MODEL -p $F/prompt.safetensors $F/examples.stream|-m $DEMO_MODEL -p $F/prompt.safetensors|$F/examples.stream
pt-info|text|$F/examples.stream|-|$F/examples.stream
END
}

setup_file() {
    export F=$BATS_FILE_TMPDIR
    { head -n 60 examples/data/kdconv-travel-train.json; echo '}]'; } >"$F/records.json"
    printf 'one line\nanother\n' >"$F/lines.txt"
    pt-tokenize -m "$DEMO_MODEL" "$F/records.json" >"$F/examples.stream"
    pt-pack --max-length 64 --batch-size 2 --gradient-accumulation 2 "$F/examples.stream" >"$F/updates.stream"
    pt-init -m "$DEMO_MODEL" -n 4 --vocab --seed 1 >"$F/prompt.safetensors"
    pt-init -m "$DEMO_MODEL" -n 4 --vocab --seed 2 >"$F/other.safetensors"
}

# for_each FUNCTION: calls it with $tool, $kind, $arguments (array), $from_stdin (array) and $input set for every row.
# (Not as "function || ...": that would switch errexit off inside of it.)
for_each() {
    local tool kind plain stdin_plain input arguments from_stdin
    while IFS='|' read -r -u 9 tool kind plain stdin_plain input; do
        command -v "$tool" >/dev/null || continue
        echo "tool: $tool"
        read -ra arguments <<<"$plain"
        read -ra from_stdin <<<"$stdin_plain"
        "$1"
    done 9< <(rows)
}

one_line_and_try() { # TOOL: a usage error is a line and where help is
    [ "$(wc -l <<<"$stderr")" -eq 2 ] && [[ "$stderr" == "$1: "*"Try '$1 --help'"* ]] || {
        echo "got: $stderr"
        return 1
    }
}

helps() {
    exits 0 "$tool" --help
    [[ "$output" == "Usage: $tool "* && "$output" == *"$tool(1)"* && -z "$stderr" ]]
}
@test "--help goes to standard output and names the manual" {
    for_each helps
}

names_its_version() {
    exits 0 "$tool" --version
    [[ "$output" =~ ^$tool\ [0-9]+\.[0-9]+\.[0-9]+$ && -z "$stderr" ]]
}
@test "--version" {
    for_each names_its_version
}

refuses_wrong_usage() {
    exits 2 "$tool" --no-such-option
    one_line_and_try "$tool" && says "--no-such-option"
    exits 2 "$tool" --output
    one_line_and_try "$tool"
    exits 2 "$tool" "${arguments[@]}" -o ''
    one_line_and_try "$tool"
    [ "${arguments[0]}" = -m ] || return 0
    exits 2 "$tool" -m
    exits 2 "$tool"
}
@test "usage errors: exit 2, a line and where help is" {
    for_each refuses_wrong_usage
}

@test "numbers of options are checked whole" {
    exits 2 pt-pack --max-length 12x "$F/examples.stream"
    says "--max-length"
    exits 2 pt-pack --max-length -1 "$F/examples.stream"
    exits 2 pt-pack --max-length 99999999999999999999 "$F/examples.stream"
    exits 2 pt-train -j 0 -m "$DEMO_MODEL" -p "$F/prompt.safetensors" "$F/updates.stream"
    exits 2 pt-train --memory lots -m "$DEMO_MODEL" -p "$F/prompt.safetensors" "$F/updates.stream"
}

reports_a_full_disk() {
    exits 1 sh -c '"$@" >/dev/full' sh "$tool" "${arguments[@]}"
    says "No space left on device"
    exits 1 sh -c '"$@" >/dev/full' sh "$tool" --help
}
@test "a full disk is exit 1" {
    for_each reports_a_full_disk
}

reports_closed_output() {
    exits 1 sh -c '"$@" >&-' sh "$tool" "${arguments[@]}"
    says "standard output"
}
@test "a closed standard output is exit 1" {
    for_each reports_closed_output
}

survives_closed_descriptors() {
    exits 0 sh -c '"$@" <&- >&- 2>&-' sh "$tool" "${arguments[@]}" -o "$BATS_TEST_TMPDIR/closed"
    exits 0 "$tool" "${arguments[@]}" -o "$BATS_TEST_TMPDIR/open"
    same_bytes "$BATS_TEST_TMPDIR/closed" "$BATS_TEST_TMPDIR/open"
}
@test "files are right even where descriptors 0 to 2 are closed" {
    for_each survives_closed_descriptors
}

guards_the_terminal() {
    [ "$kind" = binary ] || return 0
    run on_a_terminal "$tool ${arguments[*]}"
    [ "$status" -eq 2 ]
    [[ "$output" == *"terminal"*"-o FILE"* ]]
}
@test "binary data does not go to a terminal" {
    for_each guards_the_terminal
}

dies_with_its_reader() {
    run --separate-stderr bash -c '{ sleep 0.1; exec "$@"; } | true; exit ${PIPESTATUS[0]}' bash "$tool" -q "${arguments[@]}"
    [ "$status" -eq 141 ] && [ -z "$stderr" ] || {
        echo "status $status, said: $stderr"
        return 1
    }
}
@test "a reader that goes away ends a tool quietly with 141" {
    for_each dies_with_its_reader
}

writes_what_it_prints() {
    "$tool" "${arguments[@]}" >"$BATS_TEST_TMPDIR/printed"
    "$tool" "${arguments[@]}" -o "$BATS_TEST_TMPDIR/written"
    same_bytes "$BATS_TEST_TMPDIR/printed" "$BATS_TEST_TMPDIR/written"
    exits 1 "$tool" "${arguments[@]}" -o "$BATS_TEST_TMPDIR/no/such/folder"
    says "No such file"
}
@test "-o FILE holds the bytes of standard output" {
    for_each writes_what_it_prints
}

reads_standard_input() {
    [ -n "$input" ] || return 0
    "$tool" "${from_stdin[@]}" <"$input" >"$BATS_TEST_TMPDIR/from-stdin"
    [ -s "$BATS_TEST_TMPDIR/from-stdin" ]
    gzip -c "$input" | "$tool" "${from_stdin[@]}" >"$BATS_TEST_TMPDIR/from-gzip"
    same_bytes "$BATS_TEST_TMPDIR/from-stdin" "$BATS_TEST_TMPDIR/from-gzip"
}
@test "standard input is read, compressed too" {
    for_each reads_standard_input
}

refuses_nothing_and_noise() {
    [ -n "$input" ] || return 0
    if [ "$tool" != pt-sample ]; then # which answers no line with nothing
        exits 3 "$tool" "${from_stdin[@]}" </dev/null
        [ -z "$output" ]
    fi
    tail -c 1000 "$DEMO_MODEL/model.safetensors" >"$BATS_TEST_TMPDIR/noise"
    exits 3 "$tool" "${from_stdin[@]}" <"$BATS_TEST_TMPDIR/noise"
}
@test "empty and foreign input is exit 3" {
    for_each refuses_nothing_and_noise
}

names_what_is_missing() {
    [ "${#arguments[@]}" -gt 1 ] || return 0
    local last=${arguments[-1]}
    [ -e "$last" ] || return 0
    exits 1 "$tool" "${arguments[@]:0:${#arguments[@]}-1}" "$BATS_TEST_TMPDIR/absent"
    says "absent"
    says "No such file"
    mkdir -p "$BATS_TEST_TMPDIR/folder"
    run --separate-stderr "$tool" "${arguments[@]:0:${#arguments[@]}-1}" "$BATS_TEST_TMPDIR/folder"
    [[ "$status" =~ ^[134]$ ]] && says "folder"
}
@test "a missing file is exit 1, an empty folder is refused" {
    for_each names_what_is_missing
}

leaves_nothing_behind() {
    [ -n "$input" ] || return 0
    local target=$BATS_TEST_TMPDIR/behind
    mkdir -p "$target"
    head -c 300 "$input" >"$BATS_TEST_TMPDIR/cut"
    [ "$tool" = pt-sample ] || exits 3 "$tool" "${from_stdin[@]}" -o "$target/file" <"$BATS_TEST_TMPDIR/cut"
    [ -z "$(ls -A "$target")" ]
}
@test "a failed run leaves no file behind" {
    for_each leaves_nothing_behind
}

repeats_itself() {
    "$tool" "${arguments[@]}" >"$BATS_TEST_TMPDIR/once"
    "$tool" "${arguments[@]}" >"$BATS_TEST_TMPDIR/again"
    same_bytes "$BATS_TEST_TMPDIR/once" "$BATS_TEST_TMPDIR/again"
    "$tool" --help | grep -q -- --threads || return 0
    "$tool" "${arguments[@]}" -j 1 -o "$BATS_TEST_TMPDIR/once"
    "$tool" "${arguments[@]}" -j 2 -o "$BATS_TEST_TMPDIR/again"
    same_bytes "$BATS_TEST_TMPDIR/once" "$BATS_TEST_TMPDIR/again"
}
@test "equal inputs give equal bytes, for any number of threads" {
    for_each repeats_itself
}

is_quiet() {
    exits 0 "$tool" -q "${arguments[@]}" -o "$BATS_TEST_TMPDIR/quiet"
    [ -z "$stderr" ]
}
@test "-q says nothing" {
    for_each is_quiet
}

@test "what does not belong together is exit 4 and names both fingerprints" {
    pt-tokenize -m "$TINY_BLOOM" "$F/records.json" >"$BATS_TEST_TMPDIR/foreign.stream"
    pt-init -m "$TINY_BLOOM" -n 4 --vocab >"$BATS_TEST_TMPDIR/foreign.safetensors"
    exits 4 pt-eval -m "$DEMO_MODEL" "$BATS_TEST_TMPDIR/foreign.stream"
    [[ "$stderr" =~ [0-9a-f]{32}.*[0-9a-f]{32} ]]
    exits 4 pt-eval -m "$DEMO_MODEL" -p "$BATS_TEST_TMPDIR/foreign.safetensors" "$F/examples.stream"
    [[ "$stderr" =~ [0-9a-f]{32}.*[0-9a-f]{32} ]]
    exits 4 pt-sample -m "$DEMO_MODEL" -p "$BATS_TEST_TMPDIR/foreign.safetensors" x
    exits 4 pt-train -m "$DEMO_MODEL" -p "$BATS_TEST_TMPDIR/foreign.safetensors" "$F/updates.stream"
    exits 4 pt-pack "$F/examples.stream" "$BATS_TEST_TMPDIR/foreign.stream"
}

@test "a producer that dies fails the whole pipeline without pipefail" {
    for cut in 1 10 100 1000 $(($(stat -c %s "$F/examples.stream") - 1)); do
        exits 3 sh -c 'head -c "$1" "$2" | pt-pack >/dev/null' sh "$cut" "$F/examples.stream"
        exits 3 sh -c 'head -c "$1" "$2" | pt-pack | pt-train -q -m "$3" -p "$4" >/dev/null' sh "$cut" "$F/examples.stream" \
            "$DEMO_MODEL" "$F/prompt.safetensors"
    done
}

@test "control characters of names and records do not reach the terminal" {
    exits 1 pt-pack "$BATS_TEST_TMPDIR/"$'\e[31mred'
    [[ "$stderr" == *"?[31mred"* && "$stderr" != *$'\e'* ]]
}

# The tool, with the model's folder in its arguments replaced.
with_model() { # STATUS TEXT FOLDER
    exits "$1" "$tool" "${arguments[@]/#$DEMO_MODEL/$3}" && says "$2"
}

needs_a_whole_model() {
    [[ " ${arguments[*]} " == *" $DEMO_MODEL "* ]] || return 0
    local folders=$BATS_TEST_TMPDIR
    with_model 1 "$folders/absent: No such file or directory" "$folders/absent"
    [ "$tool" != pt-tokenize ] || return 0
    with_model 3 "no-config: holds no config.json" "$folders/no-config"
    with_model 3 "cut-config/config.json: line 1" "$folders/cut-config"
    with_model 3 "list-config/config.json: not a JSON object" "$folders/list-config"
    with_model 3 "folder-config/config.json: is a folder" "$folders/folder-config"
    with_model 3 "records.json" "$F/records.json"
    with_model 3 "no-weights: holds neither" "$folders/no-weights"
    with_model 3 "cut short" "$folders/cut-weights"
    with_model 3 "Git-LFS pointer" "$folders/pointer-weights"
    with_model 3 "transformer.h.4." "$folders/deeper-config"
    with_model 4 "[6144, 256]" "$folders/narrower-config"
    with_model 4 "gpt_unknown" "$folders/foreign-config"
    with_model 4 "posix.system" "$folders/hostile-weights"
    [ ! -e was-executed ]
}
@test "a model folder that lacks something or is damaged is exit 3, one that is of another kind or hostile 4, one that is not there 1" {
    for folder in no-config cut-config list-config folder-config deeper-config narrower-config foreign-config \
        no-weights cut-weights pointer-weights hostile-weights; do
        mkdir "$BATS_TEST_TMPDIR/$folder"
        for file in "$DEMO_MODEL"/*.safetensors "$DEMO_MODEL"/*.json; do
            ln -s "$PWD/$file" "$BATS_TEST_TMPDIR/$folder"
        done
    done
    rm "$BATS_TEST_TMPDIR"/*-config/config.json "$BATS_TEST_TMPDIR"/*-weights/model.safetensors
    head -c 100000 "$DEMO_MODEL/model.safetensors" >"$BATS_TEST_TMPDIR/cut-weights/model.safetensors"
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n' >"$BATS_TEST_TMPDIR/pointer-weights/model.safetensors"
    cp tests/data/pytorch-files/hostile.bin "$BATS_TEST_TMPDIR/hostile-weights/pytorch_model.bin"
    jq '.n_layer = 5' "$DEMO_MODEL/config.json" >"$BATS_TEST_TMPDIR/deeper-config/config.json"
    jq '.hidden_size = 64' "$DEMO_MODEL/config.json" >"$BATS_TEST_TMPDIR/narrower-config/config.json"
    jq '.model_type = "gpt_unknown"' "$DEMO_MODEL/config.json" >"$BATS_TEST_TMPDIR/foreign-config/config.json"
    printf '{"model_type":' >"$BATS_TEST_TMPDIR/cut-config/config.json"
    echo '["bloom"]' >"$BATS_TEST_TMPDIR/list-config/config.json"
    mkdir "$BATS_TEST_TMPDIR/folder-config/config.json"
    for_each needs_a_whole_model
}
