# Trapeze: the only entry. `make help` shows the lines that begin with ##.
MAKEFLAGS += --no-builtin-rules
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
SHELL := /bin/bash
# `make DEBUG=1`: with run-time checks of the order of locks, in a folder of its own. COVERAGE=1: what `make coverage` runs.
B := build$(if $(COVERAGE),/coverage,$(if $(DEBUG),/debug))

# Each step is one short line; `make V=1` shows the commands.
ifeq ($(V),)
Q := @
say = $(if $(findstring s,$(firstword -$(MAKEFLAGS))),:,printf '  %-6s %s\n' '$1' '$2')
else
say = :
endif

## all                   the hypervisor and its UEFI loader (default)
.PHONY: all
all: $(B)/trapeze.elf $(B)/BOOTX64.EFI
	@:

# ---- the hypervisor ---------------------------------------------------------------------------------------------
CC := $(if $(COVERAGE),clang,gcc)
# A function in a table, or handed down, has the parameters of its kind, whether it needs them or not.
WARN := -Wall -Wextra -Wno-unused-parameter -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wpointer-arith -Wconversion -Werror
HV_CFLAGS := -std=gnu11 -O2 -g -ffile-prefix-map=$(CURDIR)=. -ffreestanding -nostdinc -isystem $(shell $(CC) -print-file-name=include) -I. -I$(B)/gen \
  -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic -fno-stack-protector -fno-omit-frame-pointer -momit-leaf-frame-pointer \
  -fno-asynchronous-unwind-tables -fno-strict-aliasing -fcf-protection=none -ffunction-sections -fdata-sections $(WARN)
# Indirect calls go through hv/lib/thunks.asm; a table of jumps would be one more.
INDIRECT_gcc := -mindirect-branch=thunk-extern -mindirect-branch-register
INDIRECT_clang := -mretpoline -mretpoline-external-thunk
HV_CFLAGS += -fno-jump-tables $(INDIRECT_$(if $(findstring clang,$(CC)),clang,gcc))
ifneq ($(findstring clang,$(CC)),clang) # else memcpy would be compiled to a call of memcpy
HV_CFLAGS += -fno-tree-loop-distribute-patterns
else
HV_CFLAGS += -isystem $(shell $(CC) -print-resource-dir)/include -fno-builtin
endif
HV_CFLAGS += -DLOCK_ORDER_CHECKED=$(if $(DEBUG)$(COVERAGE),1,0)
HV_LDFLAGS := -nostdlib -static -T arch/x86_64/cpu/image.ld -z max-page-size=4096 -z noexecstack --gc-sections \
  --build-id=none --no-warn-rwx-segments
# Counters in all C; functions that nothing calls stay in, so that they are missed. tests/coverage/dump.c tells the counters.
# A static function's counters are known by its file's name: vmx/exit.c and svm/exit.c must not be one.
ifneq ($(COVERAGE),)
COVER_LDFLAGS := -fprofile-instr-generate
COVER_CFLAGS = -fprofile-instr-generate -fcoverage-mapping -fcoverage-compilation-dir=. -Xclang -main-file-name -Xclang $<
HV_CFLAGS += -fprofile-update=atomic -mno-omit-leaf-frame-pointer # the latter: clang's leaves would hide who called them
HV_LDFLAGS := $(filter-out --gc-sections,$(HV_LDFLAGS)) $(addprefix --wrap=,watchdog_look log_emergency early_say)
endif

# *_offsets.c is no part of the image: it names struct members for assembly, see scripts/offsets.
HV_DIRS := $(wildcard arch drivers hv) boot/mb2
OFFSETS_C := $(sort $(shell find $(HV_DIRS) -name '*_offsets.c'))
HV_C := $(filter-out $(OFFSETS_C),$(sort $(shell find $(HV_DIRS) -name '*.c') $(wildcard boot/*.c)))
HV_ASM := $(sort $(shell find $(HV_DIRS) -name '*.asm'))
HV_O := $(HV_C:%.c=$(B)/hv/%.o) $(HV_ASM:%.asm=$(B)/hv/%.asm.o) $(if $(COVERAGE),$(B)/hv/tests/coverage/dump.o)
GEN := $(patsubst %.c,$(B)/gen/%.inc,$(OFFSETS_C))

# On the path of every exit, or caller of vt_enter(): no frame pointers, so a backtrace leaves their functions out.
HOT_C := arch/x86_64/cpu/guest_state.c hv/sched/policy.c hv/dev/vlapic.c hv/dev/vlapic_timer.c hv/dev/vlapic_registers.c \
  $(addprefix arch/x86_64/vmx/,vcpu.c run.c exit.c field.c inject.c apicv.c) \
  $(addprefix hv/dev/,bus.c vpic.c vpit.c vrtc.c vpm.c vuart.c vioapic.c vpci.c) \
  hv/plant_machine.c arch/x86_64/mmu/guest_walk.c arch/x86_64/emul/exec.c hv/mem/gmem.c hv/mem/gmem_access.c \
  $(addprefix arch/x86_64/svm/,vcpu.c run.c bochs.c exit.c field.c inject.c cpu.c controls.c probe.c) \
  $(addprefix hv/vm/,tracing.c dispatch.c run.c interrupt.c emulate.c fetch.c access.c operand.c linear.c exit_misc.c exit_io.c exit_msr.c exit_cr.c exit_dr.c exit_mmio.c pv.c)
HOT_CFLAGS := -fomit-frame-pointer $(if $(findstring clang,$(CC)),,-mpreferred-stack-boundary=3)
$(HOT_C:%.c=$(B)/hv/%.o): HV_CFLAGS += $(HOT_CFLAGS)
$(B)/hv/%.o: %.c Makefile # whose flags are the object's
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(HV_CFLAGS) $(COVER_CFLAGS) -MMD -MP -c $< -o $@
$(B)/hv/tests/coverage/dump.o: COVER_CFLAGS :=
$(B)/hv/%.asm.o: %.asm $(GEN) Makefile
	@mkdir -p $(@D)
	@$(call say,NASM,$<)
	$(Q)nasm -f elf64 -Wall -Werror -I. -I$(B)/gen/ -MD $(@:.o=.d) -MP $< -o $@
# `#include "build-relative"` in assembly: %include "arch/x86_64/vmx/vmx_offsets.inc"
$(B)/gen/%_offsets.inc: %_offsets.c scripts/offsets
	@mkdir -p $(@D)
	$(Q)$(CC) $(HV_CFLAGS) -MMD -MP -MT $@ -MF $(@:.inc=.d) -S $< -o $(@:.inc=.s)
	$(Q)scripts/offsets $(@:.inc=.s) >$@

# The partitions' DSDT, as a C array.
$(B)/gen/hv/part/dsdt.h: hv/part/dsdt.asl
	@mkdir -p $(@D)
	$(Q)iasl -vr -tc -p $(@D)/dsdt $< >$(@D)/dsdt.log || { cat $(@D)/dsdt.log; exit 1; }
	$(Q)sed 's/^unsigned char/static const unsigned char/' $(@D)/dsdt.hex >$@
$(B)/hv/hv/part/acpi_tables.o $(B)/host/hv/part/acpi_tables.o $(B)/clang/hv/part/acpi_tables.c.ok: $(B)/gen/hv/part/dsdt.h

# Two links: the first tells where the functions are, the second has the table of them for backtraces.
$(B)/gen/symbols_empty.c: scripts/symbols
	@mkdir -p $(@D)
	$(Q)scripts/symbols --empty >$@
$(B)/gen/symbols.c: $(B)/trapeze.nm scripts/symbols
	$(Q)scripts/symbols $< >$@
$(B)/gen/symbols.o $(B)/gen/symbols_empty.o: %.o: %.c Makefile
	$(Q)$(CC) $(HV_CFLAGS) -g0 -c $< -o $@
$(B)/trapeze.nm: $(HV_O) $(B)/gen/symbols_empty.o arch/x86_64/cpu/image.ld
	$(Q)ld $(HV_LDFLAGS) $(HV_O) $(B)/gen/symbols_empty.o -o $(B)/trapeze.pass1
	$(Q)nm $(B)/trapeze.pass1 >$@
# trapeze.debug is for a debugger; trapeze.elf is what boots.
$(B)/trapeze.debug: $(B)/trapeze.nm $(B)/gen/symbols.o
	@$(call say,LINK,$@)
	$(Q)ld $(HV_LDFLAGS) $(HV_O) $(B)/gen/symbols.o -o $@
	$(Q)nm $@ >$(B)/trapeze.nm2
	$(Q)scripts/symbols --check $(B)/trapeze.nm $(B)/trapeze.nm2
$(B)/trapeze.elf: $(B)/trapeze.debug
	$(Q)objcopy --strip-all $< $@
	$(Q)grub-file --is-x86-multiboot2 $@

# ---- the UEFI loader: gnu-efi's start code, our own everything else -----------------------------------------------
EFI_CFLAGS := -std=gnu11 -O2 -ffile-prefix-map=$(CURDIR)=. -ffreestanding -I. -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 \
  -DGNU_EFI_USE_MS_ABI -fpic -fvisibility=hidden -fshort-wchar -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
  -fno-asynchronous-unwind-tables -fno-strict-aliasing -fcf-protection=none -ffunction-sections $(WARN) \
  $(filter -fno-tree-loop-distribute-patterns -fno-builtin,$(HV_CFLAGS))
EFI_C := $(wildcard boot/uefi/*.c) boot/memory_map.c boot/last_log.c arch/x86_64/cpu/preflight.c hv/lib/fmt.c hv/lib/str.c \
  hv/part/config.c hv/part/config_check.c hv/part/config_keys.c hv/part/ini.c hv/lib/suggest.c arch/x86_64/vt/policy.c
EFI_O := $(EFI_C:%.c=$(B)/efi/%.o) $(B)/hv/hv/lib/mem.asm.o

$(B)/efi/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(EFI_CFLAGS) -MMD -MP -c $< -o $@
$(B)/BOOTX64.EFI: $(EFI_O)
	@$(call say,LINK,$@)
	$(Q)ld -nostdlib -shared -Bsymbolic -znocombreloc --no-undefined -T /usr/lib/elf_x86_64_efi.lds --build-id=none \
	  /usr/lib/crt0-efi-x86_64.o $^ /usr/lib/libgnuefi.a -o $(B)/bootx64.so
	$(Q)objcopy -j .text -j .sdata -j .data -j .rodata -j .dynamic -j .dynsym -j '.rel*' -j .reloc \
	  --target efi-app-x86_64 --subsystem=10 $(B)/bootx64.so $@

# ---- unit tests on the host: every C file without assembly, under ASan and UBSan ------------------------------------
PURE_DIRS := hv/lib hv/trace hv/dev hv/sched hv/part hv/mem hv/con hv/shell arch/x86_64/emul arch/x86_64/mmu
PURE_FILES := boot/boot_info.c boot/memory_map.c boot/last_log.c boot/mb2/mb2_convert.c arch/x86_64/cpu/preflight.c boot/uefi/elf_image.c
PURE_FILES += arch/x86_64/cpu/calibrate.c arch/x86_64/cpu/speculation.c $(wildcard drivers/acpi*.c)
PURE_FILES += drivers/uart.c drivers/fb.c drivers/font.c drivers/i8042.c drivers/scancode.c hv/terminals.c hv/monitor_policy.c
PURE_FILES += arch/x86_64/vt/policy.c
PURE_FILES += hv/vm/cpuid.c $(wildcard arch/x86_64/vmx/entry_check*.c arch/x86_64/svm/entry_check*.c)
PURE_FILES += $(wildcard hv/trace/explain*.c)
PURE_FILES += hv/vm/access.c hv/vm/delivery.c hv/vm/exit_cause.c hv/vm/exit_detail.c hv/vm/exit_info.c hv/vm/fetch.c hv/vm/look.c hv/vm/postmortem.c hv/vm/linear.c hv/vm/task_segment.c hv/vm/task_switch.c hv/vm/watch.c
PURE_FILES += hv/vm/emulate.c hv/vm/exit_cr.c hv/vm/exit_descriptor.c hv/vm/exit_dr.c hv/vm/exit_flags.c hv/vm/exit_tlb.c hv/vm/lab.c hv/vm/operand.c
PURE_C := $(PURE_FILES) $(filter-out hv/lib/str.c hv/part/create.c hv/part/start.c hv/part/life.c hv/part/control.c, $(sort $(foreach d,$(PURE_DIRS),$(wildcard $d/*.c))))
SANITIZERS := $(if $(COVERAGE),,-fsanitize=address,undefined -fno-sanitize-recover=all)
TEST_CFLAGS := -std=gnu11 -D_DEFAULT_SOURCE -DLOCK_ORDER_CHECKED=1 -O1 -g -I. -I$(B)/gen $(SANITIZERS) $(if $(COVERAGE),-w,$(WARN))
PURE_O := $(PURE_C:%.c=$(B)/host/%.o)
SCRIPT_TESTS := $(sort $(wildcard tests/unit/scripts/test_*.py))
TESTS := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(shell find tests/unit -name 'test_*.c')))

$(B)/host/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(TEST_CFLAGS) $(COVER_CFLAGS) -MMD -MP -c $< -o $@
TEST_LIBS_test_decode_zydis := -lZydis
$(B)/host/libpure.a: $(PURE_O) Makefile # which files there are
	@rm -f $@; ar rcs $@ $(PURE_O)
$(B)/unit/%: $(B)/host/tests/unit/%.o $(B)/host/tests/unit/test.o $(B)/host/libpure.a
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZERS) $(COVER_LDFLAGS) $(filter-out %.a,$^) $(B)/host/libpure.a $(TEST_LIBS_$(notdir $@)) -o $@

.PHONY: unit check clean size
.SECONDARY:
include tests/fuzz/rules.mk
## unit                  unit tests, on the host
unit: $(TESTS)
	@scripts/run-unit-tests $(TESTS) $(SCRIPT_TESTS) $(FUZZ_TESTS)

# docs/explain.md, from the table that it is compared with.
.PHONY: explain-page
explain-page: $(B)/unit/hv/trace/test_explain
	$(Q)EXPLAIN_WRITE=1 $<

# ---- checks that need no emulator -----------------------------------------------------------------------------------
# Each header compiles alone, with gcc and clang; each C file passes clang's warnings, too.
ALONE_CFLAGS = -fsyntax-only $(filter-out -fno-tree-loop-distribute-patterns $(INDIRECT_gcc) $(INDIRECT_clang),$(filter-out -isystem $(shell $(CC) -print-file-name=include),$(HV_CFLAGS)))
HV_H := $(filter-out boot/uefi/%,$(sort $(shell find $(HV_DIRS) boot -name '*.h')))
CLANG_INCLUDE = $(shell clang -print-resource-dir)/include
CHECKED := $(HV_H:%=$(B)/alone/%.ok) $(HV_C:%=$(B)/clang/%.ok)

$(B)/alone/%.h.ok: %.h
	@mkdir -p $(@D)
	@$(call say,HEADER,$<)
	$(Q)gcc $(ALONE_CFLAGS) -isystem $(shell gcc -print-file-name=include) -MMD -MP -MT $@ -MF $(@:.ok=.d) -x c -include $< /dev/null
	$(Q)clang $(ALONE_CFLAGS) -isystem $(CLANG_INCLUDE) -x c -include $< /dev/null
	@touch $@
$(B)/clang/%.c.ok: %.c
	@mkdir -p $(@D)
	@$(call say,CLANG,$<)
	$(Q)clang $(ALONE_CFLAGS) -isystem $(CLANG_INCLUDE) -MMD -MP -MT $@ -MF $(@:.ok=.d) $<
	@touch $@

checked: $(CHECKED)

# What compilers do not say: clang's analyzer and sparse for each file, cppcheck for all of them. cppcheck cannot read
# attributes behind a pointer to a function; sparse warns of each constant cut by a cast, which -Wconversion does better.
# The analyzer sees one file at a time; what it cannot know is switched off for that file:
$(B)/lint/hv/part/load_bzimage.c.ok: ANALYZER_OFF := core.uninitialized.Branch core.CallAndMessage # load_fail() returns no LOAD_OK
$(B)/lint/hv/part/create.c.ok: ANALYZER_OFF := core # config_check.c leaves no partition without a CPU
$(B)/lint/hv/vm/emulate.c.ok: ANALYZER_OFF := core.UndefinedBinaryOperatorResult # fetch() fills what it returns the length of
$(B)/lint/hv/mem/gmem.c.ok: ANALYZER_OFF := unix.cstring.NullArg core.NullDereference # extents is NULL only while count and capacity are 0
LINTED := $(HV_C:%=$(B)/lint/%.ok)
$(B)/lint/%.c.ok: %.c
	@mkdir -p $(@D)
	@$(call say,LINT,$<)
	$(Q)clang --analyze -Xclang -analyzer-output=text -Xclang -analyzer-werror \
	  $(ANALYZER_OFF:%=-Xclang -analyzer-disable-checker -Xclang %) $(filter-out -fsyntax-only -W%,$(ALONE_CFLAGS)) \
	  -isystem $(CLANG_INCLUDE) -MMD -MP -MT $@ -MF $(@:.ok=.d) -o /dev/null $<
	$(Q)sparse -std=gnu11 -m64 -Wall -Wno-cast-truncate -Wno-decl -Wsparse-error $(filter -D%,$(HV_CFLAGS)) -I. -I$(B)/gen -isystem $(shell gcc -print-file-name=include) $<
	@touch $@
## lint                  clang's analyzer, sparse, cppcheck
lint: setup
	@+$(MAKE) --no-print-directory $(GEN) $(B)/gen/hv/part/dsdt.h
	@+$(MAKE) --no-print-directory $(LINTED)
	@mkdir -p $(B)/lint/cppcheck
	cppcheck -q --enable=warning,portability,performance --error-exitcode=1 --std=c11 $(filter -D%,$(HV_CFLAGS)) -I. -I$(B)/gen '-D__attribute__(x)=' \
	  --suppressions-list=scripts/cppcheck.txt --cppcheck-build-dir=$(B)/lint/cppcheck $(HV_C)

## reproducible          the same source in another folder gives the same bytes
reproducible: all
	+scripts/reproducible $(B)

.PHONY: checked layers branches lint reproducible setup guests image run test bench
layers: $(HV_O)
	$(Q)scripts/layers $(B)
	$(Q)scripts/vendors
branches: $(B)/trapeze.debug
	$(Q)scripts/branches $<
setup:
	@SETUP=$(SETUP) scripts/setup
## check                 build, compile with clang, layers, unit tests: no emulator
check: setup
	@+$(MAKE) --no-print-directory all checked layers branches unit

# ---- images, emulators, tests ---------------------------------------------------------------------------------------
CONFIG ?= configs/default.cfg
IMAGE ?= $(B)/trapeze.img
EMU ?= auto
SETUP ?= yes
JOBS ?= 2
CPU ?=
RUN_OPTIONS ?= --cpus 2 --mem 1024 $(if $(CPU),--cpu-model $(CPU))

# What the default configuration's partitions run; guests/ and tests/guests/ add our own small guests.
GUESTS := $(B)/guests/vmlinuz $(B)/guests/memtest86+x64.bin $(B)/guests/initrd.gz
-include guests/rules.mk
-include tests/guests/rules.mk
guests: $(GUESTS)
	@:
$(B)/guests/vmlinuz $(B)/guests/memtest86+x64.bin &:
	scripts/fetch-guests
$(B)/guests/initrd.gz: scripts/make-initrd
	$(Q)scripts/make-initrd $@
-include tests/guests/compat.mk

# A configuration that names files of build/guests has them made, too.
## image                 a bootable image: CONFIG=FILE IMAGE=OUT
image: setup
	@+$(MAKE) --no-print-directory all $(if $(shell grep -s build/guests '$(CONFIG)'),guests)
	scripts/mkimage $(CONFIG) $(IMAGE)

# On a terminal: interactive. Without one: the demo to its end (tests/emu/demo.expect).
## run                   boot it: EMU=bochs|qemu CPU=model CONFIG=FILE
run: image
	@if [ -t 0 ] && [ -t 1 ]; then scripts/emu --emu $(EMU) --image $(IMAGE) $(RUN_OPTIONS); \
	else scripts/demo $(IMAGE) $(EMU) $(RUN_OPTIONS); fi

## test                  unit and boot tests: JOBS=2
test: setup
	@+$(MAKE) --no-print-directory all guests
	@+$(MAKE) --no-print-directory all DEBUG=1
	@$(MAKE) --no-print-directory -s unit >$(B)/unit.log; cat $(B)/unit.log
	scripts/run-boot-tests --jobs $(JOBS) --after $(B)/unit.log

# Hostile guests beside a witness: SEEDS of them from SEED on, on BACKEND=vmx, svm (both on Bochs; default) or svm-qemu.
SEEDS ?= 20
SEED ?= 1
BACKEND ?=
HOSTILE_OPTIONS ?=
## hostile               hostile guests beside a witness: SEEDS=20 SEED=1 BACKEND=vmx|svm|svm-qemu
.PHONY: hostile
hostile: setup
	@+$(MAKE) --no-print-directory all guests
	scripts/hostile --seeds '$(SEEDS)' --seed '$(SEED)' $(BACKEND:%=--backend %) --jobs $(JOBS) $(HOSTILE_OPTIONS)

# Named faults, each shown to be contained: tests/faults/*.faults. On BACKEND=vmx or svm (both on Bochs), svm-qemu or host
# (unit tests), default all; FAULT=words only those with these in their names.
FAULT ?=
## faults                named faults are contained: FAULT=words BACKEND=...|host
.PHONY: faults
faults: setup
	@+$(MAKE) --no-print-directory all guests $(TESTS)
	scripts/faults $(BACKEND:%=--backend %) $(if $(FAULT),--fault '$(FAULT)') --jobs $(JOBS)

# Lines and branches of the hypervisor that unit and boot tests reach; TEST=regex: only these boot tests.
TEST ?=
COVERAGE_OPTIONS ?=
## coverage              lines and branches that the tests reach: TEST=regex
.PHONY: coverage
coverage: setup
	@+$(MAKE) --no-print-directory all guests
	@+$(MAKE) --no-print-directory build/coverage/trapeze.elf COVERAGE=1
	scripts/coverage --tests '$(TEST)' --jobs $(JOBS) $(COVERAGE_OPTIONS)

# docs/testing.md: what runs where, from the tests' own lines. (`make unit` compares.)
.PHONY: boot-table
boot-table:
	$(Q)scripts/run-boot-tests --write-table docs/testing.md

## bench                 what each kind of exit costs
bench: setup
	@+$(MAKE) --no-print-directory all guests
	scripts/bench

# What each sensitive instruction does, bare and as a guest: guests/lab-pg/README.md. Renews docs/lab/table-*.md.
## lab-pg                what each sensitive instruction does, bare and as a guest
.PHONY: lab-pg
lab-pg: setup
	@+$(MAKE) --no-print-directory all $(B)/guests/lab-pg.elf
	scripts/lab-pg

# lab-N, grade-N: the exercises of docs/lab/README.md.
include tests/lab/rules.mk

## size                  how large the source and the image are
size: $(B)/trapeze.debug
	@scripts/size
	@size $<

## clean                 remove build/
clean:
	rm -rf $(B)

## help                  this list
.PHONY: help
help:
	@sed -n 's/^## //p' Makefile tests/fuzz/rules.mk tests/lab/rules.mk

-include $(EFI_C:%.c=$(B)/efi/%.d) $(HV_C:%.c=$(B)/hv/%.d) $(HV_ASM:%.asm=$(B)/hv/%.asm.d) $(PURE_C:%.c=$(B)/host/%.d) $(TESTS:$(B)/unit/%=$(B)/host/tests/unit/%.d) $(GEN:.inc=.d) $(CHECKED:.ok=.d) $(LINTED:.ok=.d)
