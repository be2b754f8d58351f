/* Any bytes, in every mode, are decoded as Zydis decodes them, and shown within bounds.
 * covers: arch/x86_64/emul/decode.c arch/x86_64/emul/groups.c arch/x86_64/emul/maps.c arch/x86_64/emul/show.c
 * max_len: 17 */
#include "arch/x86_64/emul/show.h"
#include "tests/fuzz/fuzz.h"

#include <Zydis/Zydis.h>

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
    FUZZ_CHECK(theirs == (status == INSN_OK));
    FUZZ_CHECK(!theirs || z.length == in.length);
    if (status != INSN_OK)
        return;
    insn_show(&in, 0x1000, text, sizeof text);
    FUZZ_CHECK(strlen(text) < sizeof text - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int mode = INSN_MODE_16; mode <= INSN_MODE_64; mode++)
        decode(data, size, (enum insn_mode)mode);
    return 0;
}
