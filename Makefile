# The prompt-tuning tools. `make help` lists the targets.

BUILD  ?= build
BIN    ?= bin
CC     ?= cc
CXX    ?= c++
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g

# Kinds of packages that are looked for before anything is compiled (tools/build/packages.txt).
NEEDS := build $(if $(findstring clang,$(CC)),clang)

FOLDERS  := base io fmt text math model generate tune cli
PACKAGES := openblas jansson libarchive zlib libpcre2-8 libutf8proc libxxhash sentencepiece

# All cores, unless make was told otherwise (a -j on the command line wins).
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif

# ---------------------------------------------------------------------------------------------- flags

# pkg-config is asked once, and only where something is compiled.
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null))$(PACKAGE_CFLAGS)
PACKAGE_LIBS   = $(eval PACKAGE_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null))$(PACKAGE_LIBS)

WARNINGS     := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
# Products and sums are rounded one by one, so that every CPU gives the same bits; the kernels, each with bits of its own, are not held to it.
CONTRACTION  := -ffp-contract=off
ALL_CFLAGS    = -std=gnu11 -Icommon $(WARNINGS) -fopenmp -D_GNU_SOURCE $(PACKAGE_CFLAGS) $(CPPFLAGS) $(CFLAGS)
ALL_CXXFLAGS  = -std=c++17 -Icommon -Wall -Wextra $(PACKAGE_CFLAGS) $(CPPFLAGS) $(CXXFLAGS)
CXXFLAGS     ?= $(CFLAGS)
LIBS          = -Wl,--as-needed $(PACKAGE_LIBS) -lstdc++ -lm -fopenmp

# A file per instruction set, chosen at run time. Elsewhere than on x86-64 they are compiled like any other and never chosen.
ifneq ($(filter x86_64-%,$(shell $(CC) -dumpmachine 2>/dev/null)),)
$(BUILD)/%_avx2.o: ISA := -mavx2 -mfma -mf16c
$(BUILD)/%_avx512.o: ISA := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c
$(BUILD)/%_avx512bf16.o: ISA := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mavx2 -mfma -mf16c
$(BUILD)/%_amx.o: ISA := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mamx-tile -mamx-bf16 -mavx2 -mfma -mf16c
endif
$(BUILD)/common/math/kernels_%.o: CONTRACTION := -ffp-contract=fast

# ---------------------------------------------------------------------------------------------- files

SOURCES    := $(sort $(wildcard $(FOLDERS:%=common/%/*.c)))
SHIMS      := $(sort $(wildcard common/text/*.cc))
OBJECTS    := $(SOURCES:%.c=$(BUILD)/%.o) $(SHIMS:%.cc=$(BUILD)/%.o)
TOOLS      := $(patsubst tools/%.c,$(BIN)/%,$(sort $(wildcard tools/pt-*.c)))
UNIT       := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZERS    := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
BENCHES    := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))
TEST_FILES := $(sort $(wildcard tests/*/*.bats)) tests/docs/examples tests/lint/options tests/check-layers
MANUALS    := $(sort $(wildcard man/*.[157]))

all: $(TOOLS)

$(BUILD)/libpt.a: $(OBJECTS)
	@rm -f $@
	@echo "  AR  $@"
	@$(AR) rcs $@ $^

$(BIN)/%: $(BUILD)/tools/%.o $(BUILD)/libpt.a
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libpt.a
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS) -lcmocka

$(BUILD)/%.o: %.c $(BUILD)/settings
	@mkdir -p $(@D)
	@echo "  CC  $<"
	@$(CC) $(ALL_CFLAGS) $(CONTRACTION) $(ISA) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.cc $(BUILD)/settings
	@mkdir -p $(@D)
	@echo "  CXX $<"
	@$(CXX) $(ALL_CXXFLAGS) -MMD -MP -c -o $@ $<

# Rewritten only when the way of building changes, which then builds everything anew.
$(BUILD)/settings: FORCE
	@tools/build/packages missing $(NEEDS)
	@mkdir -p $(@D)
	@echo '$(CC) $(CXX) $(ALL_CFLAGS) $(ALL_CXXFLAGS) $(LDFLAGS) $(LIBS)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

-include $(OBJECTS:.o=.d) $(wildcard $(BUILD)/tools/*.d $(BUILD)/tests/*.d $(BUILD)/tests/*/*.d $(BUILD)/examples/*/*.d)

# ---------------------------------------------------------------------------------------------- packages

deps:
	@tools/build/packages install build

check-deps:
	@tools/build/packages install build check

# ---------------------------------------------------------------------------------------------- tests

# Tests run from the root of the tree, with the tools in front of PATH, the same in everybody's locale.
TEST_ENVIRONMENT = LC_ALL=C.UTF-8 PATH="$(abspath $(BIN)):$$PATH" PT_BIN="$(abspath $(BIN))" PT_BUILD="$(abspath $(BUILD))" PT_LDFLAGS="$(LDFLAGS)" \
	CMOCKA_MESSAGE_OUTPUT=TAP

check:
	@$(MAKE) --no-print-directory check-deps
	@$(MAKE) --no-print-directory run-tests

run-tests $(UNIT): NEEDS += check

run-tests: all unit-programs $(BUILD)/convert-llama2c
	@$(TEST_ENVIRONMENT) prove -j2 --timer --failures --comments --exec tests/lib/run-one $(TEST_FILES) $(UNIT)

unit-programs: $(UNIT)

unit: $(UNIT)
	@$(TEST_ENVIRONMENT) prove -j2 --failures --comments --exec tests/lib/run-one $(UNIT)

demo:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory all
	@PATH="$(abspath $(BIN)):$$PATH" examples/demo

lint:
	@tools/build/packages missing build lint
	@$(MAKE) --no-print-directory all
	@$(TEST_ENVIRONMENT) tests/lint/run

# Builds with other flags live in folders of their own.
asan:
	@$(MAKE) --no-print-directory BUILD=build-asan BIN=build-asan/bin LDFLAGS='-fsanitize=address,undefined' \
	    CFLAGS='-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined' run-tests

valgrind:
	@tools/build/packages missing valgrind
	@$(MAKE) --no-print-directory BUILD=build-valgrind BIN=build-valgrind/bin CFLAGS='-O1 -g' unit-programs
	@tests/lint/valgrind build-valgrind/unit/test_*

coverage:
	@rm -rf build-coverage
	@$(MAKE) --no-print-directory BUILD=build-coverage BIN=build-coverage/bin CFLAGS='-O0 -g --coverage' \
	    LDFLAGS=--coverage run-tests
	@tests/lint/coverage build-coverage

# libFuzzer, so clang; FUZZ_SECONDS is for each program.
FUZZ_SECONDS ?= 30
fuzz: all
	@$(MAKE) --no-print-directory BUILD=build-fuzz BIN=build-fuzz/bin CC=clang CXX=clang++ \
	    CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize=vptr' LDFLAGS='-fsanitize=address,undefined' fuzz-programs
	@tests/fuzz/run $(FUZZ_SECONDS) build-fuzz/fuzz $(BIN)

$(FUZZERS): NEEDS += fuzz

# No file gets into the kernels, and clang takes minutes to instrument them.
$(BUILD)/common/math/%.o: private override CFLAGS := $(filter-out -fsanitize=fuzzer%,$(CFLAGS))

fuzz-programs: $(FUZZERS)

$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/input_file.o $(BUILD)/libpt.a
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o %.a,$^) $(LIBS)

# The example that reads llama2.c's checkpoints.
$(BUILD)/convert-llama2c: $(BUILD)/examples/stories260K/convert-llama2c.o $(BUILD)/libpt.a
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)

# Writes models with random weights of any shape.
$(BUILD)/generate-checkpoint: $(BUILD)/tests/generate-checkpoint.o $(BUILD)/libpt.a
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)

$(BUILD)/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/libpt.a
	@mkdir -p $(@D)
	@echo "  LD  $@"
	@$(CC) $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(LIBS)

# CASES: "decode start", or any beginnings of their names; empty: all.
bench: all $(BENCHES) $(BUILD)/generate-checkpoint
	@PATH="$(abspath $(BIN)):$(abspath $(BUILD)):$$PATH" PT_BUILD="$(abspath $(BUILD))" tests/bench/run $(CASES)

bench-peft: all $(BUILD)/generate-checkpoint
	@PATH="$(abspath $(BIN)):$(abspath $(BUILD)):$$PATH" tests/bench-peft/run

# ---------------------------------------------------------------------------------------------- installing

install: all
	@tools/build/install "$(DESTDIR)" "$(PREFIX)" "$(BUILD)" "$(BIN)"

uninstall:
	@tools/build/install --remove "$(DESTDIR)" "$(PREFIX)"

clean:
	rm -rf build build-asan build-valgrind build-coverage build-fuzz bin

# ---------------------------------------------------------------------------------------------- help

help:
	@sed -n 's/^#: //p' Makefile

#: make               builds the tools into bin/
#: make demo          installs what building needs, builds, tunes a prompt for the model in examples/ and shows it
#: make check         installs what testing needs, builds, runs every test
#: make deps          installs the packages that building needs (apt)
#: make check-deps    installs the packages that building and testing need (apt)
#: make install       PREFIX=/usr/local DESTDIR=: tools, manual pages, completions, library and headers
#: make uninstall     takes them away again
#: make lint          format, order of includes, manual pages, spelling of options, length of functions
#: make asan          the tests with the address and undefined-behaviour sanitizers, in build-asan/
#: make valgrind      the unit tests under valgrind, in build-valgrind/
#: make coverage      the tests with gcov, and lines executed a file, in build-coverage/
#: make fuzz          fuzzing of everything that reads files (clang), in build-fuzz/; FUZZ_SECONDS=30
#: make bench         speed beside peers and the machine's limits, as TSV; CASES="decode start" for some of it
#: make bench-peft    an update at the 1.4B shape (FAMILY=llama: 1.1B; demo: the demonstration model), ours and PEFT's in turn (installs PEFT into a folder of its own)
#: make clean         removes everything built

.PHONY: all deps check-deps check run-tests unit unit-programs demo lint asan valgrind coverage fuzz fuzz-programs \
        bench bench-peft install uninstall clean help FORCE
.SECONDARY:
.DELETE_ON_ERROR:
