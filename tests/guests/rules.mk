# Test guests: NAME.asm with lib/real16.inc is a flat 16-bit image, with lib/long64.inc a 64-bit ELF; into build/tests/.
TEST_GUESTS16 := $(patsubst tests/guests/%.asm,$(B)/tests/%.bin,$(shell grep -l real16.inc tests/guests/*.asm))
TEST_GUESTS64 := $(patsubst tests/guests/%.asm,$(B)/tests/%.elf,$(shell grep -l long64.inc tests/guests/*.asm))

$(TEST_GUESTS16): $(B)/tests/%.bin: tests/guests/%.asm $(wildcard tests/guests/lib/*)
	@mkdir -p $(@D)
	@$(call say,NASM,$<)
	$(Q)nasm -f bin -Wall -Werror -I tests/guests/ $< -o $@
$(TEST_GUESTS64): $(B)/tests/%.elf: tests/guests/%.asm $(wildcard tests/guests/lib/*)
	@mkdir -p $(@D)
	@$(call say,NASM,$<)
	$(Q)nasm -f elf64 -Wall -Werror -I tests/guests/ $< -o $(@:.elf=.o)
	$(Q)ld -nostdlib -static -N -Ttext=0x100000 --no-warn-rwx-segments -e start $(@:.elf=.o) -o $@

# Multiboot 1 in a 32-bit ELF, Multiboot 2 in a 64-bit one.
$(B)/tests/multiboot1.elf: NASM_FORMAT := elf32
$(B)/tests/multiboot1.elf: LD_FORMAT := elf_i386
$(B)/tests/multiboot2.elf: NASM_FORMAT := elf64
$(B)/tests/multiboot2.elf: LD_FORMAT := elf_x86_64
$(B)/tests/multiboot1.elf $(B)/tests/multiboot2.elf: $(B)/tests/%.elf: tests/guests/%.asm tests/guests/lib/multiboot.inc
	@mkdir -p $(@D)
	@$(call say,NASM,$<)
	$(Q)nasm -f $(NASM_FORMAT) -Wall -Werror -I tests/guests/ $< -o $(@:.elf=.o)
	$(Q)ld -m $(LD_FORMAT) -nostdlib -static -N -Ttext=0x100000 --no-warn-rwx-segments -e start $(@:.elf=.o) -o $@

GUESTS += $(TEST_GUESTS16) $(TEST_GUESTS64) $(B)/tests/multiboot1.elf $(B)/tests/multiboot2.elf

# Files that are not what they seem.
$(B)/tests/truncated: $(B)/guests/vmlinuz
	@mkdir -p $(@D)
	$(Q)head -c 100000 $< >$@
$(B)/tests/truncated.elf: $(B)/tests/triple_fault.elf
	$(Q)head -c 100 $< >$@
$(B)/tests/garbage:
	@mkdir -p $(@D)
	$(Q)printf 'this is no kernel%.0s\n' {1..100} >$@

GUESTS += $(addprefix $(B)/tests/,truncated truncated.elf garbage)
