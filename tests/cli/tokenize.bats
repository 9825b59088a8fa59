#!/usr/bin/env bats
# pt-tokenize: forms of input, what is counted, and every way in which input can be bad.

load ../lib/helpers

RECORD='{"instruction":"hi","input":"","output":"yes"}'

# tokenizes TEXT [OPTION...]: a good input; $output is what comes back, with marks.
tokenizes() {
    printf '%b' "$1" >"$BATS_TEST_TMPDIR/input"
    shift
    pt-tokenize -q -m "$DEMO_MODEL" "$@" "$BATS_TEST_TMPDIR/input" >"$BATS_TEST_TMPDIR/stream"
    exits 0 pt-tokenize -m "$DEMO_MODEL" --decode --show-targets "$BATS_TEST_TMPDIR/stream"
}

# refuses STATUS MESSAGE TEXT [OPTION...]
refuses() {
    local expected=$1 message=$2
    printf '%b' "$3" >"$BATS_TEST_TMPDIR/input"
    shift 3
    exits "$expected" pt-tokenize -m "$DEMO_MODEL" -o "$BATS_TEST_TMPDIR/refused" "$@" "$BATS_TEST_TMPDIR/input"
    says "$message"
    [ ! -e "$BATS_TEST_TMPDIR/refused" ]
}

@test "arrays, lines, values side by side, CRLF and a byte order mark give the same stream" {
    printf '%s\n%s\n' "$RECORD" "$RECORD" | pt-tokenize -m "$DEMO_MODEL" >"$BATS_TEST_TMPDIR/lines"
    for form in "[$RECORD,$RECORD]" "$RECORD$RECORD" "  [\r\n$RECORD,\r\n$RECORD\r\n]\r\n" "\xef\xbb\xbf$RECORD\n\n$RECORD" "[$RECORD]\n[$RECORD]"; do
        printf '%b' "$form" | pt-tokenize -m "$DEMO_MODEL" >"$BATS_TEST_TMPDIR/other"
        same_bytes "$BATS_TEST_TMPDIR/lines" "$BATS_TEST_TMPDIR/other"
    done
}

@test "the reference workflow's template, stripped, with the answer counted" {
    tokenizes '{"instruction":" hi \\u3000","input":null,"output":" yes "}'
    [ "$output" = $'Human:  hi\n\nAssistant: \u27e6 yes </s>\u27e7' ]
    tokenizes '{"instruction":"hi","input":"there","output":""}'
    [ "$output" = $'Human: hi\nthere\n\nAssistant: \u27e6</s>\u27e7' ]
    tokenizes '{"instruction":"hi","output":"a</s>b"}'
    [ "$output" = $'Human: hi\n\nAssistant: \u27e6a</s>b</s>\u27e7' ]
}

@test "prompt and completion, other names, a template of one's own" {
    tokenizes '{"prompt":"hi ","completion":"yes"}'
    [ "$output" = $'hi \u27e6yes</s>\u27e7' ]
    tokenizes '{"question":"hi","answer":"yes"}' --field instruction=question --field output=answer
    [ "$output" = $'Human: hi\n\nAssistant: \u27e6yes</s>\u27e7' ]
    printf 'Q{{1}}: {q} A: {output}!\n' >"$BATS_TEST_TMPDIR/own"
    tokenizes '{"q":"hi","output":"yes"}' --template-file "$BATS_TEST_TMPDIR/own"
    [ "$output" = $'Q{1}: hi A: \u27e6yes!</s>\u27e7' ]
    tokenizes '{"instruction":"hi","output":"yes"}' --eos '<pad>'
    [ "$output" = $'Human: hi\n\nAssistant: \u27e6yes<pad>\u27e7' ]
}

@test "plain text, a line or a file an example" {
    tokenizes 'one\ntwo\n'
    [ "$output" = $'\u27e6one</s>\u27e7\n\u27e6two</s>\u27e7' ]
    tokenizes '{not json\n' --text
    [ "$output" = $'\u27e6{not json</s>\u27e7' ]
    tokenizes 'one\ntwo' --text-file
    [ "$output" = $'\u27e6one\ntwo</s>\u27e7' ]
}

@test "ready-made ids need no tokenizer" {
    mkdir "$BATS_TEST_TMPDIR/bare"
    echo '{"input_ids":[5,6,7],"labels":[-100,6,7]}' | pt-tokenize -m "$BATS_TEST_TMPDIR/bare" >"$BATS_TEST_TMPDIR/stream"
    exits 0 pt-tokenize -m "$DEMO_MODEL" --decode --show-targets "$BATS_TEST_TMPDIR/stream"
    [ "$output" = $'"\u27e6#$\u27e7' ]
    refuses 3 'neither -100 nor the id' '{"input_ids":[5,6],"labels":[-100,7]}'
    refuses 3 'out of range' '{"input_ids":[6144]}'
    refuses 3 '3 elements for 2 ids' '{"input_ids":[5,6],"labels":[-100,6,7]}'
    refuses 3 'not a whole number' '{"input_ids":[5,6.5]}'
    refuses 3 'masked' '{"input_ids":[5,6],"attention_mask":[1,0]}'
    echo '[]' >"$BATS_TEST_TMPDIR/bare/config.json"
    refuses 3 'config.json: not a JSON object' '{"input_ids":[5]}' -m "$BATS_TEST_TMPDIR/bare"
}

@test "archives and compressed files" {
    echo "[$RECORD,$RECORD]" >"$BATS_TEST_TMPDIR/data.json"
    gzip -k "$BATS_TEST_TMPDIR/data.json"
    tar -czf "$BATS_TEST_TMPDIR/data.tar.gz" -C "$BATS_TEST_TMPDIR" data.json
    for file in data.json.gz data.tar.gz data.tar.gz:data.json; do
        pt-tokenize -m "$DEMO_MODEL" "$BATS_TEST_TMPDIR/$file" | pt-tokenize -m "$DEMO_MODEL" --decode >"$BATS_TEST_TMPDIR/text"
        [ "$(grep -c Assistant "$BATS_TEST_TMPDIR/text")" -eq 2 ]
    done
}

ARROW=tests/data/arrow

# as_lines DATA LINES [OPTION...]: Arrow data under the name of the same records as JSON Lines gives the same bytes.
as_lines() {
    local arrow=$1 lines=$2 data=$BATS_TEST_TMPDIR/data
    shift 2
    rm -rf "$data"
    cp "$lines" "$data"
    pt-tokenize -q -m "$DEMO_MODEL" "$@" "$data" >"$BATS_TEST_TMPDIR/from-lines"
    rm "$data"
    cp -r "$arrow" "$data"
    pt-tokenize -q -m "$DEMO_MODEL" "$@" "$data" >"$BATS_TEST_TMPDIR/from-arrow"
    same_bytes "$BATS_TEST_TMPDIR/from-lines" "$BATS_TEST_TMPDIR/from-arrow"
}

@test "datasets in folders and Arrow files give the stream that their records give as JSON Lines" {
    as_lines "$ARROW/alpaca" "$ARROW/alpaca.jsonl"
    as_lines "$ARROW/ids" "$ARROW/ids.jsonl"
    head -n 3 "$ARROW/alpaca.jsonl" >"$BATS_TEST_TMPDIR/half"
    as_lines "$ARROW/alpaca/data-00000-of-00002.arrow" "$BATS_TEST_TMPDIR/half"
    as_lines "$ARROW/shapes.arrow" "$ARROW/shapes.jsonl" --skip-bad --field instruction=behind --field output=utf8
    as_lines "$ARROW/shapes-file.arrow" "$ARROW/shapes.jsonl" --skip-bad --field instruction=utf8_view --field output=dictionary
    printf '{large_utf8}{output}' >"$BATS_TEST_TMPDIR/own"
    as_lines "$ARROW/shapes.arrow" "$ARROW/shapes.jsonl" --skip-bad --template-file "$BATS_TEST_TMPDIR/own" --field output=behind
    # From a pipe, compressed, and out of an archive.
    gzip -c "$ARROW/shapes.arrow" >"$BATS_TEST_TMPDIR/shapes.gz"
    tar -cf "$BATS_TEST_TMPDIR/shapes.tar" -C "$ARROW" shapes.arrow
    for file in - "$BATS_TEST_TMPDIR/shapes.gz" "$BATS_TEST_TMPDIR/shapes.tar"; do
        pt-tokenize -m "$DEMO_MODEL" --skip-bad --field instruction=behind --field output=utf8 "$file" <"$ARROW/shapes.arrow" |
            pt-tokenize -m "$DEMO_MODEL" --decode >"$BATS_TEST_TMPDIR/text"
        [ "$(grep -c Assistant "$BATS_TEST_TMPDIR/text")" -eq 4 ]
    done
    # What "-" names is never a file or folder of that name.
    local model=$PWD/$DEMO_MODEL lines=$PWD/$ARROW/alpaca.jsonl data=$PWD/$ARROW/alpaca/data-00000-of-00002.arrow
    cd "$BATS_TEST_TMPDIR"
    mkdir ./-
    pt-tokenize -m "$model" - <"$lines" >/dev/null
    rmdir ./-
    echo no data >./-
    pt-tokenize -m "$model" - <"$data" >/dev/null
}

# refuses_arrow STATUS MESSAGE FILE [OPTION...]
refuses_arrow() {
    exits "$1" pt-tokenize -m "$DEMO_MODEL" -o "$BATS_TEST_TMPDIR/refused" "${@:3}"
    says "$2"
    [ ! -e "$BATS_TEST_TMPDIR/refused" ]
}

@test "Arrow data that is cut, compressed, of several datasets, or of other types" {
    refuses_arrow 4 'hint: name one of them: tests/data/arrow/splits/train, tests/data/arrow/splits/test' "$ARROW/splits"
    exits 0 pt-tokenize -m "$DEMO_MODEL" -o /dev/null "$ARROW/splits/test"
    refuses_arrow 3 'without state.json' "$ARROW"
    refuses_arrow 3 'is a folder' "$ARROW/alpaca" --text
    refuses_arrow 4 'compressed (ZSTD)' "$ARROW/refused/zstd.arrow"
    refuses_arrow 3 'it holds no record' "$ARROW/refused/no-row.arrow"
    refuses_arrow 3 'shapes.arrow: record 3: "utf8" is null' "$ARROW/shapes.arrow" --field instruction=behind --field output=utf8
    for type in date binary struct list double int8 bool; do
        refuses_arrow 3 "record 1: \"$type\" is not a string" "$ARROW/shapes.arrow" --field instruction=behind --field output=$type
    done
    refuses_arrow 3 '"list_view" is not an array' "$ARROW/shapes.arrow" --field input_ids=list_view
    head -c 800 "$ARROW/alpaca/data-00001-of-00002.arrow" >"$BATS_TEST_TMPDIR/cut"
    refuses_arrow 3 'cut: byte' "$BATS_TEST_TMPDIR/cut"
    refuses_arrow 3 'standard input: byte' - <"$BATS_TEST_TMPDIR/cut"
}

@test "what state.json of a dataset says is followed, and checked" {
    local data=$BATS_TEST_TMPDIR/data state=$BATS_TEST_TMPDIR/data/state.json
    changed_state() { # SCRIPT: a dataset with its state.json changed by sed
        rm -rf "$data"
        cp -r "$ARROW/alpaca" "$data"
        sed -i "$1" "$state"
    }
    changed_state 's/"_format_columns": null/"_format_columns": ["instruction"]/'
    refuses_arrow 3 'record 1: "output" is missing' "$data"
    changed_state 's/"_format_columns": null/"_format_columns": ["instruction"]/; s/"_output_all_columns": false/"_output_all_columns": true/'
    exits 0 pt-tokenize -m "$DEMO_MODEL" -o /dev/null "$data"
    changed_state 's/"_split"/"_indices_files": [{"filename": "indices.arrow"}], "_split"/'
    refuses_arrow 4 '_indices_files' "$data"
    changed_state 's/00001-of/00007-of/'
    refuses_arrow 3 'state.json names data-00007-of-00002.arrow, which is not there' "$data"
    changed_state 's/data-00001/..\/data-00001/'
    refuses_arrow 3 'data file 1: not the name of a file in the folder' "$data"
    changed_state 's/{/[/'
    refuses_arrow 3 'state.json' "$data"
    changed_state '$d'
    refuses_arrow 3 'state.json' "$data"
    printf '{}' >"$state"
    refuses_arrow 3 '"_data_files" is not an array' "$data"
    printf '{"_data_files": []}' >"$state"
    refuses_arrow 3 'it holds no record' "$data"
}

@test "damaged JSON stops with record, line and reason" {
    refuses 3 'record 1: line 1: the input ends in the middle of this record' '{"instruction":"hi","outp'
    refuses 3 'record 2: line 2: the input ends' "[$RECORD\n"
    refuses 3 "record 2: line 1: expected a record, found ']'" "[$RECORD,]"
    refuses 3 "expected ',' or ']' behind a record" "[$RECORD $RECORD]"
    refuses 3 'record 2: line 2: duplicate object key' "$RECORD\n{\"instruction\":\"hi\",\"output\":\"a\",\"output\":\"b\"}"
    refuses 3 'record 1: line 2: ' '{"instruction":"hi",\n"output":nonsense}'
    refuses 3 'a string is not closed at the end of the line' '{"instruction":"hi\n"}'
    refuses 3 'it is not an object' '[[1]]'
    refuses 3 'nested deeper than 200' "$(printf '[%.0s' $(seq 300))$(printf ']%.0s' $(seq 300))"
    refuses 3 'expected a record' '[1,,2]' --skip-bad
}

@test "bad records stop with the field and the reason" {
    refuses 3 'record 2: line 2: "output" is missing' "$RECORD\n{\"instruction\":\"hi\"}"
    refuses 3 '"instruction" is null' '{"instruction":null,"output":"yes"}'
    refuses 3 '"output" is null' '{"instruction":"hi","output":null}'
    refuses 3 '"output" is not a string' '{"instruction":"hi","output":3}'
    refuses 3 '"output" is not a string' '{"instruction":"hi","output":1e400}'
    refuses 3 '"input_ids": element 1 is not a whole number' '{"input_ids":[5,99999999999999999999]}'
    refuses 3 'plain text, which has no fields' 'instruction,output\nhi,yes\n' --template alpaca-zh
    refuses 3 'plain text, which has no fields' 'instruction,output\nhi,yes\n' --field output=yes
    refuses 3 'none of the fields' '{"text":"hi"}'
    refuses 3 'it holds prompt and completion, the first record instruction and output' "$RECORD{\"prompt\":\"a\",\"completion\":\"b\"}"
    refuses 3 'byte 31 of the file: not UTF-8' '{"instruction":"hi","output":"y\xff"}'
    refuses 3 'record 2: line 2: byte 1: not UTF-8' 'one\na\xffb'
}

@test "what is no data at all" {
    refuses 3 'it holds no record' ''
    refuses 3 'it holds no record' '[]'
    refuses 3 'it holds no record' ' \n'
    refuses 3 'Git-LFS pointer' 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'
    refuses 3 'UTF-16' '\xff\xfe[\x00'
    refuses 3 'byte 1: a NUL: binary data, not text' 'a\x00b\x00'
    refuses 3 'byte 6002: a NUL: binary data, not text' "$(printf '%06000d' 0)\na\x00" --skip-bad
    tar cf "$BATS_TEST_TMPDIR/inner.tar" -C "$DEMO_MODEL" config.json
    tar cf "$BATS_TEST_TMPDIR/outer.tar" -C "$BATS_TEST_TMPDIR" inner.tar
    exits 3 pt-tokenize -m "$DEMO_MODEL" "$BATS_TEST_TMPDIR/outer.tar"
    says 'a NUL'
    exits 3 pt-tokenize -m "$DEMO_MODEL" --text /dev/zero
    says 'byte 0: a NUL'
    refuses 4 'chat messages are not supported' '{"messages":[{"role":"user","content":"hi"}]}'
    exits 1 pt-tokenize -m "$DEMO_MODEL" /nonexistent
}

@test "files without a record among others" {
    cd "$BATS_TEST_TMPDIR"
    : >empty
    echo '[]' >none
    echo "$RECORD" >one
    exits 0 pt-tokenize -m "$OLDPWD/$DEMO_MODEL" empty one none
    pt-tokenize -m "$OLDPWD/$DEMO_MODEL" empty one none | pt-info --json - | jq -e '.examples == 1'
    exits 3 pt-tokenize -m "$OLDPWD/$DEMO_MODEL" empty none
    says 'none of the 2 inputs holds a record'
}

@test "bad records are skipped and counted where that is wanted" {
    printf '%s\n' "$RECORD" '{"instruction":"cut' '{"instruction":null,"output":"x"}' 5 "$RECORD" >"$BATS_TEST_TMPDIR/input"
    exits 3 pt-tokenize -m "$DEMO_MODEL" "$BATS_TEST_TMPDIR/input" -o /dev/null
    exits 0 pt-tokenize -m "$DEMO_MODEL" --skip-bad "$BATS_TEST_TMPDIR/input" -o "$BATS_TEST_TMPDIR/stream"
    says 'record 2: line 2'
    says '3 bad records skipped, 2 examples written'
    pt-tokenize -m "$DEMO_MODEL" --decode "$BATS_TEST_TMPDIR/stream" >"$BATS_TEST_TMPDIR/text"
    [ "$(grep -c Assistant "$BATS_TEST_TMPDIR/text")" -eq 2 ]
    refuses 3 'all 1 records are bad' '{"instruction":"hi"}' --skip-bad
    refuses 4 'chat messages' '{"messages":[]}' --skip-bad
}

@test "any number of threads gives the same stream, and the same reports in the same order" {
    for n in $(seq 3000); do
        case $n in
        1700 | 2900) echo '{"instruction":"hi","output":null}' ;;
        1701) echo '{"instruction":"hi","output":"a' ;;
        *) echo "{\"instruction\":\"question number $n, and more of it to fill batches\",\"output\":\"\u7b54\u6848 $n\\n\"}" ;;
        esac
    done >"$BATS_TEST_TMPDIR/input"
    for threads in 1 2 5; do
        pt-tokenize -j $threads -m "$DEMO_MODEL" --skip-bad "$BATS_TEST_TMPDIR/input" "$BATS_TEST_TMPDIR/input" \
            >"$BATS_TEST_TMPDIR/stream.$threads" 2>"$BATS_TEST_TMPDIR/report.$threads"
        same_bytes "$BATS_TEST_TMPDIR/stream.1" "$BATS_TEST_TMPDIR/stream.$threads"
        same_bytes "$BATS_TEST_TMPDIR/report.1" "$BATS_TEST_TMPDIR/report.$threads"
        exits 3 pt-tokenize -j $threads -m "$DEMO_MODEL" "$BATS_TEST_TMPDIR/input" -o /dev/null
        says 'record 1700: line 1700: "output" is null'
    done
    [ "$(grep -c 'record' "$BATS_TEST_TMPDIR/report.1")" -eq 7 ]
    printf 'one\n' >"$BATS_TEST_TMPDIR/text"
    exits 0 pt-tokenize -j 2 -m "$DEMO_MODEL" "$BATS_TEST_TMPDIR/text" "$BATS_TEST_TMPDIR/text" -o /dev/null
    [ "$(grep -c 'plain text, a line an example' <<<"$stderr")" -eq 2 ]
}

@test "tokenizers that are missing, foreign or unsupported" {
    echo "$RECORD" >"$BATS_TEST_TMPDIR/data"
    mkdir "$BATS_TEST_TMPDIR/bare"
    exits 3 pt-tokenize -m "$BATS_TEST_TMPDIR/bare" "$BATS_TEST_TMPDIR/data" -o /dev/null
    says 'neither tokenizer.json nor tokenizer.model'
    exits 1 pt-tokenize -m /nonexistent "$BATS_TEST_TMPDIR/data" -o /dev/null
    echo '{"version":"1.0","model":{"type":"Unigram"}}' >"$BATS_TEST_TMPDIR/tokenizer.json"
    exits 4 pt-tokenize -m "$BATS_TEST_TMPDIR/tokenizer.json" "$BATS_TEST_TMPDIR/data" -o /dev/null
    says Unigram
    # A broken tokenizer is no bad record.
    echo '{"version":' >"$BATS_TEST_TMPDIR/tokenizer.json"
    exits 3 pt-tokenize -m "$BATS_TEST_TMPDIR/tokenizer.json" --skip-bad "$BATS_TEST_TMPDIR/data" -o /dev/null
    exits 4 pt-tokenize -m "$DEMO_MODEL" --eos '<nope>' "$BATS_TEST_TMPDIR/data" -o /dev/null
    pt-tokenize -m "$DEMO_MODEL/tokenizer.json" "$BATS_TEST_TMPDIR/data" >"$BATS_TEST_TMPDIR/stream"
    exits 4 pt-tokenize -m "$TINY_BLOOM" --decode "$BATS_TEST_TMPDIR/stream"
    says 'made with the tokenizer'
    # An end-of-sequence token that is another one behind some answers.
    for eos in '<01>' '<02>'; do
        exits 4 pt-tokenize -m tests/data/tokenizers/added-tokens.json --eos "$eos" "$BATS_TEST_TMPDIR/data" -o /dev/null
        says "\"$eos\" behind a text is not supported"
    done
    exits 0 pt-tokenize -q -m tests/data/tokenizers/added-tokens.json --eos '<04>' "$BATS_TEST_TMPDIR/data" -o /dev/null
}

@test "wrong command lines" {
    exits 2 pt-tokenize
    says '-m MODEL'
    exits 2 pt-tokenize -m "$DEMO_MODEL" --template nope
    says 'alpaca-zh, prompt-completion'
    exits 2 pt-tokenize -m "$DEMO_MODEL" --field instruction
    exits 2 pt-tokenize -m "$DEMO_MODEL" --text --text-file
    exits 2 pt-tokenize -m "$DEMO_MODEL" --show-targets
    exits 2 pt-tokenize -m "$DEMO_MODEL" --ignore-fingerprint
    says '--ignore-fingerprint is for --decode'
    for option in --text --text-file "--eos </s>" --skip-bad "--template alpaca-zh" "--field output=x"; do
        # shellcheck disable=SC2086
        exits 2 pt-tokenize -m "$DEMO_MODEL" --decode $option
        says "--decode does not go with ${option%% *}"
    done
    exits 2 pt-tokenize -m "$DEMO_MODEL" --text --template alpaca-zh
    says 'text has no fields'
    exits 2 pt-tokenize -m "$DEMO_MODEL" --text-file --field output=x
    exits 2 pt-tokenize -m "$DEMO_MODEL" --field insturction=x
    says '--field insturction: no template has such a field'
    exits 2 pt-tokenize -m "$DEMO_MODEL" --template alpaca-zh --field prompt=x
    says '--field prompt: the template has no such field'
    exits 2 pt-tokenize -m "$DEMO_MODEL" --field output=x --field output=y
    says '--field output: given twice'
    printf '{instruction' >"$BATS_TEST_TMPDIR/template"
    exits 3 pt-tokenize -m "$DEMO_MODEL" --template-file "$BATS_TEST_TMPDIR/template"
    says 'brace'
    printf 'no answer' >"$BATS_TEST_TMPDIR/template"
    exits 3 pt-tokenize -m "$DEMO_MODEL" --template-file "$BATS_TEST_TMPDIR/template"
    says '{output}'
}

@test "full disks, closed outputs and terminals" {
    echo "$RECORD" >"$BATS_TEST_TMPDIR/data"
    exits 1 bash -c "pt-tokenize -m $DEMO_MODEL $BATS_TEST_TMPDIR/data >/dev/full"
    says 'No space left'
    exits 1 bash -c "pt-tokenize -m $DEMO_MODEL $BATS_TEST_TMPDIR/data >&-"
    run on_a_terminal "pt-tokenize -m $DEMO_MODEL $BATS_TEST_TMPDIR/data"
    [ "$status" -eq 2 ]
}

@test "sentencepiece models, with the begin-of-sequence token in front of the prompt" {
    echo '{"prompt":"hello","completion":"world"}' | pt-tokenize -m tests/data/tokenizers/sentencepiece-bytes.model >"$BATS_TEST_TMPDIR/stream"
    exits 0 pt-tokenize -m tests/data/tokenizers/sentencepiece-bytes.model --decode "$BATS_TEST_TMPDIR/stream"
    [ "$output" = 'hello world' ]
}
