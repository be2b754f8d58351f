#include "hv/part/config.h"

#include "hv/lib/fmt.h"
#include "hv/lib/str.h"
#include "hv/part/config_check.h"
#include "hv/part/config_keys.h"
#include "hv/part/ini.h"
#include "hv/lib/suggest.h"

void config_mistake(struct config_parser *p, unsigned line, const struct partition_config *partition,
                    const char *format, ...)
{
    char message[320], where[24] = "", who[64] = "";
    va_list args;
    if (line)
        fmt_print(where, sizeof where, ":%u", line);
    if (partition)
        fmt_print(who, sizeof who, " partition \"%s\":", partition->name);
    size_t n = fmt_print(message, sizeof message, "%s%s:%s ", p->limits->file, where, who);
    va_start(args, format);
    if (n < sizeof message)
        fmt_vprint(message + n, sizeof message - n, format, args);
    va_end(args);
    p->mistakes++;
    p->errors->report(p->errors->ctx, message);
}

static void unknown_key(struct config_parser *p, const struct ini_item *item, const struct config_key *keys,
                        unsigned count)
{
    int len = (int)MIN(item->name.len, 40);
    const char *near = suggest_nearest(item->name.s, item->name.len, keys, count, sizeof *keys);
    if (near)
        config_mistake(p, item->line, p->partition, "unknown key \"%.*s\"; did you mean \"%s\"?", len, item->name.s,
                       near);
    else
        config_mistake(p, item->line, p->partition, "unknown key \"%.*s\"; docs/configuration.md lists the keys", len,
                       item->name.s);
}

/* One key = value line: `keys` is the section's table, `lines` remembers where each key was set. */
static bool set_key(struct config_parser *p, const struct ini_item *item, const struct config_key *keys,
                    unsigned count, unsigned *lines, void *target)
{
    char problem[200];
    unsigned i = 0;
    while (i < count && !ini_equals(item->name, keys[i].name))
        i++;
    if (i == count) {
        unknown_key(p, item, keys, count);
        return false;
    }
    if (lines[i] && keys[i].type != VALUE_MODULE) {
        config_mistake(p, item->line, p->partition, "\"%s\" is set twice; the first time in line %u", keys[i].name,
                       lines[i]);
        return false;
    }
    lines[i] = item->line;
    if (config_value_parse(&keys[i], item->value, p->limits->cpu_count, target, problem, sizeof problem))
        return true;
    config_mistake(p, item->line, p->partition, "%s: %s", keys[i].name, problem);
    return false;
}

static void set_defaults(struct config_parser *p, struct partition_config *partition)
{
    *partition = (struct partition_config){ .valid = true, .memory = MiB(64), .cpus = 1, .weight = 100,
        .cpuset = UINT64_MAX >> (64 - p->limits->cpu_count), .console = PARTITION_CONSOLE_COM1,
        .apic = PARTITION_APIC_X2APIC, .on_crash = PARTITION_STOP, .on_reboot = PARTITION_RESTART, .restart_delay = 10000,
        .autostart = true, .address = UINT64_C(0x7c00) };
}

static const char *name_problem(struct ini_text name)
{
    if (!name.len)
        return "needs a name: [partition NAME]";
    if (name.len >= PARTITION_NAME_SIZE)
        return "has too long a name; at most 31 characters are possible";
    for (size_t i = 0; i < name.len; i++) {
        char c = name.s[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return "has a name with a character that is no letter, digit, - _ or .";
    }
    return NULL;
}

static const struct partition_config *find_partition(const struct config *c, struct ini_text name)
{
    for (unsigned i = 0; i < c->partition_count; i++)
        if (ini_equals(name, c->partitions[i].name))
            return &c->partitions[i];
    return NULL;
}

/* Keys of a section that cannot be kept are still checked: they go to the scratch entry behind the last. */
static void enter_scratch(struct config_parser *p, struct ini_text name)
{
    p->index = CONFIG_MAX_PARTITIONS;
    p->partition = &p->out->partitions[p->index];
    set_defaults(p, p->partition);
    memset(p->lines[p->index], 0, sizeof p->lines[p->index]);
    memcpy(p->partition->name, name.s, MIN(name.len, PARTITION_NAME_SIZE - 1));
}

static void enter_partition(struct config_parser *p, const struct ini_item *item)
{
    struct config *c = p->out;
    const char *problem = name_problem(item->value);
    const struct partition_config *twin = find_partition(c, item->value);
    if (problem)
        config_mistake(p, item->line, NULL, "[partition] %s", problem);
    else if (twin)
        config_mistake(p, item->line, twin, "a partition of this name is already defined in line %u", twin->line);
    else if (c->partition_count == CONFIG_MAX_PARTITIONS)
        config_mistake(p, item->line, NULL, "[partition %.*s] is one too many; at most %d are possible",
                       (int)item->value.len, item->value.s, CONFIG_MAX_PARTITIONS);
    if (problem || twin || c->partition_count == CONFIG_MAX_PARTITIONS) {
        enter_scratch(p, item->value);
        return;
    }
    p->index = c->partition_count++;
    p->partition = &c->partitions[p->index];
    set_defaults(p, p->partition);
    memcpy(p->partition->name, item->value.s, item->value.len);
    p->partition->line = item->line;
}

static void enter_section(struct config_parser *p, const struct ini_item *item)
{
    int len = (int)MIN(item->name.len, 40);
    p->partition = NULL;
    p->section = CONFIG_IN_PARTITION;
    if (ini_equals(item->name, "partition")) {
        enter_partition(p, item);
    } else if (ini_equals(item->name, "trapeze")) {
        p->section = CONFIG_IN_GLOBAL;
    } else if (suggest_distance(item->name.s, item->name.len, "partition") <= 3) {
        config_mistake(p, item->line, NULL, "unknown section [%.*s]; did you mean [partition NAME]?", len,
                       item->name.s);
        enter_scratch(p, item->value);
    } else {
        p->section = CONFIG_IN_UNKNOWN;
        config_mistake(p, item->line, NULL, "unknown section [%.*s]; expected [trapeze] or [partition NAME]", len,
                       item->name.s);
    }
}

static void take_pair(struct config_parser *p, const struct ini_item *item)
{
    if (p->section == CONFIG_IN_NONE) {
        config_mistake(p, item->line, NULL, "\"%.*s\" is in no section; put [trapeze] or [partition NAME] above it",
                       (int)MIN(item->name.len, 40), item->name.s);
    } else if (p->section == CONFIG_IN_GLOBAL) {
        (void)set_key(p, item, config_global_keys, CONFIG_GLOBAL_KEYS, p->global_lines, p->out);
    } else if (p->section == CONFIG_IN_PARTITION) {
        unsigned modules = p->partition->module_count;
        if (!set_key(p, item, config_partition_keys, CONFIG_PARTITION_KEYS, p->lines[p->index], p->partition))
            p->partition->valid = false;
        if (p->partition->module_count > modules)
            p->module_lines[p->index][modules] = item->line;
    }
}

static void take_error(struct config_parser *p, const struct ini_item *item)
{
    if (p->partition)
        p->partition->valid = false;
    config_mistake(p, item->line, p->partition, "%s", item->error);
}

unsigned config_parse(const char *text, size_t len, const struct config_limits *limits, struct config *out,
                      const struct config_errors *errors)
{
    struct config_limits sane = *limits;
    struct config_parser p = { .limits = &sane, .errors = errors, .out = out };
    struct ini ini;
    struct ini_item item;
    sane.cpu_count = MAX(1, MIN(sane.cpu_count, CONFIG_MAX_CPUS)); /* CPU sets are shifted by it */
    memset(out, 0, sizeof *out);
    out->when_all_stopped = CONFIG_STAY;
    ini_init(&ini, text, len);
    while (ini_next(&ini, &item) != INI_END) {
        if (item.kind == INI_ERROR)
            take_error(&p, &item);
        else if (item.kind == INI_SECTION)
            enter_section(&p, &item);
        else
            take_pair(&p, &item);
    }
    config_check(&p);
    return p.mistakes;
}

static const struct config_key *file_key(struct ini_text name)
{
    for (const struct config_key *k = config_partition_keys; k < config_partition_keys + CONFIG_PARTITION_KEYS; k++)
        if ((k->type == VALUE_FILE || k->type == VALUE_MODULE) && ini_equals(name, k->name))
            return k;
    return NULL;
}

void config_list_files(const char *text, size_t len, void (*found)(void *ctx, const char *name), void *ctx)
{
    struct ini ini;
    struct ini_item item;
    ini_init(&ini, text, len);
    while (ini_next(&ini, &item) != INI_END) {
        char name[PARTITION_FILE_SIZE];
        const struct config_key *key = item.kind == INI_PAIR ? file_key(item.name) : NULL;
        if (!key)
            continue;
        struct ini_text file = key->type == VALUE_MODULE ? ini_take_word(&item.value) : item.value;
        if (file.len && ini_copy(name, sizeof name, file))
            found(ctx, name);
    }
}
