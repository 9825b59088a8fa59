#!/usr/bin/env bats
# Completion in bash.

load ../lib/helpers

@test "options are completed from --help" {
    source tools/completions/pt.bash
    COMP_WORDS=(pt-pack --max-) COMP_CWORD=1
    _pt_complete pt-pack
    [[ " ${COMPREPLY[*]} " == *" --max-length "* && " ${COMPREPLY[*]} " != *" --seed "* ]]
}
