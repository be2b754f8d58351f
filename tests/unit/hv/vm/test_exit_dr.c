/* MOV to and from debug registers, where it exits, in the order of the CPU's checks. */
#include <string.h>
#include "arch/x86_64/isa/cr.h"
#include "arch/x86_64/isa/exception.h"
#include "arch/x86_64/isa/msr.h"
#include "hv/vm/exits.h"
#include "hv/vm/operand.h"
#include "tests/unit/test.h"

struct vt_ops vt;
static uint64_t field[VT_FIELD_COUNT];
static struct vt_vcpu cpu;
static struct partition part;
static struct vcpu vcpu = { .vt = &cpu, .part = &part };
static struct insn insn;
static unsigned faults, skips, retries;
static uint8_t vector;

static uint64_t get(struct vt_vcpu *v, enum vt_field f) { return field[f]; }
static void set(struct vt_vcpu *v, enum vt_field f, uint64_t value) { field[f] = value; }
static void skip(struct vt_vcpu *v) { skips++; }
const struct insn *operand_decode(struct vcpu *v) { return &insn; }
enum vcpu_next operand_retry(struct vcpu *v) { retries++; return VCPU_RESUME; }

void vcpu_exception(struct vcpu *v, uint8_t which, bool has_error, uint32_t error)
{
    vector = which;
    faults++;
}

static void start(void)
{
    vt = (struct vt_ops){ .get = get, .set = set, .skip = skip };
    memset(field, 0, sizeof field);
    memset(&cpu, 0, sizeof cpu);
    field[VT_EFER] = EFER_LMA | EFER_LME;
    field[VT_ACCESS + VT_CS] = VT_ACCESS_P | VT_ACCESS_L;
    field[VT_DR7] = DR7_RESET;
    faults = skips = retries = 0;
}

static void move(unsigned number, unsigned gpr, bool read)
{
    const struct vt_exit exit = { .kind = VT_EXIT_DR_ACCESS, .dr = { (uint8_t)number, (uint8_t)gpr, read } };
    (void)exit_dr_access(&vcpu, &exit);
}

static bool raised(uint8_t which)
{
    return faults == 1 && vector == which && !skips && !retries;
}

TEST(each_register_is_written_and_read)
{
    for (unsigned n = 0; n < 4; n++) {
        start();
        cpu.gpr[VT_RBX] = 0x1000 + n;
        move(n, VT_RBX, false);
        move(n, VT_RCX, true);
        CHECK(skips == 2 && !faults && cpu.gpr[VT_RCX] == 0x1000 + n);
    }
}

TEST(registers_from_dr8_on_do_not_exist)
{
    for (unsigned n = 8; n < 16; n++)
        for (unsigned read = 0; read < 2; read++) {
            start();
            move(n, VT_RBX, read);
            CHECK(raised(EXC_UD));
            start();
            field[VT_ACCESS + VT_SS] = 0x60; /* before the check of the CPL */
            move(n, VT_RBX, read);
            CHECK(raised(EXC_UD));
        }
}

TEST(dr4_and_dr5_are_others_names_without_debug_extensions_only)
{
    start();
    cpu.gpr[VT_RBX] = DR6_RESET | DR6_BS;
    move(4, VT_RBX, false);
    CHECK(skips == 1 && field[VT_DR6] == (DR6_RESET | DR6_BS));
    field[VT_CR4] = CR4_DE;
    skips = 0;
    move(4, VT_RBX, true);
    CHECK(raised(EXC_UD));
}

TEST(user_code_and_guarded_registers_are_refused)
{
    start();
    field[VT_ACCESS + VT_SS] = 0x60;
    move(0, VT_RBX, true);
    CHECK(raised(EXC_GP));
    start();
    field[VT_DR7] |= DR7_GD;
    move(0, VT_RBX, true);
    CHECK(raised(EXC_DB) && (field[VT_DR6] & DR6_BD) && !(field[VT_DR7] & DR7_GD));
    start();
    cpu.gpr[VT_RBX] = UINT64_C(1) << 32;
    move(7, VT_RBX, false);
    CHECK(raised(EXC_GP));
}

TEST(a_register_that_the_hardware_does_not_tell_is_the_instructions_if_it_is_still_the_same)
{
    start();
    insn = (struct insn){ .op = INSN_MOV_TO_DR, .reg = 1, .rm = VT_RDX };
    cpu.gpr[VT_RDX] = 0x5000;
    move(1, VT_GPR_COUNT, false);
    CHECK(skips == 1 && field[VT_DR1] == 0x5000);
    move(2, VT_GPR_COUNT, false); /* of another register */
    move(1, VT_GPR_COUNT, true);  /* the other way */
    insn.op = INSN_NOP;
    move(1, VT_GPR_COUNT, false);
    CHECK(retries == 3 && skips == 1 && !faults);
}
