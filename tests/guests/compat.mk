# 32-bit guests that check what kernels of that kind expect: tests/guests/compat_NAME.asm into build/tests/compat_NAME.bin.
COMPAT_GUESTS := $(patsubst tests/guests/%.asm,$(B)/tests/%.bin,$(wildcard tests/guests/compat_*.asm))
$(COMPAT_GUESTS): $(B)/tests/%.bin: tests/guests/%.asm tests/guests/compat_lib.inc tests/guests/compat_end.inc
	@mkdir -p $(@D)
	@$(call say,NASM,$<)
	$(Q)nasm -f bin -Wall -Werror -I tests/guests/ $< -o $@
guests: $(COMPAT_GUESTS)
