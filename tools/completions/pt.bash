# Completion of the pt tools for bash: the options are those that --help lists, so they are always the tool's own; anything else
# is a file name.

_pt_complete() {
    local word=${COMP_WORDS[COMP_CWORD]}
    COMPREPLY=()
    [[ $word == -* ]] || return 0
    local options
    options=$("$1" --help 2>/dev/null | grep -oE '^ +(-[[:alnum:]], +)*--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+')
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -o default -F _pt_complete pt-tokenize pt-pack pt-init pt-train pt-merge pt-sample pt-eval pt-info
