#include "arch/x86_64/cpu/backtrace.h"
#include "arch/x86_64/cpu/fixup.h"
#include "arch/x86_64/cpu/image.h"
#include "arch/x86_64/cpu/symbols.h"
#include "hv/lib/fmt.h"
#include "hv/lib/log.h"

/* The last symbol at or below the address, NULL if there is none. */
static const struct symbol *symbol_find(uint64_t address)
{
    size_t low = 0, high = symbol_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (symbols[middle].addr <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &symbols[low - 1] : NULL;
}

static bool in_text(uint64_t address)
{
    return address >= (uint64_t)(uintptr_t)text_start && address < (uint64_t)(uintptr_t)text_end;
}

const char *backtrace_name(char *buf, size_t size, uint64_t address)
{
    const struct symbol *s = in_text(address) ? symbol_find(address) : NULL;
    if (s)
        fmt_print(buf, size, "%s+0x%lx", s->name, address - s->addr);
    else
        fmt_print(buf, size, "?");
    return buf;
}

static void frame_log(unsigned depth, uint64_t address, uint64_t lookup)
{
    char name[BACKTRACE_NAME_SIZE];
    log_emergency("  #%-2u %016lx %s", depth, address, backtrace_name(name, sizeof name, lookup));
}

static uint64_t frameless_caller(uint64_t rbp, uint64_t rsp)
{
    uint64_t top;
    if (rsp == 0 || rsp % 8 != 0 || rsp == rbp + 8 || !load64_safe((const void *)(uintptr_t)rsp, &top) || !in_text(top))
        return 0;
    return top;
}

void backtrace_take(struct backtrace *out, uint64_t rip, uint64_t rbp, uint64_t rsp)
{
    *out = (struct backtrace){ .count = 1, .address = { rip }, .frameless = frameless_caller(rbp, rsp) };
    while (out->count < BACKTRACE_FRAMES && rbp != 0 && rbp % 8 == 0) {
        uint64_t caller_rbp, return_address;
        if (!load64_safe((const void *)(uintptr_t)rbp, &caller_rbp) ||
            !load64_safe((const void *)(uintptr_t)(rbp + 8), &return_address) || return_address == 0)
            return;
        out->address[out->count++] = return_address;
        if (caller_rbp <= rbp && caller_rbp != 0) {
            out->broken_at = caller_rbp;
            return;
        }
        rbp = caller_rbp;
    }
}

void backtrace_show(const struct backtrace *b)
{
    char name[BACKTRACE_NAME_SIZE];
    log_emergency("backtrace:");
    frame_log(0, b->address[0], b->address[0]);
    if (b->frameless)
        log_emergency("  #?  %016lx %s (on top of the stack)", b->frameless,
                      backtrace_name(name, sizeof name, b->frameless - 1));
    for (unsigned depth = 1; depth < b->count; depth++)
        frame_log(depth, b->address[depth], b->address[depth] - 1); /* a call may be its function's last instruction */
    if (b->broken_at)
        log_emergency("  the chain of frame pointers goes on at %016lx", b->broken_at);
}

void backtrace_log(uint64_t rip, uint64_t rbp, uint64_t rsp)
{
    struct backtrace b;
    backtrace_take(&b, rip, rbp, rsp);
    backtrace_show(&b);
}
