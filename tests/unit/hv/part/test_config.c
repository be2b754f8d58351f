#include "hv/part/config.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

/* A machine with 4 CPUs, 900 MiB and a few files; messages are collected one per line. */
static struct config config;
static char messages[8192];

static bool find_file(void *ctx, const char *name, uint64_t *size)
{
    static const struct { const char *name; uint64_t size; } files[] = {
        { "vmlinuz", 8 << 20 }, { "initrd.img", 1 << 20 }, { "boot.img", 4096 }, { "big.img", 700000 }, { "empty", 0 } };
    (void)ctx;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        if (!strcmp(files[i].name, name)) {
            *size = files[i].size;
            return true;
        }
    return false;
}

static void collect(void *ctx, const char *message)
{
    (void)ctx;
    strncat(messages, message, sizeof messages - strlen(messages) - 2);
    strcat(messages, "\n");
}

static unsigned parse_bytes(const char *text, size_t len)
{
    struct config_limits limits = { "trapeze.cfg", 900ull << 20, 4, find_file, NULL };
    struct config_errors errors = { collect, NULL };
    char *copy = malloc(len ? len : 1); /* exactly as long as the text: reading past it is caught */
    memcpy(copy, text, len);
    messages[0] = '\0';
    unsigned n = config_parse(copy, len, &limits, &config, &errors);
    free(copy);
    return n;
}

static unsigned parse(const char *text)
{
    return parse_bytes(text, strlen(text));
}

static bool said(const char *line)
{
    if (strstr(messages, line))
        return true;
    printf("  missing: %s\n  said: %s", line, messages);
    return false;
}

/* One partition that is right but for `lines`, which start at line 3. */
static unsigned parse_keys(const char *lines)
{
    char text[4096];
    snprintf(text, sizeof text, "[partition a]\nkernel = vmlinuz\n%s\n", lines);
    return parse(text);
}

TEST(every_key_is_taken)
{
    unsigned mistakes = parse("[trapeze]\nwhen-all-stopped = poweroff\n"
                   "[partition linux] # the first\nkernel = vmlinuz\ninitrd = initrd.img\n"
                   "cmdline = console=ttyS0 quiet\nmodule = boot.img one two\nmodule = vmlinuz\nmemory = 256M\n"
                   "cpus = 2\ncpuset = 0-1, 3\nweight = 200\ncap = 150\nconsole = none\nautostart = no\n"
                   "apic = xapic\non-crash = restart\non-reboot = stop\nrestart-delay = 250\ndebug-exit = 0xf4\ndebug-console = 0xe9\n");
    CHECK_EQ(mistakes, 0);
    const struct partition_config *p = &config.partitions[0];
    CHECK(config.when_all_stopped == CONFIG_POWEROFF);
    CHECK_EQ(config.partition_count, 1);
    CHECK(p->valid && !strcmp(p->name, "linux") && !strcmp(p->kernel, "vmlinuz") && !strcmp(p->initrd, "initrd.img"));
    CHECK(!strcmp(p->cmdline, "console=ttyS0 quiet"));
    CHECK_EQ(p->module_count, 2);
    CHECK(!strcmp(p->modules[0].file, "boot.img") && !strcmp(p->modules[0].args, "one two"));
    CHECK(!strcmp(p->modules[1].file, "vmlinuz") && !p->modules[1].args[0]);
    CHECK_EQ(p->memory, 256 << 20);
    CHECK_EQ(p->cpus, 2);
    CHECK_EQ(p->cpuset, 0xb);
    CHECK_EQ(p->weight, 200);
    CHECK_EQ(p->cap, 150);
    CHECK(p->console == PARTITION_CONSOLE_NONE && !p->autostart && p->apic == PARTITION_APIC_XAPIC);
    CHECK(p->on_crash == PARTITION_RESTART && p->on_reboot == PARTITION_STOP);
    CHECK_EQ(p->restart_delay, 250);
    CHECK_EQ(p->debug_exit, 0xf4);
    CHECK_EQ(p->debug_console, 0xe9);
}

TEST(what_is_not_said_has_a_default)
{
    CHECK_EQ(parse_keys(""), 0);
    const struct partition_config *p = &config.partitions[0];
    CHECK_EQ(p->memory, 64 << 20);
    CHECK_EQ(p->cpus, 1);
    CHECK_EQ(p->cpuset, 0xf);
    CHECK_EQ(p->weight, 100);
    CHECK_EQ(p->restart_delay, 10000);
    CHECK_EQ(p->cap, 0);
    CHECK(p->autostart && p->console == PARTITION_CONSOLE_COM1 && p->apic == PARTITION_APIC_X2APIC);
    CHECK(p->on_crash == PARTITION_STOP && p->on_reboot == PARTITION_RESTART);
    CHECK(config.when_all_stopped == CONFIG_STAY);
}

TEST(an_unknown_exit_control_is_named_alone_with_the_nearest_one)
{
    CHECK_EQ(parse_keys("memory = 64M\nexits = hlt rdtscc"), 1);
    CHECK(said("trapeze.cfg:4: partition \"a\": exits: \"rdtscc\" names no exit control; did you mean \"rdtsc\"?"));
}

TEST(an_exit_control_like_no_other_is_sent_to_the_list)
{
    CHECK_EQ(parse_keys("memory = 64M\nexits = cr3 frobnicate hlt"), 1);
    CHECK(said("trapeze.cfg:4: partition \"a\": exits: \"frobnicate\" names no exit control; docs/exits.md lists them"));
}

TEST(an_unknown_key_names_the_nearest_one)
{
    CHECK_EQ(parse_keys("memroy = 64M\ncpu = 1\nfrobnicate = 1"), 3);
    CHECK(said("trapeze.cfg:3: partition \"a\": unknown key \"memroy\"; did you mean \"memory\"?"));
    CHECK(said("trapeze.cfg:4: partition \"a\": unknown key \"cpu\"; did you mean \"cpus\"?"));
    CHECK(said("trapeze.cfg:5: partition \"a\": unknown key \"frobnicate\"; docs/configuration.md lists the keys"));
    CHECK(!config.partitions[0].valid);
}

TEST(a_wrong_partition_does_not_spoil_the_right_one)
{
    CHECK_EQ(parse("[partition bad]\nkernel = nowhere\n[partition good]\nkernel = vmlinuz\n"), 1);
    CHECK(said("trapeze.cfg:2: partition \"bad\": kernel: there is no file \"nowhere\" beside trapeze.cfg"));
    CHECK(!config.partitions[0].valid && config.partitions[1].valid);
}

TEST(bad_values_say_what_was_expected)
{
    unsigned mistakes = parse_keys("memory = lots\ncpus = 0\ncpuset = 2-7\nweight = 1e3\nautostart = maybe\nconsole = seriel\n"
                        "debug-exit = 0x3f8\ndebug-console =\non-crash = explode");
    CHECK_EQ(mistakes, 9);
    CHECK(said(":3: partition \"a\": memory: \"lots\" is not a size; expected a number with K, M or G, such as 256M"));
    CHECK(said(":4: partition \"a\": cpus: \"0\" is out of range; expected 1 to 16"));
    CHECK(said(":5: partition \"a\": cpuset: \"2-7\" names CPU 7, but there is no such CPU: this machine has CPUs 0 to 3"));
    CHECK(said(":6: partition \"a\": weight: \"1e3\" is not a number; expected 1 to 10000"));
    CHECK(said(":7: partition \"a\": autostart: \"maybe\" is neither yes nor no"));
    CHECK(said(":8: partition \"a\": console: \"seriel\" is not possible here; expected one of: com1, serial, none; "
               "did you mean \"serial\"?"));
    CHECK(said(":9: partition \"a\": debug-exit: port 0x3f8 belongs to COM1"));
    CHECK(said(":10: partition \"a\": debug-console: the value is missing"));
    CHECK(said(":11: partition \"a\": on-crash: \"explode\" is not possible here; expected one of: stop, restart"));
}

TEST(sizes_are_checked_for_overflow_and_alignment)
{
    CHECK_EQ(parse_keys("memory = 18446744073709551615G"), 1);
    CHECK_EQ(parse_keys("memory = 1025K"), 1);
    CHECK(said("\"1025K\" is not a multiple of 4K"));
    CHECK_EQ(parse_keys("memory = 512K"), 1);
    CHECK(said("\"512K\" is out of range; expected 1M to 1024G"));
    CHECK_EQ(parse_keys("memory = 0x4000000"), 0);
    CHECK_EQ(config.partitions[0].memory, 64 << 20);
}

TEST(cpu_lists_that_are_none_are_refused)
{
    static const char *const wrong[] = { "cpuset = ,", "cpuset = 1-", "cpuset = -1", "cpuset = 0,,1", "cpuset = 3-1",
                                         "cpuset = 0-1-2", "cpuset = 4", "cpuset = 99999999999999999999" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        CHECK_EQ(parse_keys(wrong[i]), 1);
    CHECK_EQ(parse_keys("cpuset = all"), 0);
    CHECK_EQ(config.partitions[0].cpuset, 0xf);
}

TEST(the_first_partition_that_does_not_fit_is_refused)
{
    unsigned mistakes = parse("[partition a]\nkernel = vmlinuz\nmemory = 600M\n[partition b]\nkernel = vmlinuz\nmemory = 400M\n"
                   "[partition c]\nkernel = vmlinuz\nmemory = 300M\n");
    CHECK_EQ(mistakes, 1);
    CHECK(said("trapeze.cfg:6: partition \"b\": memory: 400M is too much: 300M of this machine's 900M for partitions "
               "are left for it"));
    CHECK(config.partitions[0].valid && !config.partitions[1].valid && config.partitions[2].valid);
}

TEST(a_second_partition_of_one_name_is_refused_and_still_checked)
{
    CHECK_EQ(parse("[partition a]\nkernel = vmlinuz\n[partition a]\nkernle = vmlinuz\n"), 2);
    CHECK(said("trapeze.cfg:3: partition \"a\": a partition of this name is already defined in line 1"));
    CHECK(said("trapeze.cfg:4: partition \"a\": unknown key \"kernle\"; did you mean \"kernel\"?"));
    CHECK_EQ(config.partition_count, 1);
    CHECK(config.partitions[0].valid);
}

TEST(a_key_that_is_set_twice_is_refused)
{
    CHECK_EQ(parse_keys("weight = 1\nweight = 2"), 1);
    CHECK(said("trapeze.cfg:4: partition \"a\": \"weight\" is set twice; the first time in line 3"));
}

TEST(sections_are_checked)
{
    unsigned mistakes = parse("x = 1\n[partitoin a]\nkernel = vmlinuz\n[disk]\nfile = x\n[partition]\n[partition a b]\n"
                   "[partition ok]\nkernel = vmlinuz\n[trapeze\n");
    CHECK_EQ(mistakes, 6);
    CHECK(said("trapeze.cfg:1: \"x\" is in no section"));
    CHECK(said("trapeze.cfg:2: unknown section [partitoin]; did you mean [partition NAME]?"));
    CHECK(said("trapeze.cfg:4: unknown section [disk]; expected [trapeze] or [partition NAME]"));
    CHECK(said("trapeze.cfg:6: [partition] needs a name"));
    CHECK(said("trapeze.cfg:7: [partition] has a name with a character"));
    CHECK(said("trapeze.cfg:10: partition \"ok\": a section needs a closing \"]\""));
    CHECK_EQ(config.partition_count, 1);
}

TEST(an_empty_file_asks_for_a_partition)
{
    CHECK_EQ(parse(""), 1);
    CHECK(said("trapeze.cfg: there is no partition; expected at least one [partition NAME] section"));
}

TEST(what_a_partition_runs_is_one_thing)
{
    CHECK_EQ(parse("[partition a]\nmemory = 16M\n"), 1);
    CHECK(said("trapeze.cfg:1: partition \"a\": there is nothing to run; expected \"kernel = FILE\" or"));
    CHECK_EQ(parse_keys("image = boot.img"), 1);
    CHECK(said(":3: partition \"a\": both \"kernel\" and \"image\" are set"));
    CHECK_EQ(parse_keys("address = 0x8000"), 1);
    CHECK(said(":3: partition \"a\": \"address\" needs \"image\""));
    CHECK_EQ(parse("[partition a]\nimage = boot.img\ncmdline = x\n"), 1);
    CHECK(said(":3: partition \"a\": \"cmdline\" needs \"kernel\""));
    CHECK_EQ(parse_keys("initrd = empty"), 1);
    CHECK(said(":3: partition \"a\": initrd: the file \"empty\" is empty"));
    CHECK_EQ(parse_keys("memory = 4M"), 1);
    CHECK(said(":3: partition \"a\": memory: 4M is less than its files together, which have 8192 KiB"));
}

TEST(a_flat_image_stays_out_of_the_bios_areas)
{
    CHECK_EQ(parse("[partition a]\nimage = boot.img\n"), 0);
    CHECK_EQ(config.partitions[0].address, 0x7c00);
    CHECK_EQ(parse("[partition a]\nimage = boot.img\naddress = 0x400\n"), 1);
    CHECK(said("overlaps the interrupt vectors"));
    CHECK_EQ(parse("[partition a]\nimage = boot.img\naddress = 0x9f000\n"), 1);
    CHECK(said(":3: partition \"a\": the image would lie at 0x9f000 to 0x9ffff and overlap the area from 0x9fc00 on"));
    CHECK_EQ(parse("[partition a]\nimage = big.img\n"), 1);
    CHECK_EQ(parse("[partition a]\nimage = boot.img\naddress = 0xffffffff\n"), 1);
}

TEST(a_seventeenth_partition_is_refused)
{
    char text[4096] = "";
    for (int i = 0; i < 18; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "[partition p%d]\nkernel=vmlinuz\nmemory=16M\n", i);
    CHECK_EQ(parse(text), 2);
    CHECK(said("trapeze.cfg:49: [partition p16] is one too many; at most 16 are possible"));
    CHECK_EQ(config.partition_count, 16);
    CHECK(config.partitions[15].valid);
}

TEST(quotes_keep_a_value_as_it_is)
{
    CHECK_EQ(parse_keys("cmdline = \" a # b \" # comment"), 0);
    CHECK(!strcmp(config.partitions[0].cmdline, " a # b "));
    CHECK_EQ(parse_keys("cmdline = root=/dev/vda#1 ; x # comment"), 0);
    CHECK(!strcmp(config.partitions[0].cmdline, "root=/dev/vda#1 ; x"));
    CHECK_EQ(parse_keys("cmdline = \"open"), 1);
    CHECK(said("the closing quote (\") is missing"));
    CHECK_EQ(parse_keys("cmdline = \"a\" b"), 1);
}

TEST(windows_line_ends_and_a_byte_order_mark_do_no_harm)
{
    CHECK_EQ(parse("\xef\xbb\xbf[partition a]\r\n; comment\r\nkernel = vmlinuz\r\n"), 0);
    CHECK(!strcmp(config.partitions[0].kernel, "vmlinuz"));
}

TEST(any_prefix_and_any_noise_is_survived)
{
    static const char good[] = "[trapeze]\nconsole = com1\n[partition a]\nkernel = vmlinuz\ncpuset = 0-2,3\n"
                               "cmdline = \"x\"\nmodule = boot.img y\n";
    for (size_t n = 0; n < sizeof good; n++)
        (void)parse_bytes(good, n);
    unsigned seed = 1;
    for (int round = 0; round < 3000; round++) {
        char noise[sizeof good];
        memcpy(noise, good, sizeof good);
        for (int i = 0; i < 4; i++) {
            seed = seed * 1103515245u + 12345u;
            noise[(seed >> 8) % sizeof good] = (char)(seed >> 24);
        }
        (void)parse_bytes(noise, sizeof good);
        CHECK(config.partition_count <= CONFIG_MAX_PARTITIONS);
    }
}

static void list(void *ctx, const char *name)
{
    collect(ctx, name);
}

TEST(the_files_can_be_listed_before_parsing)
{
    static const char text[] = "[partition a]\nkernel = k\ninitrd=\"i j\"\nmodule = m args\nimage=\nbroken\nimage = f";
    messages[0] = '\0';
    config_list_files(text, sizeof text - 1, list, NULL);
    CHECK(!strcmp(messages, "k\ni j\nm\nf\n"));
}

static bool any_file(void *ctx, const char *name, uint64_t *size)
{
    (void)ctx;
    (void)name;
    *size = 512;
    return true;
}

/* They are what a reader starts from: on the machine they are written for (2 CPUs, 1 GiB) nothing may be wrong. */
TEST(the_examples_have_no_mistake)
{
    static const char *const files[] = { "default", "linux-smp", "shares", "kernel-test" };
    struct config_limits limits = { "example", 960ull << 20, 2, any_file, NULL };
    struct config_errors errors = { collect, NULL };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[64], text[4096];
        snprintf(path, sizeof path, "configs/%s.cfg", files[i]);
        FILE *f = fopen(path, "rb");
        CHECK(f);
        size_t len = fread(text, 1, sizeof text, f);
        fclose(f);
        CHECK(len > 0 && len < sizeof text);
        messages[0] = '\0';
        unsigned mistakes = config_parse(text, len, &limits, &config, &errors);
        if (mistakes)
            printf("  %s", messages);
        CHECK_EQ(mistakes, 0);
    }
}
