# The prompt-tuning tools. `make help` lists the targets.

BUILD   := build
CC      ?= cc
CXX     ?= c++
LAYERS  := base io fmt text math model generate tune cli
PACKAGES := openblas jansson libarchive libpcre2-8 libutf8proc libxxhash sentencepiece

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
CFLAGS   ?= -O2 -g
ALL_CFLAGS = -std=gnu11 -Icommon $(WARNINGS) -fopenmp -D_GNU_SOURCE $(shell pkg-config --cflags $(PACKAGES)) $(CFLAGS)
ALL_CXXFLAGS = -std=c++17 -Icommon -Wall -Wextra $(shell pkg-config --cflags $(PACKAGES)) -O2 -g
LIBS      = -Wl,--as-needed $(shell pkg-config --libs $(PACKAGES)) -lstdc++ -lm -fopenmp

SOURCES := $(wildcard $(LAYERS:%=common/%/*.c))
SHIMS   := $(wildcard common/text/*.cc)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o) $(SHIMS:%.cc=$(BUILD)/%.o)
TOOLS   := $(patsubst tools/%.c,bin/%,$(wildcard tools/pt-*.c))
UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

# A file per instruction set, chosen at run time.
$(BUILD)/%_avx2.o: ISA := -mavx2 -mfma -mf16c
$(BUILD)/%_avx512.o: ISA := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c
$(BUILD)/%_avx512bf16.o: ISA := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mavx2 -mfma -mf16c
$(BUILD)/%_amx.o: ISA := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mamx-tile -mamx-bf16 -mavx2 -mfma -mf16c

all: $(TOOLS)

$(BUILD)/libpt.a: $(OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

bin/%: $(BUILD)/tools/%.o $(BUILD)/libpt.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libpt.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ISA) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(ALL_CXXFLAGS) -MMD -MP -c -o $@ $<

unit: $(UNIT)
	for t in $(UNIT); do CMOCKA_MESSAGE_OUTPUT=TAP $$t || exit 1; done

clean:
	rm -rf build build-* bin

.PHONY: all unit clean
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
