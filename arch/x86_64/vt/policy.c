#include "arch/x86_64/vt/policy.h"
#include "arch/x86_64/isa/exception.h"
#include "hv/lib/str.h"
#include "hv/lib/suggest.h"

#define EXCEPTION(vector, name, text) \
    [VT_CONTROL_EXCEPTION + EXC_##vector] = { name, text, "exception bitmap", "exception intercepts" }

static const struct vt_control_text texts[VT_CONTROLS] = {
#define CONTROL_TEXT(control, name, what, vmx, svm) [VT_CONTROL_##control] = { name, what, vmx, svm },
    VT_CONTROL_LIST(CONTROL_TEXT)
#undef CONTROL_TEXT
    EXCEPTION(DE, "de", "#DE: divide error"),
    EXCEPTION(DB, "db", "#DB: debug exception"),
    EXCEPTION(BP, "bp", "#BP: INT3"),
    EXCEPTION(OF, "of", "#OF: INTO"),
    EXCEPTION(BR, "br", "#BR: BOUND range exceeded"),
    EXCEPTION(UD, "ud", "#UD: invalid opcode"),
    EXCEPTION(NM, "nm", "#NM: device not available"),
    EXCEPTION(DF, "df", "#DF: double fault"),
    EXCEPTION(TS, "ts", "#TS: invalid TSS"),
    EXCEPTION(NP, "np", "#NP: segment not present"),
    EXCEPTION(SS, "ss", "#SS: stack-segment fault"),
    EXCEPTION(GP, "gp", "#GP: general protection"),
    EXCEPTION(PF, "pf", "#PF: page fault"),
    EXCEPTION(MF, "mf", "#MF: x87 floating-point error"),
    EXCEPTION(AC, "ac", "#AC: alignment check"),
    EXCEPTION(MC, "mc", "#MC: machine check"),
    EXCEPTION(XM, "xm", "#XM: SIMD floating-point exception"),
};

const struct vt_control_text *vt_control_text(unsigned control)
{
    return control < VT_CONTROLS && texts[control].name ? &texts[control] : NULL;
}

bool vt_policy_word(const char *word, size_t len, uint64_t *controls)
{
    static const struct { const char *name; uint64_t controls; } groups[] = {
        { "min", VT_POLICY_MIN }, { "max", VT_POLICY_MAX }, { "all", VT_POLICY_MAX },
        { "exceptions", ~UINT64_C(0) << VT_CONTROL_EXCEPTION },
    };
    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        if (str_is(groups[i].name, word, len)) {
            *controls = groups[i].controls;
            return true;
        }
    for (unsigned i = 0; i < VT_CONTROLS; i++)
        if (texts[i].name && str_is(texts[i].name, word, len)) {
            *controls = UINT64_C(1) << i;
            return true;
        }
    return false;
}

const char *vt_policy_nearest(const char *word, size_t len)
{
    const char *near = NULL;
    unsigned best = suggest_limit(len) + 1;
    for (unsigned i = 0; i < VT_CONTROLS; i++) {
        unsigned d = texts[i].name ? suggest_distance(word, len, texts[i].name) : SUGGEST_FAR;
        if (d < best) {
            best = d;
            near = texts[i].name;
        }
    }
    return near;
}
