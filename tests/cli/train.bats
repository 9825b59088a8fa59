#!/usr/bin/env bats
# pt-train: the Trainer's curve through the whole pipeline, equal bytes however it is run, stopping and going on, refusals.

load ../lib/helpers
load ../lib/reference

REFERENCE=tests/data/reference/bloom
MODEL=$REFERENCE/model

setup_file() {
    cd "$BATS_TEST_DIRNAME/../.." || return 1
    export PROMPT=$BATS_FILE_TMPDIR/first.safetensors UPDATES=$BATS_FILE_TMPDIR/updates
    export WHOLE=$BATS_FILE_TMPDIR/whole.safetensors WHOLE_LOG=$BATS_FILE_TMPDIR/whole.log
    trainer_prompt "$REFERENCE" >"$PROMPT"
    trainer_updates "$REFERENCE" >"$UPDATES"
    pt-tokenize -m "$MODEL" "$REFERENCE/train.json" >"$BATS_FILE_TMPDIR/examples"
    pt-train -q -m "$MODEL" -p "$PROMPT" --log "$WHOLE_LOG" --log-every 3 "$UPDATES" -o "$WHOLE"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return 1
    MODEL=$OLDPWD/$MODEL REFERENCE=$OLDPWD/$REFERENCE TINY_BLOOM=$OLDPWD/$TINY_BLOOM
    EXAMPLES=$BATS_FILE_TMPDIR/examples
}

train() {
    pt-train -m "$MODEL" -p "$PROMPT" "$@"
}
# The same as a background job: the job is the tool itself, so that signals reach it.
train_job() {
    exec pt-train -m "$MODEL" -p "$PROMPT" "$@" 3>&-
}

# without_times LOG: what of a log does not depend on the clock.
without_times() {
    jq -c 'del(.train_runtime, .train_samples_per_second, .train_steps_per_second)' "$1"
}

# A stream that comes as it is asked for: feed N lets the first N bytes of the updates through, feed_rest the rest.
open_feed() {
    mkfifo feed
    exec 7<>feed
}
feed() {
    head -c "$1" "$UPDATES" >&7
}
feed_rest() {
    tail -c +$(($1 + 1)) "$UPDATES" >&7
}

# wait_for_step N LOG: until the log has the line of update N.
wait_for_step() {
    for _ in $(seq 600); do
        if grep -q "\"step\": $1}" "$2" 2>/dev/null; then return 0; fi
        sleep 0.05
    done
    return 1
}

@test "the Trainer's curve, through the whole pipeline" {
    for folder in "$REFERENCE" "$REFERENCE-6heads"; do
        trainer_prompt "$folder" >first
        trainer_updates "$folder" | pt-train -q -m "$folder/model" -p first --log log --log-every 1 >tuned
        jq -n -e --slurpfile ours log --slurpfile cases "$folder/cases.json" '
            ($ours | map(select(.grad_norm))) as $lines | $cases[0].trainer.log_history as $trainer |
            ($lines | length) == 30 and all(range(30);
                $lines[.].step == $trainer[.].step and $lines[.].epoch == $trainer[.].epoch and
                $lines[.].learning_rate == $trainer[.].learning_rate and
                (($lines[.].loss - $trainer[.].loss) | fabs) < 1e-4 and
                (($lines[.].grad_norm / $trainer[.].grad_norm - 1) | fabs) < 1e-3)'
    done
}

@test "the log's lines are means, and its last line has the totals" {
    train -q --log log --log-every 1 "$UPDATES" >tuned
    cmp tuned "$WHOLE"
    jq -n -e --slurpfile each log --slurpfile third "$WHOLE_LOG" '
        ($each | map(.loss // empty)) as $losses | ($third | map(.loss // empty)) as $means |
        ($losses | length) == 30 and ($means | length) == 10 and
        all(range(10); (($means[.] - ($losses[3 * .:3 * . + 3] | add / 3)) | fabs) < 1e-12) and
        (($each[-1].train_loss - ($losses | add / 30)) | fabs) < 1e-12'
    jq -s -e --argjson stream "$(pt-info --json "$UPDATES")" '.[-1] | .step == 30 and .train_runtime > 0 and
        .examples == $stream.examples and .tokens == $stream.tokens and .targets == $stream.targets' log
}

@test "the same bytes for any number of threads, from a pipe, and from any folder" {
    for threads in 1 3; do
        train -q -j "$threads" "$UPDATES" >tuned
        cmp tuned "$WHOLE"
    done
    train -q <"$UPDATES" | cmp - "$WHOLE"
    cat "$UPDATES" | pt-train -q -m "$MODEL" -p <(cat "$PROMPT") | cmp <(tail -c 1280 "$WHOLE") <(tail -c 1280 -)
}

@test "--loss batch-mean is token-mean where an update is one micro-batch, and another loss elsewhere" {
    pt-pack --batch-size 4 --gradient-accumulation 1 <"$EXAMPLES" >single
    train -q --log tokens --log-every 1 single >tuned
    train -q --log batches --log-every 1 --loss batch-mean single >tuned2
    cmp <(without_times tokens) <(without_times batches)
    train -q --log batches --log-every 3 --loss batch-mean "$UPDATES" >tuned
    ! cmp -s <(without_times "$WHOLE_LOG") <(without_times batches)
}

@test "schedules and warm-up in the log's learning rates" {
    rates() {
        train -q --log log --log-every 1 "$@" "$UPDATES" >tuned
        jq -s -c 'map(.learning_rate // empty)' log
    }
    [ "$(rates --schedule constant --learning-rate 0.5 | jq 'all(. == 0.5)')" = true ]
    rates --warmup-steps 3 | jq -e '.[0] == 0 and .[3] == 0.01 and .[29] < 0.001 and .[29] > 0'
    rates --warmup-ratio 0.1 --schedule cosine | jq -e '.[0] == 0 and .[3] == 0.01 and (.[16] - 0.01 * 0.5290342) < 1e-6'
}

@test "sgd, weight decay and no clipping change what is trained, and say so in the history" {
    for option in "--optimizer sgd" "--weight-decay 0.1" "--max-grad-norm 0.01"; do
        # shellcheck disable=SC2086
        train -q $option "$UPDATES" >tuned
        ! cmp -s tuned "$WHOLE"
        pt-info --json tuned | grep -q -e "${option% *}"
    done
}

@test "what is trained, in the words of PEFT" {
    exits 0 train --max-steps 1 -o tuned "$UPDATES"
    [[ "$stderr" =~ "trainable params: 320 || all params: "[0-9,]+" || trainable%: "[0-9]\.[0-9]{4} ]]
}

@test "dropout that the model's configuration asks for is off, and said to be" {
    echo '[{"input_ids": [5, 6, 7], "labels": [-100, 6, 7]}]' | pt-tokenize -q -m "$TINY_BLOOM" | pt-pack -q >updates
    pt-init -m "$TINY_BLOOM" --random -n 2 -o initial
    exits 0 pt-train -m "$TINY_BLOOM" -p initial -o tuned updates
    says "dropout of the frozen model is off (its configuration has 0.1)"
    exits 0 train --max-steps 1 -o tuned "$UPDATES"
    [[ "$stderr" != *dropout* ]]
}

@test "progress off a terminal is a line of key=value pairs" {
    exits 0 train --log-every 10 -o tuned "$UPDATES"
    [ "$(grep -c 'step=[123]0/30 epoch=[0-9.]* loss=[0-9.]* ' <<<"$stderr")" -eq 3 ]
    exits 0 train -q -o tuned "$UPDATES"
    [ -z "$stderr" ]
}

@test "--eval measures every N updates and at the end" {
    train -q --eval "$EXAMPLES" --eval-every 12 --log log "$UPDATES" >tuned
    cmp tuned "$WHOLE" || [ "$(tail -c 1280 tuned | cksum)" = "$(tail -c 1280 "$WHOLE" | cksum)" ]
    [ "$(jq -s -c 'map(select(.eval_loss) | .step)' log)" = '[12,24,30]' ]
    ours=$(jq -s 'map(.eval_loss // empty)[-1]' log)
    theirs=$(pt-eval --json -m "$MODEL" -p tuned "$EXAMPLES" | jq .loss)
    jq -n -e "($ours - $theirs) | fabs < 1e-9"
}

@test "--max-steps stops early on the stream's schedule and lets the producer finish" {
    set -o pipefail
    pt-pack --batch-size 2 --gradient-accumulation 3 --max-steps 30 <"$EXAMPLES" |
        train -q --max-steps 6 --log log --log-every 3 >tuned
    cmp <(without_times log | head -n 2) <(without_times "$WHOLE_LOG" | head -n 2)
}

@test "stopped behind every single update and gone on with: the same bytes" {
    local resume=()
    for step in $(seq 1 29); do
        train -q --max-steps "$step" --save state "${resume[@]}" --log log --log-every 3 "$UPDATES" >early
        resume=(--resume state)
    done
    train -q --save state --resume state --log log --log-every 3 "$UPDATES" >tuned
    cmp tuned "$WHOLE"
    cmp <(without_times log) <(without_times "$WHOLE_LOG")
    train -q --save state2 "$UPDATES" >tuned
    pt-info --verify state
}

@test "a run that ended early and goes on: the log of one that did not, evaluations too" {
    for every in 4 50; do
        train -q --eval "$EXAMPLES" --eval-every $every --save state --log log --log-every 3 --max-steps 6 "$UPDATES" >early
        [ "$(jq -s 'map(select(.eval_loss))[-1].step' log)" = 6 ]
        train -q --eval "$EXAMPLES" --eval-every $every --save state --resume state --log log --log-every 3 "$UPDATES" >tuned
        train -q --eval "$EXAMPLES" --eval-every $every --save state2 --log log2 --log-every 3 "$UPDATES" >tuned2
        cmp tuned tuned2
        cmp state state2
        cmp <(without_times log) <(without_times log2)
    done
}

@test "a state behind --max-steps is refused, one that is there already is delivered" {
    train -q --save state --max-steps 4 --log log "$UPDATES" >early
    cp log log.before
    exits 4 train --resume state --max-steps 3 --log log -o tuned "$UPDATES"
    says "state: is behind update 4, and the run is to stop behind update 3"
    [ ! -e tuned ]
    cmp log log.before
    train -q --resume state --max-steps 4 "$UPDATES" | cmp - early
}

@test "a state is no prompt" {
    train -q --optimizer sgd --save state --max-steps 2 "$UPDATES" >early
    exits 4 pt-train -m "$MODEL" -p state -o tuned "$UPDATES"
    says "state: the state of a training run, not a prompt"
    says "hint: pt-train --resume goes on with it"
    exits 4 pt-eval -m "$MODEL" -p state "$EXAMPLES"
    exits 4 pt-merge -o tuned state
    exits 4 pt-init -m "$MODEL" --from state -o tuned
    [ ! -e tuned ]
}

@test "examples longer than the model's positions are refused, held-out ones before the first step" {
    gpt2=$REFERENCE/../gpt2/model
    example() { # of N tokens: with 4 in front the last row that is needed has position N + 3
        jq -c -n --argjson n "$1" '[range($n) | 5 + . % 100] as $ids | [{input_ids: $ids, labels: ([-100, -100] + $ids[2:])}]'
    }
    pt-init -q -m "$gpt2" -n 4 >first
    example 20 | pt-tokenize -q -m "$gpt2" | pt-pack -q >short
    example 253 | pt-tokenize -q -m "$gpt2" >fits
    { cat fits; example 254 | pt-tokenize -q -m "$gpt2"; } >long
    pt-train -q -m "$gpt2" -p first --eval fits --log log -o tuned short
    rm tuned log
    exits 4 pt-train -q -m "$gpt2" -p first --eval long --log log --save state -o tuned short
    says "long: example 2: a sequence of 257 positions, those in front included: the model has 256"
    [ ! -e tuned ] && [ ! -e log ] && [ ! -e state ]
    pt-pack -q --no-shuffle --max-length 4096 long >updates
    exits 4 pt-train -q -m "$gpt2" -p first -o tuned updates
    says "example 2: a sequence of 257 positions"
    exits 4 pt-eval -q -m "$gpt2" -p first long
    says "example 2: a sequence of 257 positions"
}

@test "an evaluation that fails costs no update" {
    # Memory for the updates, not for the longest held-out example.
    jq -c -n '[range(900) | 5 + . % 900] as $ids | [{input_ids: $ids, labels: $ids}]' | pt-tokenize -q -m "$MODEL" >long
    exits 1 train --eval long --save state --save-every 1000 --memory 1M -o tuned "$UPDATES"
    says "behind update 30"
    says "hint: "
    [ ! -e tuned ]
    train -q --resume state --memory 1M "$UPDATES" >tuned
    train -q --memory 1M "$UPDATES" | cmp - tuned
}

@test "killed in the middle and gone on with: the same bytes, nothing partial left" {
    size=$(stat -c %s "$UPDATES")
    open_feed
    for share in 30 50 75 99; do
        part=$((size * share / 100))
        rm -f log state tuned
        train_job -q --save state --save-every 1 --log log --log-every 3 -o tuned feed &
        feed "$part"
        for _ in $(seq 600); do [ -e state ] && break || sleep 0.05; done
        sleep 0.1
        kill -9 $!
        wait $! || [ $? -eq 137 ]
        rm feed
        exec 7>&-
        open_feed
        [ ! -e tuned ]
        train -q --save state --resume state --log log --log-every 3 -o tuned "$UPDATES"
        cmp tuned "$WHOLE"
        cmp <(without_times log) <(without_times "$WHOLE_LOG")
    done
}

@test "SIGTERM and SIGINT: the step is finished, the state saved, no prompt written" {
    half=$(($(stat -c %s "$UPDATES") / 2))
    for signal in TERM INT; do
        open_feed
        rm -f log state
        # A background job of a script ignores SIGINT, so that the job here is another shell's foreground.
        bash -c 'trap - INT; exec "$@"' - env --default-signal=INT pt-train -m "$MODEL" -p "$PROMPT" --save state --save-every 1000 \
            --log log --log-every 1 -o tuned feed 2>messages 3>&- &
        feed "$half"
        wait_for_step 10 log
        kill -"$signal" $!
        sleep 0.1
        feed_rest "$half"
        wait $! && status=0 || status=$?
        [ "$status" -eq $((128 + $(kill -l "$signal"))) ]
        grep -q 'stopped behind update' messages
        [ ! -e tuned ]
        train -q --resume state "$UPDATES" | cmp - "$WHOLE"
        exec 7>&-
        rm feed
    done
}

@test "a signal ends a run that waits for its input" {
    open_feed
    train_job -q --save state --save-every 1000 --log log --log-every 1 -o tuned feed &
    feed $(($(stat -c %s "$UPDATES") / 2))
    wait_for_step 10 log
    sleep 0.3
    kill -TERM $!
    wait $! && status=0 || status=$?
    [ "$status" -eq 143 ]
    [ "$(find . -name '*tuned*')" = "" ]
    train -q --resume state "$UPDATES" | cmp - "$WHOLE"
}

@test "a signal ends a run that skips what was done, or lets the producer finish" {
    train -q --save state --max-steps 20 --log log.first "$UPDATES" >early
    cp state state.before
    for options in "--resume state" "--resume state --save state" "--max-steps 1"; do
        cp state.before state
        open_feed
        # shellcheck disable=SC2086
        train_job $options --log log -o tuned feed 2>messages &
        feed $(($(stat -c %s "$UPDATES") / 2))
        sleep 0.7
        kill -TERM $!
        wait $! && status=0 || status=$?
        [ "$status" -eq 143 ]
        run ! grep Interrupted messages
        [ "$(find . -name '*tuned*')" = "" ]
        cmp state state.before
        run ! grep train_loss log
        exec 7>&-
        rm feed log
    done
}

@test "a model that becomes shorter while it is used is said to be changed" {
    cp -r "$MODEL" shrinking
    for threads in 1 2; do
        cp "$MODEL/model.safetensors" shrinking/model.safetensors
        open_feed
        pt-train -q -j "$threads" -m shrinking -p "$PROMPT" -o tuned feed 2>messages 3>&- &
        feed 200
        sleep 0.5
        truncate -s 4096 shrinking/model.safetensors
        feed_rest 200
        wait $! && status=0 || status=$?
        [ "$status" -eq 135 ]
        grep '^pt-train: an input file was changed while it was read$' messages
        [ "$(find . -name '*tuned*')" = "" ]
        exec 7>&-
        rm feed
    done
}

@test "a reader that goes away ends the run between updates" {
    open_feed
    { train --save state --save-every 1000 --log log --log-every 1 feed 2>messages || echo $? >status; } 3>&- | sleep 1 &
    feed $(($(stat -c %s "$UPDATES") / 2))
    wait_for_step 5 log
    sleep 1.2
    feed_rest $(($(stat -c %s "$UPDATES") / 2))
    for _ in $(seq 100); do [ -s status ] && break; sleep 0.05; done
    [ "$(cat status)" -eq 141 ]
    train -q --resume state "$UPDATES" | cmp - "$WHOLE"
}

@test "a reader that goes away ends a run that waits for its input, before the first update and later" {
    for bytes in 0 100 $(($(stat -c %s "$UPDATES") / 2)); do
        open_feed
        { train -q --save state feed 2>messages || echo $? >status; } 3>&- 7>&- | sleep 0.5 &
        feed "$bytes"
        for _ in $(seq 60); do [ -s status ] && break; sleep 0.05; done
        [ "$(cat status)" -eq 141 ]
        [ "$(cat messages)" = "" ] || grep "stopped behind update" messages
        wait
        exec 7>&-
        rm feed status
    done
    train -q --resume state "$UPDATES" | cmp - "$WHOLE"
}

@test "a state goes on only in its own run" {
    train -q --save state --max-steps 4 "$UPDATES" >early
    exits 4 train --resume state --learning-rate 0.02 --loss batch-mean -o tuned "$UPDATES"
    says "learning-rate was 0.01 and is 0.02"
    says "loss was token-mean and is batch-mean"
    exits 4 train --resume state --math f32:portable -o tuned "$UPDATES"
    says "math was "
    exits 0 train --resume state --learning-rate 0.02 --ignore-fingerprint -o tuned "$UPDATES"
    rm tuned
    pt-pack --batch-size 2 --gradient-accumulation 3 --max-steps 30 --seed 7 <"$EXAMPLES" >other
    exits 4 train --resume state -o tuned other
    says "stream was "
    pt-init -m "$MODEL" -n 5 >other-prompt
    exits 4 pt-train -m "$MODEL" -p other-prompt --resume state -o tuned "$UPDATES"
    says "prompt was "
    exits 4 train --resume "$PROMPT" -o tuned "$UPDATES"
    says "not the state of a run"
    [ ! -e tuned ]
    train -q --max-steps 8 --log log --log-every 1 "$UPDATES" >longer
    cp log log.before
    head -c $(($(stat -c %s "$UPDATES") / 20)) "$UPDATES" >cut
    exits 3 train --resume state --log log -o tuned cut
    cmp log log.before
}

@test "inputs that do not belong together name both fingerprints" {
    pt-init -m "$REFERENCE-6heads/model" -n 4 >other
    exits 4 pt-train -m "$MODEL" -p other -o tuned "$UPDATES"
    pt-tokenize -m "$OLDPWD/$DEMO_MODEL" "$OLDPWD/examples/data/kdconv-travel-test.json" | pt-pack --max-steps 2 >foreign
    exits 4 train -o tuned foreign
    says "fingerprint"
    exits 4 train -o tuned "$EXAMPLES"
    says "pt-pack"
    exits 4 train --eval foreign -o tuned "$UPDATES"
    [ ! -e tuned ]
}

@test "a stream that is cut short is refused, and nothing is written" {
    size=$(stat -c %s "$UPDATES")
    for bytes in 0 7 100 $((size / 2)) $((size - 1)); do
        head -c "$bytes" "$UPDATES" >cut
        exits 3 train -o tuned cut
        exits 3 train --max-steps 1 -o tuned cut
        [ ! -e tuned ]
    done
    (cat "$UPDATES"; cat "$UPDATES") >twice
    run train -o tuned twice
    [ "$status" -ge 3 ]
    [ ! -e tuned ]
}

@test "a loss that is not finite stops with the update and its examples" {
    exits 5 train --learning-rate 1e38 --save state -o tuned "$UPDATES"
    says "update 1 (examples 1 to 6 of the stream)"
    [ ! -e tuned ] && [ ! -e state ]
    exits 2 train --save - -o tuned "$UPDATES"
    says '--save: a state is a file'
}

@test "full disks" {
    exits 1 train -o /dev/full "$UPDATES"
    exits 1 train --log /dev/full -o tuned "$UPDATES"
    exits 1 train --save /dev/full -o tuned "$UPDATES"
    exits 1 train --save no-such-folder/state -o tuned "$UPDATES"
    [ ! -e tuned ]
}

@test "a closed standard output" {
    run bash -c '"$@" >&-' - pt-train -q -m "$MODEL" -p "$PROMPT" "$UPDATES"
    [ "$status" -eq 1 ]
}

@test "outputs that are one file by any spelling, or an input" {
    mkdir folder
    ln -s . link
    touch there
    ln -s there also
    for pair in "-o x --save ./x" "-o x --log link/x" "--save folder/../x --log x" "-o there --log also"; do
        # shellcheck disable=SC2086
        exits 2 train $pair "$UPDATES"
        says 'two names of one file for two outputs'
    done
    run bash -c 'set -o pipefail; "$@" | cat >x' - pt-train -q -m "$MODEL" -p "$PROMPT" --log /dev/stdout "$UPDATES"
    [ "$status" -eq 2 ]
    run bash -c '"$@" >x' - pt-train -q -m "$MODEL" -p "$PROMPT" --save ./x "$UPDATES"
    [ "$status" -eq 2 ]
    cp -rL "$MODEL" model
    cp "$UPDATES" updates
    cp "$PROMPT" prompt
    cp "$EXAMPLES" examples
    tar cf tar updates
    for input in updates prompt examples model/config.json model/*.safetensors; do
        for option in --log --save -o; do
            [ "$option $input" != "-o prompt" ] || continue
            cp "$input" before
            exits 2 pt-train -q -m model -p prompt --eval examples "$option" "link/$input" updates
            says 'it is an input as well'
            cmp before "$input"
        done
    done
    exits 2 train --log updates - <updates
    exits 2 train --log updates <updates
    exits 2 train --log tar tar:updates
    cmp "$UPDATES" updates
    exits 2 train --resume there --log there updates
    [ ! -e x ] || [ ! -s x ]
}

@test "outputs that take the place of what was read" {
    cp "$PROMPT" prompt
    pt-train -q -m "$MODEL" -p prompt -o prompt --save state --max-steps 2 "$UPDATES"
    pt-train -q -m "$MODEL" -p "$PROMPT" -o prompt --save state --resume ./state "$UPDATES"
    same_bytes prompt "$WHOLE"
}

@test "a log on standard output" {
    train -q --log - --log-every 3 -o tuned "$UPDATES" >log
    same_bytes tuned "$WHOLE"
    [ ! -e - ]
    [ "$(without_times log)" = "$(without_times "$WHOLE_LOG")" ]
    exits 2 train --log - "$UPDATES"
    run bash -c '"$@" >/dev/full' - pt-train -q -m "$MODEL" -p "$PROMPT" --log - -o no "$UPDATES"
    [ "$status" -eq 1 ]
    [ ! -e no ]
}

@test "usage errors" {
    exits 2 pt-train -p "$PROMPT" "$UPDATES"
    exits 2 pt-train -m "$MODEL" "$UPDATES"
    exits 2 pt-train -m "$MODEL" -p - -
    exits 2 train --save same -o same "$UPDATES"
    says "same: one name for two outputs"
    exits 2 train --save same --log same "$UPDATES"
    exits 2 train --log '' "$UPDATES"
    exits 2 train --schedule round "$UPDATES"
    says "linear, cosine or constant"
    for option in "--learning-rate -1" "--learning-rate nan" "--log-every 0" "--max-steps 0" "--warmup-ratio 2" \
        "--warmup-ratio 0.1 --warmup-steps 3" "--eval-every 3" "--optimizer adam" "--save-every x" "--loss mean"; do
        # shellcheck disable=SC2086
        exits 2 train $option "$UPDATES"
    done
}
