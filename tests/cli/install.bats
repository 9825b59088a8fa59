#!/usr/bin/env bats
# Installing, using and removing.

load ../lib/helpers

@test "an installed library compiles and links by its pkg-config file; uninstalling leaves nothing" {
    root=$BATS_TEST_TMPDIR/root
    CC=false exits 1 tools/build/install "" "$root" "$PT_BUILD" "$(dirname "$(command -v pt-pack)")"
    [ ! -e "$root" ]
    tools/build/install "" "$root" "$PT_BUILD" "$(dirname "$(command -v pt-pack)")"
    [ -x "$root/bin/pt-pack" ]
    [ -e "$root/share/man/man1/pt-pack.1" ]
    cat >"$BATS_TEST_TMPDIR/program.c" <<'END'
#include <pt.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    struct pt_error err = {0};
    struct pt_tokenizer *tokenizer;
    if (argc < 2 || pt_tokenizer_open(&tokenizer, argv[1], &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%u\n", (unsigned)pt_tokenizer_vocab_size(tokenizer));
    pt_tokenizer_close(tokenizer);
    return 0;
}
END
    export PKG_CONFIG_PATH=$root/lib/pkgconfig
    # shellcheck disable=SC2046 # flags are words
    cc $PT_LDFLAGS $(pkg-config --cflags libpt) -o "$BATS_TEST_TMPDIR/program" "$BATS_TEST_TMPDIR/program.c" $(pkg-config --libs libpt)
    exits 0 "$BATS_TEST_TMPDIR/program" "$DEMO_MODEL"
    [ "$output" -eq 6144 ]
    tools/build/install --remove "" "$root"
    [ -z "$(find "$root" -type f)" ]
    exits 2 tools/build/install "" relative "$PT_BUILD" "$(dirname "$(command -v pt-pack)")"
}
