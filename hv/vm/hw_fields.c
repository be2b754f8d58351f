#include "hv/vm/hw_fields.h"

#include "hv/lib/fmt.h"
#include "hv/vm/dispatch.h"

#define MAX_FIELDS 256
#define LINE       80

/* The housekeeper's: the pCPU that is asked fills it while the housekeeper waits. */
static struct {
    unsigned count;
    struct vt_hw_field fields[MAX_FIELDS];
} seen;

struct printer {
    void (*line)(void *ctx, const char *text);
    void *ctx;
};

static void print(void *printer, const struct vt_hw_field *f)
{
    const struct printer *p = printer;
    char text[LINE];
    fmt_print(text, sizeof text, "  %4x %-48s %016lx", f->where, f->name, f->value);
    p->line(p->ctx, text);
}

static void note(void *ctx, const struct vt_hw_field *f)
{
    if (seen.count < MAX_FIELDS)
        seen.fields[seen.count++] = *f;
}

static void look(struct vcpu *v, void *ctx)
{
    seen.count = 0;
    vt.dump(v->vt, note, NULL);
}

bool hw_fields_print(struct vcpu *v, void (*line)(void *ctx, const char *text), void *ctx)
{
    struct printer p = { line, ctx };
    if (!dispatch_inspect(v, look, NULL))
        return false;
    for (unsigned i = 0; i < seen.count; i++)
        print(&p, &seen.fields[i]);
    return true;
}

void hw_fields_print_loaded(struct vcpu *v, void (*line)(void *ctx, const char *text), void *ctx)
{
    vt.dump(v->vt, print, &(struct printer){ line, ctx });
}
