/* libFuzzer harness (make fuzz-decode): any bytes, in every mode, are decoded like Zydis does, shown within bounds and
 * executed against a bus that sometimes fails. The first byte chooses failures; the rest is code. */
#include "arch/x86_64/emul/exec.h"
#include "arch/x86_64/emul/show.h"

#include <stdlib.h>
#include <string.h>
#include <Zydis/Zydis.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t failures;

static enum exec_access may_fail(void)
{
    failures = (uint8_t)(failures << 1 | failures >> 7);
    return (failures & 7) == 5 ? EXEC_ACCESS_FAULT : (failures & 7) == 6 ? EXEC_ACCESS_RETRY : EXEC_ACCESS_OK;
}

static enum exec_access fuzz_read(void *ctx, uint64_t linear, unsigned size, enum exec_intent intent, uint64_t *value,
                                  struct exec_fault *fault)
{
    (void)ctx, (void)intent, (void)fault;
    memset(value, (int)(linear & 0xff), size);
    return may_fail();
}

static enum exec_access fuzz_write(void *ctx, uint64_t linear, unsigned size, const uint64_t *value,
                                   struct exec_fault *fault)
{
    (void)ctx, (void)linear, (void)fault;
    if (size < 8 && value[0] >> (8 * size))
        abort();                                 /* promised to be zero above the size */
    return may_fail();
}

static enum exec_access fuzz_in(void *ctx, uint16_t port, unsigned size, uint32_t *value, struct exec_fault *fault)
{
    (void)ctx, (void)fault;
    *value = port * 0x01010101u;
    return size <= 4 ? may_fail() : (abort(), EXEC_ACCESS_FAULT);
}

static enum exec_access fuzz_out(void *ctx, uint16_t port, unsigned size, uint32_t value, struct exec_fault *fault)
{
    (void)ctx, (void)port, (void)value, (void)fault;
    return size <= 4 ? may_fail() : (abort(), EXEC_ACCESS_FAULT);
}

static const struct exec_bus bus = { .read = fuzz_read, .write = fuzz_write, .in = fuzz_in, .out = fuzz_out };

static void execute(const struct insn *in)
{
    uint64_t gpr[16], before[16];
    for (unsigned i = 0; i < 16; i++)
        before[i] = gpr[i] = i * UINT64_C(0x10203040506) + failures;
    struct exec_cpu cpu = { .gpr = gpr, .rip = 0x1000, .rflags = 2, .budget = 4, .protected_mode = failures & 1,
                            .linear_bits = 48 };
    for (int i = 0; i < INSN_SEG_COUNT; i++)
        cpu.seg[i] = (struct exec_seg){ .limit = UINT32_MAX, .rights = 0xc093 };
    enum exec_status status = insn_execute(in, &cpu, &bus);
    bool unchanged = cpu.rip == 0x1000 && cpu.rflags == 2 && !memcmp(gpr, before, sizeof gpr);
    bool repeats = in->form == INSN_FORM_STRING && (in->flags & (INSN_REP | INSN_REPNE));
    if (status == EXEC_DONE ? cpu.rip == 0x1000 : !repeats && !unchanged)
        abort();
}

static void decode(const uint8_t *bytes, size_t size, enum insn_mode mode)
{
    static const ZydisMachineMode modes[] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
                                              ZYDIS_MACHINE_MODE_LONG_64 };
    static const ZydisStackWidth widths[] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64 };
    ZydisDecoder decoder;
    ZydisDecodedInstruction z;
    struct insn in;
    char text[INSN_TEXT_SIZE];
    ZydisDecoderInit(&decoder, modes[mode], widths[mode]);
    enum insn_status status = insn_decode(&in, bytes, size, mode);
    if (status == INSN_UNSUPPORTED)
        return;
    bool theirs = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, NULL, bytes, size, &z));
    if (theirs != (status == INSN_OK) || (theirs && z.length != in.length))
        abort();
    if (status != INSN_OK)
        return;
    insn_show(&in, 0x1000, text, sizeof text);
    if (strlen(text) >= sizeof text - 1)
        abort();
    execute(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    for (int mode = INSN_MODE_16; mode <= INSN_MODE_64; mode++) {
        failures = data[0];
        decode(data + 1, size - 1, (enum insn_mode)mode);
    }
    return 0;
}
