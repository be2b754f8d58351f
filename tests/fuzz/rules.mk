# Fuzzing on the host. Each tests/fuzz/NAME.c is built three times over the code without assembly: with libFuzzer
# (`make fuzz`), with gcc and replay.c over its corpus (`make unit`), and with replay.c and clang's counters, for coverage.
# A tests/fuzz/NAME.py is a harness of a program in Python: it does all three by itself.
FUZZ_C := $(patsubst tests/fuzz/%.c,%,$(filter-out %/replay.c,$(sort $(wildcard tests/fuzz/*.c))))
FUZZ_PYTHON := $(patsubst tests/fuzz/%.py,%,$(sort $(wildcard tests/fuzz/*.py)))
# FUZZ="name ...": only these. RUNS=N: each until it had N runs, however long that takes, instead of T seconds.
FUZZ ?= $(FUZZ_C) $(FUZZ_PYTHON)
T ?= 60
RUNS ?=
FUZZ_LIBS_decode := -lZydis

FUZZ_SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_CFLAGS := -std=gnu11 -D_DEFAULT_SOURCE -DLOCK_ORDER_CHECKED=0 -g -I. -I$(B)/gen $(WARN)
# Counters only: comparisons traced as well would take three quarters of the time.
FUZZ_RUN_CFLAGS := $(FUZZ_CFLAGS) -O2 $(FUZZ_SANITIZERS) -fsanitize-coverage=inline-8bit-counters,pc-table
FUZZ_COVER_CFLAGS := $(FUZZ_CFLAGS) -O1 -fprofile-instr-generate -fcoverage-mapping

$(B)/fuzz/run/%.o: %.c Makefile tests/fuzz/rules.mk
	@mkdir -p $(@D)
	$(Q)clang $(FUZZ_RUN_CFLAGS) -MMD -MP -c $< -o $@
$(B)/fuzz/cover/%.o: %.c Makefile tests/fuzz/rules.mk
	@mkdir -p $(@D)
	$(Q)clang $(FUZZ_COVER_CFLAGS) -MMD -MP -c $< -o $@
$(B)/fuzz/%/libpure.a: $(foreach c,$(PURE_C),$(B)/fuzz/%/$(c:.c=.o))
	@rm -f $@; ar rcs $@ $^
$(B)/fuzz/run/hv/part/acpi_tables.o $(B)/fuzz/cover/hv/part/acpi_tables.o: $(B)/gen/hv/part/dsdt.h

$(B)/fuzz/bin/%: $(B)/fuzz/run/tests/fuzz/%.o $(B)/fuzz/run/libpure.a
	@mkdir -p $(@D)
	@$(call say,FUZZ,$@)
	$(Q)clang $(FUZZ_SANITIZERS) -fsanitize=fuzzer $^ $(FUZZ_LIBS_$*) -o $@
$(B)/fuzz/replay/%: $(B)/fuzz/cover/tests/fuzz/%.o $(B)/fuzz/cover/tests/fuzz/replay.o $(B)/fuzz/cover/libpure.a
	@mkdir -p $(@D)
	$(Q)clang -fprofile-instr-generate $^ $(FUZZ_LIBS_$*) -o $@

# The corpora as a regression test: part of `make unit`.
FUZZ_C_TESTS := $(FUZZ_C:%=$(B)/unit/tests/fuzz/%)
FUZZ_TESTS := $(FUZZ_C_TESTS) $(FUZZ_PYTHON:%=tests/fuzz/%.py)
$(B)/unit/tests/fuzz/%: $(B)/host/tests/fuzz/%.o $(B)/host/tests/fuzz/replay.o $(B)/host/libpure.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZERS) $(COVER_LDFLAGS) $^ $(FUZZ_LIBS_$*) -o $@
unit: $(FUZZ_TESTS)

## fuzz                  fuzz on the host: FUZZ="name ..." T=seconds or RUNS=n
.PHONY: fuzz fuzz-build
fuzz-build: $(foreach f,$(filter $(FUZZ_C),$(FUZZ)),$(B)/fuzz/bin/$f $(B)/fuzz/replay/$f)
fuzz: setup
	@+$(MAKE) --no-print-directory fuzz-build
	$(Q)scripts/fuzz --build $(B) --jobs $(JOBS) $(if $(RUNS),--runs $(RUNS),--seconds $(T)) $(FUZZ)

-include $(FUZZ_C_TESTS:$(B)/unit/%=$(B)/host/%.d) $(wildcard $(B)/fuzz/run/tests/fuzz/*.d $(B)/fuzz/cover/tests/fuzz/*.d) \
  $(PURE_C:%.c=$(B)/fuzz/run/%.d) $(PURE_C:%.c=$(B)/fuzz/cover/%.d)
