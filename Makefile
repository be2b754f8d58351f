# Trapeze: the only entry.  make run | test | check | image | bench | clean
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
B := build

# ---- the hypervisor ---------------------------------------------------------------------------------------------
CC := gcc
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wpointer-arith -Wconversion -Werror
HV_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdinc -isystem $(shell $(CC) -print-file-name=include) -I. -I$(B)/gen \
  -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic -fno-stack-protector -fno-omit-frame-pointer \
  -fno-asynchronous-unwind-tables -fno-strict-aliasing -fno-tree-loop-distribute-patterns -fcf-protection=none -ffunction-sections -fdata-sections $(WARN)

HV_C := $(sort $(shell find arch drivers hv boot/mb2 -name '*.c' 2>/dev/null))
HV_ASM := $(sort $(shell find arch drivers hv boot/mb2 -name '*.asm' 2>/dev/null))
HV_O := $(HV_C:%.c=$(B)/hv/%.o) $(HV_ASM:%.asm=$(B)/hv/%.asm.o)

$(B)/hv/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(HV_CFLAGS) -MMD -MP -c $< -o $@

# ---- unit tests on the host: every C file without assembly, under ASan and UBSan ------------------------------------
PURE_DIRS := hv/lib hv/dev hv/sched hv/part hv/mem arch/x86_64/emul arch/x86_64/mmu
PURE_C := $(filter-out hv/lib/str.c, $(sort $(foreach d,$(PURE_DIRS),$(wildcard $d/*.c))))
TEST_CFLAGS := -std=gnu11 -O1 -g -I. -I$(B)/gen -fsanitize=address,undefined -fno-sanitize-recover=all $(WARN)
PURE_O := $(PURE_C:%.c=$(B)/host/%.o)
TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(shell find tests/unit -name 'test_*.c')))

$(B)/host/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TEST_CFLAGS) -MMD -MP -c $< -o $@
$(B)/host/libpure.a: $(PURE_O)
	@rm -f $@; ar rcs $@ $^
$(B)/unit/%: $(B)/host/tests/unit/%.o $(B)/host/tests/unit/test.o $(B)/host/libpure.a
	@mkdir -p $(@D)
	$(CC) -fsanitize=address,undefined $(filter-out %.a,$^) $(B)/host/libpure.a $(TEST_LIBS_$(notdir $@)) -o $@

.PHONY: unit check clean
.SECONDARY:
unit: $(TESTS)
	@pass=0; fail=0; for t in $(TESTS); do out=$$($$t); rc=$$?; \
	  n=($$(tail -1 <<<"$$out" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$$/\1 \2/p')); \
	  [ $${#n[@]} = 2 ] || n=(0 1); [ $$rc = 0 ] || { echo "$${t#$(B)/unit/}:"; echo "$$out"; }; \
	  pass=$$((pass+n[0])); fail=$$((fail+n[1])); done; \
	  echo "$$pass passed, $$fail failed"; [ $$fail = 0 ] && [ $$pass -gt 0 ]

check: $(HV_C:%.c=$(B)/hv/%.o) unit

clean:
	rm -rf $(B)

-include $(HV_C:%.c=$(B)/hv/%.d) $(PURE_C:%.c=$(B)/host/%.d)
