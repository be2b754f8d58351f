/* What of an exit goes into its trace record: the third column of EXIT_ROWS. */
#include "hv/vm/exits.h"

/* Eight bytes from `member` on; the upper half is written again afterwards, from where it was. */
#define PLAIN(layout, member) { TRACE_INFO_##layout, offsetof(struct vt_vcpu, member), offsetof(struct vt_vcpu, member) + 4 }
/* Four bytes, and afterwards EAX. */
#define THEN_EAX(layout, member) { TRACE_INFO_##layout, offsetof(struct vt_vcpu, member), offsetof(struct vt_vcpu, gpr[VT_RAX]) }
#define REASON PLAIN(REASON, exit.kind)

HW_OFFSET(struct vt_exit, raw, 4);
HW_OFFSET(struct vt_io, in, 3);
_Static_assert(offsetof(struct vt_vcpu, exit) + sizeof(struct vt_exit) <= UINT8_MAX, "struct exit_info has bytes");

const struct exit_info exit_infos[VT_EXIT_KINDS] = {
#define EXIT_INFO(kind, handler, info) [VT_EXIT_##kind] = info,
    EXIT_ROWS(EXIT_INFO)
#undef EXIT_INFO
};
