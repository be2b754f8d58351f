#include "hv/part/config_keys.h"

#include "arch/x86_64/vt/policy.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"
#include "hv/part/layout.h"
#include "hv/lib/suggest.h"

static const struct config_word console_words[] = {
    { "com1", PARTITION_CONSOLE_COM1 }, { "serial", PARTITION_CONSOLE_COM1 }, { "none", PARTITION_CONSOLE_NONE },
    { NULL, 0 } };
static const struct config_word apic_words[] = {
    { "x2apic", PARTITION_APIC_X2APIC }, { "xapic", PARTITION_APIC_XAPIC }, { NULL, 0 } };
static const struct config_word ending_words[] = {
    { "stop", PARTITION_STOP }, { "restart", PARTITION_RESTART }, { NULL, 0 } };
static const struct config_word all_stopped_words[] = {
    { "poweroff", CONFIG_POWEROFF }, { "stay", CONFIG_STAY }, { NULL, 0 } };
static const struct config_word bool_words[] = {
    { "yes", 1 }, { "no", 0 }, { "true", 1 }, { "false", 0 }, { "on", 1 }, { "off", 0 }, { "1", 1 }, { "0", 0 },
    { NULL, 0 } };

#define PART(field) offsetof(struct partition_config, field)
#define GLOBAL(field) offsetof(struct config, field)

const struct config_key config_partition_keys[CONFIG_PARTITION_KEYS] = {
    [KEY_KERNEL]        = { "kernel", VALUE_FILE, PART(kernel), 0, 0, NULL },
    [KEY_INITRD]        = { "initrd", VALUE_FILE, PART(initrd), 0, 0, NULL },
    [KEY_CMDLINE]       = { "cmdline", VALUE_TEXT, PART(cmdline), 0, PARTITION_CMDLINE_SIZE, NULL },
    [KEY_MODULE]        = { "module", VALUE_MODULE, 0, 0, 0, NULL },
    [KEY_IMAGE]         = { "image", VALUE_FILE, PART(image), 0, 0, NULL },
    [KEY_ADDRESS]       = { "address", VALUE_NUMBER, PART(address), 0, UINT32_MAX, NULL },
    [KEY_MEMORY]        = { "memory", VALUE_SIZE, PART(memory), LAYOUT_MIN_MEMORY, GiB(1024), NULL },
    [KEY_CPUS]          = { "cpus", VALUE_NUMBER, PART(cpus), 1, PARTITION_MAX_VCPUS, NULL },
    [KEY_CPUSET]        = { "cpuset", VALUE_CPUSET, PART(cpuset), 0, 0, NULL },
    [KEY_WEIGHT]        = { "weight", VALUE_NUMBER, PART(weight), 1, 10000, NULL },
    [KEY_CAP]           = { "cap", VALUE_NUMBER, PART(cap), 0, 100 * PARTITION_MAX_VCPUS, NULL },
    [KEY_CONSOLE]       = { "console", VALUE_WORD, PART(console), 0, 0, console_words },
    [KEY_AUTOSTART]     = { "autostart", VALUE_BOOL, PART(autostart), 0, 0, bool_words },
    [KEY_APIC]          = { "apic", VALUE_WORD, PART(apic), 0, 0, apic_words },
    [KEY_ON_CRASH]      = { "on-crash", VALUE_WORD, PART(on_crash), 0, 0, ending_words },
    [KEY_ON_REBOOT]     = { "on-reboot", VALUE_WORD, PART(on_reboot), 0, 0, ending_words },
    [KEY_RESTART_DELAY] = { "restart-delay", VALUE_NUMBER, PART(restart_delay), 0, 3600000, NULL },
    [KEY_DEBUG_EXIT]    = { "debug-exit", VALUE_NUMBER, PART(debug_exit), 1, 0xfffc, NULL },
    [KEY_DEBUG_CONSOLE] = { "debug-console", VALUE_NUMBER, PART(debug_console), 1, UINT16_MAX, NULL },
    [KEY_EXITS]         = { "exits", VALUE_EXITS, PART(exits), 0, 0, NULL },
    [KEY_LAB]           = { "lab", VALUE_BOOL, PART(lab), 0, 0, bool_words },
};

const struct config_key config_global_keys[CONFIG_GLOBAL_KEYS] = {
    { "when-all-stopped", VALUE_WORD, GLOBAL(when_all_stopped), 0, 0, all_stopped_words },
};

/* A value, the field it goes to, and where a complaint about it is written. */
struct request {
    const struct config_key *key;
    struct ini_text value;
    unsigned cpu_count;
    void *field;
    char *problem;
    size_t size;
};

static bool refuse(struct request *r, const char *format, ...) PRINTF(2, 3);

/* The complaint starts with the value itself, shortened to what fits on a line. */
static bool refuse(struct request *r, const char *format, ...)
{
    va_list args;
    int shown = (int)MIN(r->value.len, 40);
    size_t n = fmt_print(r->problem, r->size, "\"%.*s%s\" ", shown, r->value.s, r->value.len > 40 ? "..." : "");
    va_start(args, format);
    if (n < r->size)
        fmt_vprint(r->problem + n, r->size - n, format, args);
    va_end(args);
    return false;
}

const char *config_print_size(char *buf, size_t size, uint64_t bytes)
{
    static const struct { uint64_t unit; const char *name; } units[] = {
        { GiB(1), "G" }, { MiB(1), "M" }, { KiB(1), "K" } };
    for (unsigned i = 0; i < ARRAY_SIZE(units); i++)
        if (bytes >= units[i].unit && bytes % units[i].unit == 0) {
            fmt_print(buf, size, "%lu%s", bytes / units[i].unit, units[i].name);
            return buf;
        }
    fmt_print(buf, size, "%lu", bytes);
    return buf;
}

static bool parse_file(struct request *r)
{
    if (ini_copy(r->field, PARTITION_FILE_SIZE, r->value))
        return true;
    return refuse(r, "is too long for a file name; at most %d characters are possible", PARTITION_FILE_SIZE - 1);
}

static bool parse_text(struct request *r)
{
    if (ini_copy(r->field, (size_t)r->key->max, r->value))
        return true;
    return refuse(r, "is too long; at most %lu characters are possible", r->key->max - 1);
}

static bool parse_module(struct request *r)
{
    struct partition_config *p = r->field;
    if (p->module_count == PARTITION_MAX_MODULES)
        return refuse(r, "is one module too many; at most %d are possible", PARTITION_MAX_MODULES);
    struct partition_module *m = &p->modules[p->module_count];
    struct ini_text rest = r->value, file = ini_take_word(&rest);
    if (!ini_copy(m->file, sizeof m->file, file))
        return refuse(r, "is too long for a file name; at most %d characters are possible", PARTITION_FILE_SIZE - 1);
    if (!ini_copy(m->args, sizeof m->args, rest))
        return refuse(r, "has too long arguments; at most %zu characters are possible", sizeof m->args - 1);
    p->module_count++;
    return true;
}

static unsigned size_shift(char suffix)
{
    switch (suffix) {
    case 'k': case 'K': return 10;
    case 'm': case 'M': return 20;
    case 'g': case 'G': return 30;
    default: return 0;
    }
}

static bool parse_size(struct request *r)
{
    char low[24], high[24];
    struct ini_text t = r->value;
    uint64_t n;
    unsigned shift = t.len ? size_shift(t.s[t.len - 1]) : 0;
    size_t digits = t.len - (shift != 0);
    while (digits && t.s[digits - 1] == ' ')
        digits--;
    if (!fmt_parse_u64(t.s, digits, &n) || n > UINT64_MAX >> shift)
        return refuse(r, "is not a size; expected a number with K, M or G, such as 256M");
    n <<= shift;
    if (n < r->key->min || n > r->key->max)
        return refuse(r, "is out of range; expected %s to %s", config_print_size(low, sizeof low, r->key->min),
                      config_print_size(high, sizeof high, r->key->max));
    if (n % PAGE_SIZE)
        return refuse(r, "is not a multiple of 4K");
    *(uint64_t *)r->field = n;
    return true;
}

static bool parse_number(struct request *r)
{
    uint64_t low = r->key->min, high = r->key->max, n;
    if (!fmt_parse_u64(r->value.s, r->value.len, &n))
        return refuse(r, "is not a number; expected %lu to %lu, or hexadecimal as 0x%lx", low, high, high);
    if (n < low || n > high)
        return refuse(r, "is out of range; expected %lu to %lu (0x%lx)", low, high, high);
    *(uint64_t *)r->field = n;
    return true;
}

static const struct config_word *find_word(const struct config_word *words, struct ini_text value)
{
    const struct config_word *w = words;
    while (w->word && !ini_equals(value, w->word))
        w++;
    return w;
}

static bool refuse_word(struct request *r)
{
    char expected[96];
    size_t n = 0;
    const struct config_word *words = r->key->words;
    const char *near = suggest_nearest(r->value.s, r->value.len, words, SIZE_MAX, sizeof *words);
    for (const struct config_word *w = words; w->word && n < sizeof expected; w++)
        n += fmt_print(expected + n, sizeof expected - n, "%s%s", n ? ", " : "", w->word);
    return refuse(r, "is not possible here; expected one of: %s%s%s%s", expected, near ? "; did you mean \"" : "",
                  near ? near : "", near ? "\"?" : "");
}

static bool parse_word(struct request *r)
{
    const struct config_word *w = find_word(r->key->words, r->value);
    if (!w->word)
        return refuse_word(r);
    *(uint32_t *)r->field = w->value;
    return true;
}

static bool parse_bool(struct request *r)
{
    const struct config_word *w = find_word(r->key->words, r->value);
    if (!w->word)
        return refuse(r, "is neither yes nor no");
    *(bool *)r->field = w->value;
    return true;
}

static struct ini_text take_until(struct ini_text *from, char separator)
{
    struct ini_text t = { from->s, 0 };
    while (t.len < from->len && t.s[t.len] != separator)
        t.len++;
    size_t used = t.len + (t.len < from->len);
    from->s += used;
    from->len -= used;
    return ini_take_word(&t);
}

static bool contains(struct ini_text t, char c)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.s[i] == c)
            return true;
    return false;
}

static bool refuse_cpuset(struct request *r)
{
    return refuse(r, "is not a list of CPUs; expected something like 0-2,4");
}

/* "0-2,4": ranges and single CPUs. */
static bool parse_cpuset(struct request *r)
{
    struct ini_text rest = r->value;
    uint64_t set = 0;
    if (ini_equals(r->value, "all")) {
        *(uint64_t *)r->field = UINT64_MAX >> (64 - r->cpu_count);
        return true;
    }
    do {
        struct ini_text range = take_until(&rest, ',');
        bool is_range = contains(range, '-');
        struct ini_text low = take_until(&range, '-');
        uint64_t first, last;
        if (!fmt_parse_u64(low.s, low.len, &first))
            return refuse_cpuset(r);
        last = first;
        if (is_range && !fmt_parse_u64(range.s, range.len, &last))
            return refuse_cpuset(r);
        if (last < first)
            return refuse(r, "has a range that runs backwards: %lu-%lu", first, last);
        if (last >= r->cpu_count)
            return refuse(r, "names CPU %lu, but there is no such CPU: this machine has %s%u",
                          last, r->cpu_count > 1 ? "CPUs 0 to " : "only CPU ", r->cpu_count - 1);
        set |= (UINT64_MAX >> (63 - (last - first))) << first;
    } while (rest.len);
    *(uint64_t *)r->field = set;
    return true;
}

static bool refuse_control(struct request *r, struct ini_text word)
{
    const char *near = vt_policy_nearest(word.s, word.len);
    r->value = word; /* the complaint is about this one alone */
    return near ? refuse(r, "names no exit control; did you mean \"%s\"?", near)
                : refuse(r, "names no exit control; docs/exits.md lists them");
}

/* "rdtsc cr3": names of exit controls, and groups of them. */
static bool parse_exits(struct request *r)
{
    struct ini_text rest = r->value;
    uint64_t set = 0, more;
    for (struct ini_text word = ini_take_word(&rest); word.len; word = ini_take_word(&rest)) {
        if (!vt_policy_word(word.s, word.len, &more))
            return refuse_control(r, word);
        set |= more;
    }
    *(uint64_t *)r->field = set;
    return true;
}

static bool (*const parsers[])(struct request *) = {
    [VALUE_FILE] = parse_file, [VALUE_TEXT] = parse_text, [VALUE_MODULE] = parse_module, [VALUE_SIZE] = parse_size,
    [VALUE_NUMBER] = parse_number, [VALUE_BOOL] = parse_bool, [VALUE_WORD] = parse_word,
    [VALUE_CPUSET] = parse_cpuset, [VALUE_EXITS] = parse_exits,
};

bool config_value_parse(const struct config_key *key, struct ini_text value, unsigned cpu_count, void *target,
                        char *problem, size_t problem_size)
{
    struct request r = { key, value, cpu_count, (char *)target + key->offset, problem, problem_size };
    if (!value.len && key->type != VALUE_TEXT) {
        fmt_print(problem, problem_size, "the value is missing");
        return false;
    }
    return parsers[key->type](&r);
}
