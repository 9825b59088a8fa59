# What the tests of the command line share. Load it first:   load ../lib/helpers
# Tests run from the root of the tree, with the tools in front of PATH (the Makefile sees to it), and write into $BATS_TEST_TMPDIR.

bats_require_minimum_version 1.5.0
export LC_ALL=C.UTF-8 # the tests' own text is UTF-8, also when bats is started by hand
cd "$BATS_TEST_DIRNAME/../.." || exit 1

DEMO_MODEL=examples/demo-model
TINY_BLOOM=tests/data/tiny-bloom

# exits STATUS COMMAND...: runs it and compares the status; $output and $stderr then hold what it said.
exits() {
    local expected=$1
    shift
    run --separate-stderr "$@"
    [ "$status" -eq "$expected" ] || {
        echo "expected exit $expected, got $status: $*"
        echo "$output" | head -c 2000
        echo "$stderr" | head -c 2000
        return 1
    }
}

# says TEXT: the last command's messages contain it.
says() {
    [[ "$stderr" == *"$1"* ]] || {
        echo "expected a message with: $1"
        echo "got: $stderr"
        return 1
    }
}

# same_bytes FILE FILE
same_bytes() {
    cmp "$1" "$2"
}

# Runs a command line of the shell with a terminal on all its descriptors (script is in bsdutils, which every Debian has).
on_a_terminal() {
    script -qec "$1" /dev/null </dev/null
}
