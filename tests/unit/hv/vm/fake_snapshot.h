/* vt.snapshot of a scripted CPU whose registers are in an array by enum vt_field. */
#ifndef TESTS_UNIT_FAKE_SNAPSHOT_H
#define TESTS_UNIT_FAKE_SNAPSHOT_H

#include "arch/x86_64/vt/vt.h"

static inline void fake_snapshot(const uint64_t field[VT_FIELD_COUNT], struct vt_snapshot *out)
{
    *out = (struct vt_snapshot){
        .rip = field[VT_RIP], .rsp = field[VT_RSP_], .rflags = field[VT_RFLAGS], .cr0 = field[VT_CR0], .cr3 = field[VT_CR3],
        .cr4 = field[VT_CR4], .efer = field[VT_EFER], .cs = (uint32_t)field[VT_SELECTOR + VT_CS],
        .cs_mode = (uint32_t)field[VT_ACCESS + VT_CS] & (VT_ACCESS_P | VT_ACCESS_L | VT_ACCESS_DB),
        .cpl = VT_ACCESS_DPL((uint32_t)field[VT_ACCESS + VT_SS]),
    };
}

#endif
