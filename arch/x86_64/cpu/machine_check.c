#include "arch/x86_64/cpu/machine_check.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/isa/cpuid.h"
#include "arch/x86_64/isa/msr.h"

static bool has_banks(void)
{
    return cpuid(CPUID_FEATURES, 0).edx & CPUID_1_EDX_MCA;
}

static unsigned bank_count(void)
{
    return (unsigned)(rdmsr(IA32_MCG_CAP) & MCG_CAP_COUNT);
}

void machine_check_log(void (*say)(const char *format, ...))
{
    if (!has_banks()) {
        say("machine check: this CPU has no banks to tell more");
        return;
    }
    say("machine check: MCG_STATUS %lx, %u banks", rdmsr(IA32_MCG_STATUS), bank_count());
    for (unsigned i = 0; i < bank_count(); i++) {
        uint64_t status = rdmsr(IA32_MC0_STATUS + 4 * i);
        if (status & MC_STATUS_VAL)
            say("  bank %u: status %016lx address %016lx", i, status,
                status & MC_STATUS_ADDRV ? rdmsr(IA32_MC0_ADDR + 4 * i) : 0);
    }
}

/* The CPU's own state is damaged, or uncorrected errors were lost, of which one may have said so. */
static bool is_fatal(uint64_t status)
{
    const uint64_t lost = MC_STATUS_UC | MC_STATUS_OVER;
    return (status & MC_STATUS_VAL) && ((status & MC_STATUS_PCC) || (status & lost) == lost);
}

bool machine_check_recover(void)
{
    if (!has_banks() || !(rdmsr(IA32_MCG_STATUS) & (MCG_STATUS_RIPV | MCG_STATUS_EIPV)))
        return false;
    for (unsigned i = 0; i < bank_count(); i++)
        if (is_fatal(rdmsr(IA32_MC0_STATUS + 4 * i)))
            return false;
    for (unsigned i = 0; i < bank_count(); i++)
        if (rdmsr(IA32_MC0_STATUS + 4 * i) & MC_STATUS_VAL)
            wrmsr(IA32_MC0_STATUS + 4 * i, 0);
    wrmsr(IA32_MCG_STATUS, 0);
    return true;
}
