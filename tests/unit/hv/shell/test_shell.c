#include <stdlib.h>
#include <string.h>
#include "arch/x86_64/vt/vt.h"
#include "hv/shell/shell.h"
#include "tests/unit/test.h"

static struct con con;
static struct shell shell;
static char screen[1 << 17];
static size_t screen_len;
static int asked_action, asked_machine;
static size_t asked_partition;
static const char *refusal;
static const char *log_text;
static size_t partitions_there;
static const char *state_of_last; /* NULL: as in the table */

static size_t put(void *ctx, const char *bytes, size_t len)
{
    (void)ctx;
    if (len > sizeof screen - 1 - screen_len)
        abort();
    memcpy(screen + screen_len, bytes, len);
    screen_len += len;
    screen[screen_len] = '\0';
    return len;
}

static void put_now(void *ctx, const char *bytes, size_t len) { (void)put(ctx, bytes, len); }

static size_t partitions(void *ctx, struct shell_partition *out, size_t max)
{
    static const struct shell_partition all[] = {
        { "linux", "running", 2, MiB(256), 1234, 5678 },
        { "lintel", "paused", 1, MiB(16) + KiB(4), 0, 0 },
        { "memtest", "stopped: triple fault", 1, MiB(64), 1000, UINT64_MAX },
    };
    (void)ctx;
    for (size_t i = 0; i < partitions_there && i < max; i++)
        out[i] = all[i];
    if (state_of_last)
        snprintf(out[partitions_there - 1].state, sizeof out[0].state, "%s", state_of_last);
    return partitions_there;
}

static const char *control(void *ctx, size_t partition, enum shell_action action)
{
    (void)ctx;
    asked_partition = partition;
    asked_action = (int)action;
    return refusal;
}

static void info(void *ctx, size_t partition, const struct shell_printer *out)
{
    (void)ctx, (void)partition;
    out->line(out->ctx, "rip ffffffff81000000");
    out->line(out->ctx, "a name from the guest: \033[2J");
}

static void fields(void *ctx, size_t partition, const struct shell_printer *out)
{
    (void)ctx, (void)partition;
    out->line(out->ctx, "  681e Guest RIP");
}

static bool vga_text(void *ctx, size_t partition, uint8_t cells[SHELL_VGA_ROWS * SHELL_VGA_COLUMNS * 2])
{
    (void)ctx;
    if (partition != 2)
        return false;
    for (unsigned i = 0; i < SHELL_VGA_ROWS * SHELL_VGA_COLUMNS; i++) {
        cells[i * 2] = i < 256 ? (uint8_t)i : 'x';
        cells[i * 2 + 1] = 7;
    }
    return true;
}

static size_t exits(void *ctx, size_t partition, struct shell_exit *out, size_t max)
{
    (void)ctx, (void)max;
    asked_partition = partition;
    out[0] = (struct shell_exit){ "cpuid", 10, 1000, 7, 96, 112 };
    out[1] = (struct shell_exit){ "hlt", 3, UINT64_MAX / 2, 0, 0, 0 };
    out[2] = (struct shell_exit){ "never", 0, 0, 0, 0, 0 };
    return 3;
}

static unsigned why(void *ctx, size_t partition, const struct shell_printer *out)
{
    (void)ctx;
    if (partition != 0)
        return VT_EXIT_KINDS;
    out->line(out->ctx, "linux: vCPU 1, last exit: HLT");
    return VT_EXIT_HLT;
}

/* ---- a trace of three exits, a dump of three lines, a step that takes three polls ---- */

static bool trace_is_on;
static struct trace_filter asked_filter;
static size_t asked_max;
static unsigned polls, dump_lines, dumps_ended, steps_cancelled;
static const char *name_of(unsigned index, unsigned *vcpus) { *vcpus = 1; return index ? NULL : "linux"; }
static const char *exit_name(unsigned kind) { (void)kind; return "an exit"; }
static enum trace_info exit_info(unsigned kind) { (void)kind; return TRACE_INFO_EAX; }

static const struct trace_machine *trace_machine(void *ctx)
{
    static const struct trace_machine m = { .tsc_hz = 1000000, .exit_kinds = VT_EXIT_KINDS, .exit_name = exit_name,
                                            .exit_info = exit_info, .partitions = 1, .partition = name_of };
    (void)ctx;
    return trace_is_on ? &m : NULL;
}

static size_t trace(void *ctx, size_t partition, const struct trace_filter *filter, struct trace_record *out, size_t max)
{
    (void)ctx;
    asked_partition = partition;
    asked_filter = *filter;
    asked_max = max;
    if (partition)
        return 0;
    for (unsigned i = 0; i < 2; i++)
        out[i] = (struct trace_record){ .tsc = 1500000 + i, .type = i ? TRACE_INJECT : TRACE_EXIT, .kind = VT_EXIT_CPUID, .ticks = 99 };
    return 2;
}

static bool instruction(void *ctx, const struct trace_record *r, char *text, size_t size)
{
    (void)ctx;
    snprintf(text, size, "cpuid");
    return r->kind == VT_EXIT_CPUID;
}

static const char *dump_begin(void *ctx, uint64_t limit)
{
    (void)ctx;
    dump_lines = 0;
    return limit == 13 ? "no memory" : NULL;
}

static bool dump_line(void *ctx, char line[TRACE_FRAME_SIZE])
{
    (void)ctx;
    snprintf(line, TRACE_FRAME_SIZE, "@trace %u", dump_lines);
    return dump_lines++ < 100;
}

static void dump_end(void *ctx) { (void)ctx; dumps_ended++; }

static const char *step_begin(void *ctx, size_t partition)
{
    (void)ctx;
    polls = 0;
    return partition == 2 ? "it is not running" : NULL;
}

static enum shell_step step_poll(void *ctx, size_t partition, struct trace_record *exit)
{
    (void)ctx;
    if (++polls < 3)
        return SHELL_STEP_RUNS;
    *exit = (struct trace_record){ .tsc = 1500000, .type = TRACE_EXIT, .kind = VT_EXIT_CPUID, .ticks = 99 };
    return partition ? SHELL_STEP_ENDED : SHELL_STEP_DONE;
}

static void step_cancel(void *ctx, size_t partition) { (void)ctx, (void)partition; steps_cancelled++; }

static bool postmortem(void *ctx, size_t partition, const struct shell_printer *out)
{
    (void)ctx;
    if (partition != 2)
        return false;
    out->line(out->ctx, "post-mortem of vCPU 0");
    return true;
}

static const char *backend(void *ctx)
{
    (void)ctx;
    return "VT-x";
}

static uint64_t switched_on, switched_off;
static bool counts_are_shared;

static bool control_state(void *ctx, size_t partition, unsigned number, struct shell_control *out)
{
    (void)ctx, (void)partition;
    *out = (struct shell_control){ number == 1 ? SHELL_CONTROL_ON : number == 2 ? SHELL_CONTROL_ALWAYS
                                   : number == 22 ? SHELL_CONTROL_NONE : SHELL_CONTROL_OFF,
                                   number == 2 ? 0 : 10, number == 2 ? 0 : 1230, number != 2 && counts_are_shared };
    return true;
}

static const char *switch_controls(void *ctx, size_t partition, uint64_t on, uint64_t off)
{
    (void)ctx;
    asked_partition = partition;
    switched_on = on;
    switched_off = off;
    return refusal;
}

static size_t cpus(void *ctx, struct shell_cpu *out, size_t max)
{
    (void)ctx, (void)max;
    out[0] = (struct shell_cpu){ 0, true, 999, 3, "linux/0" };
    out[1] = (struct shell_cpu){ 4, false, 0, 0, "" };
    return 2;
}

static size_t log_tail(char *buf, size_t size, uint64_t back)
{
    size_t len = strlen(log_text);
    size_t n = len < back ? len : (size_t)back;
    if (n > size)
        n = size;
    memcpy(buf, log_text + len - n, n);
    return n;
}

static void machine(void *ctx, enum shell_machine what)
{
    (void)ctx;
    asked_machine = (int)what;
}

static void self_check(void *ctx, const struct shell_printer *out)
{
    (void)ctx;
    out->line(out->ctx, "self-check: ok");
}

static void speculation(void *ctx, const struct shell_printer *out)
{
    (void)ctx;
    out->line(out->ctx, "no IBPB");
}

static const struct shell_ops ops = {
    .version = "Trapeze 0.1", .backend = backend, .why = why, .postmortem = postmortem, .partitions = partitions, .control = control, .info = info, .fields = fields, .vga_text = vga_text,
    .exits = exits, .trace_machine = trace_machine, .trace = trace, .instruction = instruction, .dump_begin = dump_begin,
    .dump_line = dump_line, .dump_end = dump_end, .step_begin = step_begin, .step_poll = step_poll, .step_cancel = step_cancel,
    .control_state = control_state, .switch_controls = switch_controls, .cpus = cpus, .log_tail = log_tail,
    .self_check = self_check, .speculation = speculation, .machine = machine,
};

static void settle(void)
{
    for (int i = 0; i < 100; i++)
        (void)con_poll(&con, 1);
}

static void type(const char *keys)
{
    while (*keys)
        con_input(&con, (uint8_t)*keys++);
    settle();
}

static void fresh(void)
{
    partitions_there = 3;
    state_of_last = NULL;
    refusal = NULL;
    log_text = "first\nsecond\nthird\n";
    asked_action = asked_machine = -1;
    asked_partition = 99;
    trace_is_on = true;
    dumps_ended = steps_cancelled = 0;
    con_init(&con, &(struct con_hooks){ .to_monitor = shell_input, .redraw_monitor = shell_redraw, .ctx = &shell });
    shell_init(&shell, &con, &ops);
    if (!con_add_terminal(&con, &(struct con_terminal){ .put = put, .put_now = put_now }) ||
        !con_set_partition(&con, 0, "linux"))
        abort();
    type("\x1Dm");
    screen_len = 0;
    screen[0] = '\0';
}

static bool contains(const char *text)
{
    settle();
    if (strstr(screen, text))
        return true;
    printf("  the terminal shows:\n%s\n", screen);
    return false;
}

TEST(list_shows_each_partition_with_its_figures)
{
    fresh();
    type("list\r");
    CHECK(contains(" 1 linux            running                  2    256 MiB  123.4%      5678\r\n"));
    CHECK(contains(" 2 lintel           paused                   1  16388 KiB    0.0%         0\r\n"));
    CHECK(contains("trapeze> "));
}

TEST(list_marks_a_reason_that_it_cuts_and_says_where_the_whole_is)
{
    fresh();
    type("list\r");
    CHECK(contains("  triple fault\r\n"));
    CHECK(!strstr(screen, "..."));
    fresh();
    state_of_last = "stopped: 34567890123456789012345678901234567890123456789012345678901234567890123456789012345678901";
    type("list\r");
    CHECK(contains("  3456789012345678901234567890123456789012345678901234567890123456789012345678901234567...\r\n"
                   "...: cut; info NAME shows the whole reason, postmortem NAME what led to it\r\n"));
    fresh();
    state_of_last = "stopped: 3456789012345678901234567890123456789012345678901234567890123456789012345678901234567890";
    type("list\r");
    CHECK(contains("  3456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\r\n"));
    CHECK(!strstr(screen, "..."));
}

TEST(list_without_partitions_says_so)
{
    fresh();
    partitions_there = 0;
    type("list\r");
    CHECK(contains("there are no partitions"));
}

TEST(a_partition_is_controlled_by_name_and_by_number)
{
    fresh();
    type("pause memtest\r");
    CHECK_EQ(asked_partition, 2);
    CHECK_EQ(asked_action, SHELL_PAUSE);
    CHECK(contains("pause: memtest: done"));
    type("restart 1\r");
    CHECK_EQ(asked_partition, 0);
    CHECK_EQ(asked_action, SHELL_RESTART);
}

TEST(each_control_command_asks_for_its_action)
{
    fresh();
    type("pause 1\r");
    CHECK_EQ(asked_action, SHELL_PAUSE);
    type("resume 1\r");
    CHECK_EQ(asked_action, SHELL_RESUME);
    type("stop 1\r");
    CHECK_EQ(asked_action, SHELL_STOP);
    type("start 1\r");
    CHECK_EQ(asked_action, SHELL_START);
}

TEST(a_refusal_gives_its_reason)
{
    fresh();
    refusal = "it is not paused";
    type("resume linux\r");
    CHECK(contains("resume: linux: it is not paused"));
}

TEST(an_unknown_partition_is_named_with_the_nearest)
{
    fresh();
    type("stop lnux\r");
    CHECK(contains("there is no partition \"lnux\""));
    CHECK(contains("did you mean linux?"));
    CHECK_EQ(asked_action, -1);
    type("stop 4\r");
    CHECK(contains("there is no partition \"4\""));
    type("stop 0\r");
    CHECK_EQ(asked_action, -1);
}

TEST(an_unknown_command_is_named_with_the_nearest)
{
    fresh();
    type("lst\r");
    CHECK(contains("there is no command \"lst\": did you mean list?"));
    type("zzzzzzzz\r");
    CHECK(contains("there is no command \"zzzzzzzz\"; help lists them"));
}

TEST(missing_and_extra_words_show_the_usage)
{
    fresh();
    type("pause\r");
    CHECK(contains("usage: pause NAME\r\n"));
    type("list all\r");
    CHECK(contains("usage: list\r\n"));
    type("pause a b c d e f\r");
    CHECK_EQ(asked_action, -1);
}

TEST(help_names_every_command)
{
    fresh();
    type("help\r");
    CHECK(contains("  list            Show the partitions"));
    CHECK(contains("  log [LINES]    "));
    CHECK(contains("  reboot "));
}

TEST(console_attaches_and_prints_no_prompt_there)
{
    fresh();
    type("console linux\r");
    CHECK_EQ(con.view, CON_ATTACHED);
    CHECK(contains("--- linux: "));
    CHECK(!strstr(strstr(screen, "--- linux"), "trapeze>"));
}

TEST(a_partition_without_a_console_says_so)
{
    fresh();
    type("console memtest\r");
    CHECK(contains("console: memtest has no console"));
}

TEST(info_s_lines_are_printed_without_control_characters)
{
    fresh();
    type("info linux\r");
    CHECK(contains("rip ffffffff81000000\r\n"));
    CHECK(contains("a name from the guest: ?[2J\r\n"));
}

TEST(info_fields_shows_what_the_hardware_keeps_and_no_other_word_does)
{
    fresh();
    type("info linux fields\r");
    CHECK(contains("  681e Guest RIP\r\n"));
    CHECK(!contains("rip ffffffff81000000"));
    fresh();
    type("info linux feilds\r");
    CHECK(contains("usage: info NAME [fields]"));
    CHECK(!contains("Guest RIP"));
    fresh();
    type("info nobody fields\r");
    CHECK(contains("info: there is no partition \"nobody\""));
}

TEST(screen_shows_the_text_page_in_a_frame_as_printable_text)
{
    fresh();
    type("screen memtest\r");
    CHECK(contains("| oo****.o.o..nn*><|!PS-|^v><L-^v !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNO|\r\n"));
    CHECK(contains("+----------"));
    for (size_t i = 0; i < screen_len; i++)
        CHECK(screen[i] == '\r' || screen[i] == '\n' || screen[i] == '\033' || (screen[i] >= 0x20 && screen[i] < 0x7F));
    type("screen linux\r");
    CHECK(contains("screen: linux has no text screen"));
}

TEST(screen_of_a_guest_that_stands_still_says_so)
{
    fresh();
    state_of_last = "running";
    type("screen memtest\r");
    CHECK(!contains("memtest is "));
    state_of_last = "paused";
    type("screen memtest\r");
    CHECK(contains("memtest is paused, so nothing changes there; resume memtest lets it go on\r\n"));
    state_of_last = "stopped: triple fault";
    type("screen memtest\r");
    CHECK(contains("memtest is stopped, and this is what it left; start memtest boots it\r\n"));
}

TEST(policy_without_a_setting_lists_the_exit_controls)
{
    fresh();
    type("policy linux\r");
    CHECK(contains("rdtsc              on                 10         123  RDTSC RDTSCP\r\n"));
    CHECK(contains("rdpmc              always              0           0  RDPMC\r\n"));
    CHECK(contains("STATE -: not offered here.\r\n"));
}

TEST(policy_counts_no_exits_for_a_control_that_is_off_and_marks_those_that_others_make_too)
{
    fresh();
    counts_are_shared = true;
    type("policy linux\r");
    counts_are_shared = false;
    CHECK(contains("descriptor-tables  off                 -           -  "));
    CHECK(contains("rdtsc              on                10*         123  RDTSC RDTSCP\r\n"));
    CHECK(contains(" *: of the whole kind, such as all CR writes, to which others add.\r\n"));
}

TEST(policy_switches_what_is_named_in_the_order_of_the_words)
{
    fresh();
    type("policy lintel all=off rdtsc=exit cr3=on\r");
    CHECK(contains("policy: lintel: done\r\n"));
    CHECK_EQ(asked_partition, 1);
    CHECK_EQ(switched_on, 1u << 1 | 1u << 5);
    CHECK_EQ(switched_off, ~(UINT64_C(1) << 1 | UINT64_C(1) << 5));
}

TEST(policy_refuses_a_control_that_does_not_exist_and_suggests_the_nearest)
{
    fresh();
    switched_on = 77;
    type("policy linux rdtcs=on\r");
    CHECK(contains("policy: there is no exit control \"rdtcs\": did you mean rdtsc?\r\n"));
    type("policy linux rdtsc=maybe\r");
    CHECK(contains("policy: \"rdtsc=maybe\" is not CONTROL=on or CONTROL=off\r\n"));
    type("policy linux rdtsc\r");
    CHECK(contains("policy: \"rdtsc\" is not CONTROL=on"));
    type("policy\r");
    CHECK(contains("usage: policy NAME [CONTROL=on|off ...]\r\n"));
    CHECK_EQ(switched_on, 77);
}

TEST(policy_refuses_each_control_by_its_name_also_beside_others)
{
    fresh();
    switched_on = 77;
    type("policy linux rdtsc=off rdpmc=off\r");
    CHECK(contains("policy: linux: rdpmc cannot be off: Trapeze needs it\r\n"));
    type("policy linux rdpmc=on rdtsc=on\r");
    CHECK(contains("policy: linux: rdpmc is always on: Trapeze needs it\r\n"));
    type("policy linux rdtsc=on iret=on\r");
    CHECK(contains("policy: linux: iret is not there: this CPU has no such control"));
    CHECK(!contains("done"));
    CHECK_EQ(switched_on, 77);
    type("policy linux exceptions=on all=off\r"); /* a group takes what there is */
    CHECK(contains("policy: linux: done\r\n"));
}

TEST(exits_are_sorted_by_cost_and_leave_out_what_never_happened)
{
    fresh();
    type("exits linux\r");
    CHECK_EQ(asked_partition, 0);
    CHECK(contains("hlt "));
    CHECK(strstr(screen, "hlt ") < strstr(screen, "cpuid "));
    CHECK(!strstr(screen, "never"));
    CHECK(contains("cpuid                       10        100    0.0%         7        96       112\r\n"));
    CHECK(contains(" 99.9%         0         -         -\r\n"));
    CHECK(contains("all                         13 "));
}

TEST(exits_without_a_name_are_those_of_all)
{
    fresh();
    type("exits\r");
    CHECK_EQ(asked_partition, SHELL_ALL);
    type("exits linux lintel\r");
    CHECK(contains("usage: exits [NAME] [--watch]"));
    type("exits --wacth\r");
    CHECK(contains("usage: exits [NAME] [--watch]"));
    type("exits linus\r");
    CHECK(contains("exits: there is no partition \"linus\": did you mean linux?"));
}

static void tick(uint64_t now)
{
    shell_tick(&shell, now);
    settle();
}

TEST(watching_exits_draws_them_each_second_until_a_key_is_pressed)
{
    fresh();
    type("exits linux --watch\r");
    CHECK(!strstr(screen, "EXIT "));
    tick(1000);
    CHECK(contains("\033[H\033[2Jlinux: press a key to end\r\nEXIT "));
    screen_len = 0, screen[0] = '\0';
    tick(900000000);
    CHECK(!contains("EXIT "));
    tick(1000001000);
    CHECK(contains("EXIT "));
    CHECK(!contains("trapeze> "));
    type("x");
    CHECK(contains("trapeze> "));
    CHECK(!contains("trapeze> x"));
    screen_len = 0, screen[0] = '\0';
    tick(9000000000);
    CHECK(!contains("EXIT "));
}

TEST(a_job_ends_when_the_monitor_is_left)
{
    fresh();
    type("exits --watch\r");
    tick(1);
    type("\x1Do");
    tick(2);
    type("\x1Dm");
    CHECK(contains("trapeze> "));
    screen_len = 0, screen[0] = '\0';
    tick(9000000000);
    CHECK(!contains("EXIT "));
}

TEST(trace_shows_records_with_their_instructions)
{
    fresh();
    type("trace linux\r");
    CHECK_EQ(asked_max, 20);
    CHECK(asked_filter.type == -1 && !asked_filter.kinds);
    CHECK(contains("        TIME WHO                TICKS KIND              INSTRUCTION"));
    CHECK(contains("    1.500000 linux/0               99 cpuid             cpuid                    eax 0 -> 0\r\n"));
    CHECK(contains("    1.500001 linux/0                  inject                                     interrupt 1\r\n"));
    type("trace lintel\r");
    CHECK(contains("there is nothing of that in the trace"));
}

TEST(trace_takes_a_count_and_a_kind)
{
    fresh();
    type("trace linux 7 inject\r");
    CHECK(asked_max == 7 && asked_filter.type == TRACE_INJECT);
    type("trace linux hlt\r");
    CHECK(asked_max == 20 && asked_filter.type == TRACE_EXIT && asked_filter.kinds == UINT64_C(1) << VT_EXIT_HLT);
    type("trace linux 5 10\r");
    CHECK(asked_max == 5 && asked_filter.kinds == UINT64_C(1) << VT_EXIT_CPUID);
}

TEST(trace_names_mistakes)
{
    fresh();
    type("trace\r");
    CHECK(contains("usage: trace NAME|dump [N] [KIND]"));
    type("trace linus\r");
    CHECK(contains("trace: there is no partition \"linus\": did you mean linux?"));
    type("trace linux 0\r");
    CHECK(contains("trace: \"0\" is not a number from 1 to 1000"));
    type("trace linux 1001\r");
    CHECK(contains("trace: \"1001\" is not a number from 1 to 1000"));
    type("trace linux 5 cpudi\r");
    CHECK(contains("trace: there is no kind \"cpudi\": did you mean cpuid; "));
    type("trace dump 99999\r");
    CHECK(contains("trace: \"99999\" is not a number from 1 to 16384"));
    trace_is_on = false;
    type("trace linux\r");
    CHECK(contains("trace: the trace is switched off: without=trace"));
}

TEST(a_dump_comes_in_pieces_and_is_ended)
{
    fresh();
    type("trace dump\r");
    CHECK(!contains("@trace"));
    tick(1);
    CHECK(contains("@trace 0\r\n"));
    CHECK(!contains("@trace 99"));
    for (unsigned i = 0; i < 10; i++)
        tick(2 + i);
    CHECK(contains("@trace 99\r\n"));
    CHECK(!contains("@trace 100"));
    CHECK_EQ(dumps_ended, 1);
    CHECK(contains("trapeze> "));
    type("trace dump 13\r");
    CHECK(contains("trace dump: no memory"));
}

TEST(a_step_is_awaited_and_explained)
{
    fresh();
    type("step linux\r");
    tick(1), tick(2);
    CHECK(!contains("cpuid"));
    tick(3);
    CHECK(contains("    1.500000 linux/0               99 cpuid             cpuid "));
    CHECK(contains("  what       "));
    CHECK(contains("  Trapeze    "));
    CHECK(!contains("was seen"));
    CHECK_EQ(steps_cancelled, 1); /* at each end: it does nothing to one that is done */
    type("step lintel\r");
    tick(4), tick(5), tick(6);
    CHECK(contains("step: lintel ended"));
    type("step memtest\r");
    CHECK(contains("step: memtest: it is not running"));
}

TEST(a_key_ends_a_step)
{
    fresh();
    type("step linux\r");
    tick(1);
    type(" ");
    CHECK_EQ(steps_cancelled, 1);
    CHECK(contains("step: no exit of linux was seen; it is paused now: resume linux lets it go on\r\n"));
    CHECK(contains("trapeze> "));
}

TEST(explain_knows_kinds_by_name_and_by_this_cpu_s_number_and_lists_them)
{
    fresh();
    type("explain hlt\r");
    CHECK(contains("hlt: HLT\r\n  what       The guest has nothing to do"));
    CHECK(contains("  VT-x       exit reason 12: \"HLT exiting\""));
    CHECK(contains("  AMD-V      EXITCODE 78h"));
    type("explain 55\r");
    CHECK(contains("xsetbv: XSETBV"));
    type("explain\r");
    CHECK(contains("  unknown            cpuid              hypercall          io"));
    CHECK(contains("entry-failed"));
    type("explain cpudi\r");
    CHECK(contains("there is no kind of exit \"cpudi\": did you mean cpuid?"));
}

TEST(why_explains_the_last_exit_with_this_cpu_s_half_only)
{
    fresh();
    type("why linux\r");
    CHECK(contains("linux: vCPU 1, last exit: HLT\r\nhlt: HLT\r\n"));
    CHECK(contains("exit reason 12"));
    CHECK(!strstr(screen, "EXITCODE"));
    type("why memtest\r");
    CHECK(contains("memtest has not run yet"));
}

TEST(postmortem_shows_why_a_guest_could_not_go_on)
{
    fresh();
    type("postmortem memtest\r");
    CHECK(contains("post-mortem of vCPU 0\r\n"));
    type("postmortem linux\r");
    CHECK(contains("linux never failed"));
}

TEST(log_shows_the_last_lines)
{
    fresh();
    type("log 2\r");
    CHECK(contains("second\r\nthird\r\n"));
    CHECK(!strstr(screen, "first"));
    type("log\r");
    CHECK(contains("first\r\n"));
    type("log many\r");
    CHECK(contains("log: \"many\" is not a number"));
}

TEST(a_log_larger_than_the_buffer_begins_with_a_whole_line)
{
    static char large[40000];
    fresh();
    for (size_t i = 0; i < sizeof large - 1; i++)
        large[i] = i % 50 == 49 ? '\n' : (char)('a' + i % 50 % 26);
    log_text = large;
    type("log 100000\r");
    CHECK(contains("\r\nabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvw\r\n"));
    CHECK(!strncmp(strstr(screen, "log 100000") + 12, "abcdefgh", 8));
}

TEST(cpus_version_poweroff_and_reboot_answer)
{
    fresh();
    type("cpus\rversion\rpoweroff\r");
    CHECK(contains("  0       0 online     99.9%      3  linux/0"));
    CHECK(contains("  1       4 offline"));
    CHECK(contains("speculation (docs/security.md):\r\nno IBPB"));
    CHECK(contains("Trapeze 0.1\r\n"));
    CHECK_EQ(asked_machine, SHELL_POWEROFF);
    type("reboot\r");
    CHECK_EQ(asked_machine, SHELL_REBOOT);
}

TEST(tab_completes_commands_and_partitions)
{
    fresh();
    type("rest\tme\t\r");
    CHECK_EQ(asked_action, SHELL_RESTART);
    CHECK_EQ(asked_partition, 2);
}

TEST(tab_completes_kinds_of_exits_behind_explain)
{
    fresh();
    type("explain cr-w\tx"); /* only whole words are followed by a space */
    CHECK(contains("explain cr-write x"));
}

TEST(tab_completes_the_common_part_and_then_lists_the_choices)
{
    fresh();
    type("stop l\t");
    CHECK(contains("stop lin"));
    type("\t");
    CHECK(contains("  linux\r\n  lintel\r\n"));
    CHECK(contains("trapeze> stop lin"));
}

TEST(the_overview_can_be_asked_for)
{
    fresh();
    type("overview\r");
    CHECK_EQ(con.view, CON_OVERVIEW);
}

TEST(every_command_has_a_help_sentence_and_a_name_of_its_own)
{
    fresh();
    type("help\r");
    settle();
    size_t sentences = 0;
    for (const char *at = screen; (at = strstr(at, ".\r\n")) != NULL; at++)
        sentences++;
    CHECK(sentences >= 17);
}
