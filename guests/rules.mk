# Our own small guests: source in guests/NAME/, made into build/guests/NAME.elf (Multiboot 1) or NAME.bin (flat 16-bit).
# They include nothing of the hypervisor's. guests/README.md lists them.
OWN_GUESTS := ticks intruder leak bench controls lab-pg witness hostile exercise
GUEST_CFLAGS := -std=gnu11 -O2 -ffreestanding -nostdinc -isystem $(shell $(CC) -print-file-name=include) -Iguests \
  -mgeneral-regs-only -mno-red-zone -mcmodel=small -fno-pic -fno-pie -fno-stack-protector -fno-strict-aliasing \
  -fno-asynchronous-unwind-tables -fcf-protection=none -ffunction-sections -Wall -Wextra -Wshadow -Werror \
  $(filter -fno-tree-loop-distribute-patterns -fno-builtin,$(HV_CFLAGS))
GUEST_LIB := $(patsubst %,$(B)/guests/obj/%.o,$(wildcard guests/lib/*.c guests/lib/*.asm))

# $(call guest_objects,NAME)
guest_objects = $(patsubst %,$(B)/guests/obj/%.o,$(wildcard guests/$1/*.c guests/$1/*.asm)) $(GUEST_LIB)

$(B)/guests/obj/%.c.o: %.c
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_CFLAGS) $(GUEST_DEFINES) -MMD -MP -c $< -o $@
$(B)/guests/obj/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(Q)nasm -f elf64 -Wall -Werror -MD $(@:.o=.d) -MP $< -o $@

# A Multiboot 1 loader wants a 32-bit ELF; the 64-bit code inside does not mind.
$(B)/guests/obj/%.elf64: guests/lib/guest.ld
	@$(call say,LINK,$(@:obj/%.elf64=%.elf))
	$(Q)ld -nostdlib -static -T guests/lib/guest.ld -z noexecstack --gc-sections --build-id=none --no-warn-rwx-segments $(filter %.o,$^) -o $@
$(B)/guests/%.elf: $(B)/guests/obj/%.elf64
	$(Q)objcopy -O elf32-i386 --strip-all $< $@
	$(Q)grub-file --is-x86-multiboot $@
.SECONDEXPANSION:
$(OWN_GUESTS:%=$(B)/guests/obj/%.elf64): $(B)/guests/obj/%.elf64: $$(call guest_objects,$$*)

# The witness looks at the same registers as leak does.
$(B)/guests/obj/witness.elf64: $(addprefix $(B)/guests/obj/guests/leak/,registers.c.o extended.c.o spin.asm.o)

# The leak test must be able to fail: this variant expects a wrong value of every state.
$(B)/guests/obj/wrong/%.c.o: GUEST_DEFINES := -DEXPECT_WRONG=1
$(B)/guests/obj/wrong/%.c.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(GUEST_CFLAGS) $(GUEST_DEFINES) -MMD -MP -c $< -o $@
$(B)/guests/obj/leak-wrong.elf64: $(B)/guests/obj/wrong/guests/leak/leak.c.o $(filter-out %leak.c.o,$(call guest_objects,leak))

$(B)/guests/climb.bin: guests/climb/climb.asm
	@mkdir -p $(@D)
	@$(call say,NASM,$<)
	$(Q)nasm -f bin -Wall -Werror $< -o $@

GUESTS += $(B)/guests/climb.bin $(OWN_GUESTS:%=$(B)/guests/%.elf) $(B)/guests/leak-wrong.elf
-include $(wildcard $(B)/guests/obj/guests/*/*.d $(B)/guests/obj/wrong/guests/*/*.d)
