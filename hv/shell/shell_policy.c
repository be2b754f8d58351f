/* `policy`: which exits one partition has beyond what is needed, and switching them. */
#include "arch/x86_64/vt/policy.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"
#include "hv/shell/shell_command.h"

static void show_table(struct shell *s, size_t partition)
{
    static const char *const states[] = { [SHELL_CONTROL_OFF] = "off", [SHELL_CONTROL_ON] = "on",
                                          [SHELL_CONTROL_ALWAYS] = "always", [SHELL_CONTROL_NONE] = "-" };
    struct shell_control c;
    bool shared = false;
    shell_line(s, "%-18s %-7s %13s %11s  %s", "CONTROL", "STATE", "EXITS", "TICKS/EXIT", "WHAT EXITS");
    for (unsigned n = 0; n < VT_CONTROLS; n++) {
        char exits[24] = "-", cost[24] = "-";
        if (!vt_control_text(n) || !s->ops->control_state(s->ops->ctx, partition, n, &c))
            continue;
        const struct vt_control_text *t = vt_control_text(n);
        if (c.state == SHELL_CONTROL_ON || c.state == SHELL_CONTROL_ALWAYS) {
            fmt_print(exits, sizeof exits, "%llu%s", (unsigned long long)c.exits, c.shared ? "*" : "");
            fmt_print(cost, sizeof cost, "%llu", (unsigned long long)(c.exits ? c.ticks / c.exits : 0));
            shared |= c.shared;
        }
        shell_line(s, "%-18s %-7s %13s %11s  %s", t->name, states[c.state], exits, cost, t->what);
    }
    shell_line(s, "always: Trapeze needs it. STATE -: not offered here.%s",
               shared ? " *: of the whole kind, such as all CR writes, to which others add." : "");
}

static void no_such_control(struct shell *s, const char *command, const char *text, size_t len)
{
    const char *near = vt_policy_nearest(text, len);
    if (near)
        shell_line(s, "%s: there is no exit control \"%.*s\": did you mean %s?", command, (int)len, text, near);
    else
        shell_line(s, "%s: there is no exit control \"%.*s\"; policy NAME lists them", command, (int)len, text);
}

/* One control by its name says why not; a group takes what there is. */
static const char *why_not_one(struct shell *s, size_t partition, uint64_t named, bool on)
{
    struct shell_control c;
    if (!named || named & (named - 1) || !s->ops->control_state(s->ops->ctx, partition, (unsigned)__builtin_ctzll(named), &c))
        return NULL;
    if (c.state == SHELL_CONTROL_ALWAYS)
        return on ? "is always on: Trapeze needs it" : "cannot be off: Trapeze needs it";
    return c.state == SHELL_CONTROL_NONE ? "is not there: this CPU has no such control, or Trapeze does not offer it" : NULL;
}

/* "rdtsc=on" into one of the two sets; false: it was refused, and said so. */
static bool take_setting(struct shell *s, const char *command, size_t partition, const char *text, size_t len, uint64_t *on,
                         uint64_t *off)
{
    size_t name = 0;
    uint64_t set;
    while (name < len && text[name] != '=')
        name++;
    const char *value = text + name + 1;
    size_t value_len = name < len ? len - name - 1 : 0;
    bool wanted = str_is("on", value, value_len) || str_is("exit", value, value_len);
    if (!wanted && !str_is("off", value, value_len)) {
        shell_line(s, "%s: \"%.*s\" is not CONTROL=on or CONTROL=off", command, (int)len, text);
        return false;
    }
    if (!vt_policy_word(text, name, &set)) {
        no_such_control(s, command, text, name);
        return false;
    }
    const char *why = why_not_one(s, partition, set, wanted);
    if (why) {
        shell_line(s, "%s: %s: %.*s %s", command, s->partitions[partition].name, (int)name, text, why);
        return false;
    }
    *on = wanted ? *on | set : *on & ~set;
    *off = wanted ? *off & ~set : *off | set;
    return true;
}

void shell_run_policy(struct shell *s, const struct shell_command *self, const struct shell_call *call)
{
    uint64_t on = 0, off = 0;
    const char *at = call->rest;
    if (!at) {
        show_table(s, call->partition);
        return;
    }
    while (*at) {
        size_t len = 0;
        while (at[len] && at[len] != ' ')
            len++;
        if (len && !take_setting(s, self->name, call->partition, at, len, &on, &off))
            return;
        at += len + (at[len] == ' ');
    }
    const char *why = s->ops->switch_controls(s->ops->ctx, call->partition, on, off);
    shell_line(s, "%s: %s: %s", self->name, s->partitions[call->partition].name, why ? why : "done");
}
