#include "arch/x86_64/emul/show.h"
#include "tests/unit/test.h"

#include <string.h>

static bool shows(enum insn_mode mode, const char *expected, const uint8_t *bytes)
{
    struct insn in;
    char text[INSN_TEXT_SIZE];
    if (insn_decode(&in, bytes, 15, mode) != INSN_OK)
        return false;
    insn_show(&in, 0x1000, text, sizeof text);
    if (strcmp(text, expected))
        printf("  \"%s\", expected \"%s\"\n", text, expected);
    return !strcmp(text, expected);
}

#define SHOWS(mode, text, ...) CHECK(shows(INSN_MODE_##mode, text, (const uint8_t[16]){ __VA_ARGS__ }))

TEST(moves_are_shown_with_their_addresses)
{
    SHOWS(64, "mov eax, [0xfee00020]", 0x67, 0xa1, 0x20, 0, 0xe0, 0xfe);
    SHOWS(32, "mov eax, [0xfee00020]", 0xa1, 0x20, 0, 0xe0, 0xfe);
    SHOWS(64, "mov eax, [rbx+0xb0]", 0x8b, 0x83, 0xb0, 0, 0, 0);
    SHOWS(64, "mov [r8+rcx*4-0x10], r9d", 0x45, 0x89, 0x4c, 0x88, 0xf0);
    SHOWS(64, "mov qword [rdi], 0xffffffffffffffff", 0x48, 0xc7, 0x07, 0xff, 0xff, 0xff, 0xff);
    SHOWS(64, "mov eax, [0x2000]", 0x8b, 0x05, 0xfa, 0x0f, 0, 0);
    SHOWS(64, "mov ah, [gs:0x10]", 0x65, 0x8a, 0x24, 0x25, 0x10, 0, 0, 0);
    SHOWS(16, "mov ax, [bp+si+0x5]", 0x8b, 0x42, 5);
    SHOWS(64, "movzx eax, word [rdx]", 0x0f, 0xb7, 0x02);
    SHOWS(64, "mov cr3, rax", 0x0f, 0x22, 0xd8);
    SHOWS(64, "mov rbx, dr7", 0x0f, 0x21, 0xfb);
    SHOWS(64, "mov word [rbx], ds", 0x8c, 0x1b);
    SHOWS(64, "movups xmm1, [rsp]", 0x0f, 0x10, 0x0c, 0x24);
}

TEST(prefixes_conditions_and_sizes_are_shown)
{
    SHOWS(64, "lock or dword [rbx], 5", 0xf0, 0x83, 0x0b, 5);
    SHOWS(64, "rep movsd", 0xf3, 0xa5);
    SHOWS(64, "repne scasb", 0xf2, 0xae);
    SHOWS(64, "repe cmpsq", 0xf3, 0x48, 0xa7);
    SHOWS(64, "setne byte [rax]", 0x0f, 0x95, 0);
    SHOWS(64, "cmovg ecx, [rax]", 0x0f, 0x4f, 0x08);
    SHOWS(64, "shl dword [rax], cl", 0xd3, 0x20);
    SHOWS(64, "in al, dx", 0xec);
    SHOWS(64, "out 0x80, al", 0xe6, 0x80);
    SHOWS(64, "cmpxchg16b oword [rdi]", 0x48, 0x0f, 0xc7, 0x0f);
    SHOWS(64, "push r12", 0x41, 0x54);
    SHOWS(64, "cpuid", 0x0f, 0xa2);
}

TEST(a_short_buffer_gets_a_terminated_beginning)
{
    struct insn in;
    char text[8];
    CHECK_EQ(insn_decode(&in, (const uint8_t[]){ 0x8b, 0x43, 8 }, 3, INSN_MODE_64), INSN_OK);
    for (size_t size = 1; size <= sizeof text; size++) {
        memset(text, 'x', sizeof text);
        insn_show(&in, 0, text, size);
        CHECK_EQ(strlen(text), size - 1);
        CHECK(!strncmp(text, "mov eax, [rbx+0x8]", size - 1));
    }
}
