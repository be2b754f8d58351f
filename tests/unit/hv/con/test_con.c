#include <stdlib.h>
#include <string.h>
#include "hv/con/con_alarm.h"
#include "tests/unit/test.h"

#define MS UINT64_C(1000000)

static struct con con;
static char screen[1 << 20]; /* what the terminal got */
static size_t screen_len;
static size_t terminal_takes; /* bytes at a time */
static char guest_got[512];
static size_t guest_got_len, guest_takes;
static unsigned guest_number;
static char monitor_got[512];
static size_t monitor_got_len;
static unsigned redraws;
static uint64_t now;

static void put_now(void *ctx, const char *bytes, size_t len)
{
    (void)ctx;
    if (len > sizeof screen - 1 - screen_len)
        len = sizeof screen - 1 - screen_len;
    memcpy(screen + screen_len, bytes, len);
    screen_len += len;
    screen[screen_len] = '\0';
}

static size_t put(void *ctx, const char *bytes, size_t len)
{
    size_t n = len < terminal_takes ? len : terminal_takes;
    put_now(ctx, bytes, n);
    return n;
}

static bool to_guest(void *ctx, unsigned partition, uint8_t byte)
{
    (void)ctx;
    if (!guest_takes)
        return false;
    guest_takes--;
    guest_number = partition;
    guest_got[guest_got_len++ % sizeof guest_got] = (char)byte;
    return true;
}

static void to_monitor(void *ctx, uint8_t byte)
{
    (void)ctx;
    monitor_got[monitor_got_len++ % sizeof monitor_got] = (char)byte;
}

static void redraw_monitor(void *ctx)
{
    (void)ctx;
    redraws++;
    con_monitor_write(&con, "> ", 2);
}

static void poll(void)
{
    now += MS;
    (void)con_poll(&con, now);
}

static void forget(void)
{
    poll();
    screen_len = 0;
    screen[0] = '\0';
}

static void fresh(void)
{
    con_init(&con, &(struct con_hooks){ .to_guest = to_guest, .to_monitor = to_monitor, .redraw_monitor = redraw_monitor });
    terminal_takes = SIZE_MAX;
    guest_takes = SIZE_MAX;
    guest_got_len = monitor_got_len = redraws = 0;
    now = 1;
    if (!con_add_terminal(&con, &(struct con_terminal){ .put = put, .put_now = put_now }) ||
        !con_set_partition(&con, 0, "linux") || !con_set_partition(&con, 1, "ticks"))
        abort();
    forget();
}

static const char *ticks_is_paused(void *ctx, unsigned partition)
{
    return partition == 1 ? "is paused" : NULL;
}

static void guest(unsigned p, const char *text)
{
    con_guest_write(&con, p, CON_SERIAL, text, strlen(text));
}

static void type(const char *keys)
{
    while (*keys)
        con_input(&con, (uint8_t)*keys++);
    poll();
}

static bool shows(const char *text)
{
    poll();
    if (strcmp(screen, text) == 0)
        return true;
    printf("  the terminal shows:\n%s\n", screen);
    return false;
}

static bool contains(const char *text)
{
    poll();
    return strstr(screen, text) != NULL;
}

/* ---- the overview ---- */

TEST(guests_lines_are_shown_whole_with_their_names)
{
    fresh();
    guest(0, "Linux ver");
    guest(1, "tick 1\r\n");
    guest(0, "sion 6.1\r\n");
    CHECK(shows("[ticks] tick 1\r\n[linux] Linux version 6.1\r\n"));
}

TEST(the_debug_console_and_the_uart_of_a_guest_do_not_mix_in_a_line)
{
    fresh();
    guest(0, "ser");
    con_guest_write(&con, 0, CON_DEBUG, "debug\n", 6);
    guest(0, "ial\n");
    CHECK(shows("[linux] debug\r\n[linux] serial\r\n"));
}

TEST(a_partial_line_is_shown_after_a_while_and_its_end_makes_no_empty_line)
{
    fresh();
    guest(0, "~ # ");
    CHECK(shows(""));
    uint64_t due = con_poll(&con, now);
    CHECK(due > now && due <= now + 300 * MS);
    now = due;
    CHECK(shows("[linux] ~ #\r\n"));
    guest(0, "\r\nnext\r\n");
    CHECK(shows("[linux] ~ #\r\n[linux] next\r\n"));
}

TEST(a_line_written_after_a_long_sleep_is_not_torn)
{
    fresh();
    now += 10000 * MS;
    guest(0, "first half,");
    CHECK(shows(""));
    guest(0, " second half\n");
    CHECK(shows("[linux] first half, second half\r\n"));
}

TEST(escape_sequences_of_a_guest_do_not_reach_the_overview)
{
    fresh();
    guest(0, "\033[31mred\033[0m \033]0;title\atitle\033[2K \033(Bplain\033c\n");
    CHECK(shows("[linux] red title plain\r\n"));
}

TEST(a_guest_that_moves_its_cursor_gets_a_line_for_each_field)
{
    fresh();
    guest(0, "\033[2J\033[1;1HMemtest86+\033[5;10HPass 1\033[6;1H");
    CHECK(shows("[linux] Memtest86+\r\n[linux] Pass 1\r\n"));
}

TEST(nul_bytes_controls_and_8_bit_codes_are_taken_out)
{
    fresh();
    con_guest_write(&con, 0, CON_SERIAL, "a\0b\x07" "c\x9B" "31md\xC3\xA9" "e\x7F\n", 15);
    CHECK(shows("[linux] abc31md?e\r\n"));
}

TEST(a_guest_cannot_write_at_the_start_of_a_line)
{
    fresh();
    guest(0, "\r\n[ticks] lie\r[ticks] another\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b--- fake ---\n");
    poll();
    for (const char *line = screen; *line; line = strstr(line, "\r\n") + 2)
        CHECK(!strncmp(line, "[linux] ", 8));
}

TEST(carriage_returns_and_backspaces_edit_the_line)
{
    fresh();
    guest(0, " 10%\r 20%\r100%\nabx\bc\n\ttab\n");
    CHECK(shows("[linux] 100%\r\n[linux] abc\r\n[linux]         tab\r\n"));
}

TEST(a_line_of_a_megabyte_is_shown_in_pieces_and_leaves_room_for_others)
{
    fresh();
    terminal_takes = 0;
    for (int i = 0; i < 1 << 20; i++)
        con_guest_write(&con, 0, CON_SERIAL, "A", 1);
    guest(1, "still here\n");
    con_log_sink(&con, "the hypervisor, too\n", 20);
    terminal_takes = SIZE_MAX;
    for (int i = 0; i < 200; i++)
        poll();
    CHECK(contains("[ticks] still here\r\n"));
    CHECK(contains("the hypervisor, too\r\n"));
    CHECK(contains("--- linux: "));
    CHECK(contains(" bytes) dropped"));
    for (const char *line = screen; *line; line = strstr(line, "\r\n") + 2)
        CHECK((size_t)(strstr(line, "\r\n") - line) < 230);
}

TEST(a_slow_terminal_gets_everything_in_its_own_time)
{
    fresh();
    terminal_takes = 16;
    for (int i = 0; i < 100; i++)
        guest(0, "0123456789\n");
    uint64_t due = con_poll(&con, ++now);
    for (int i = 0; i < 10000 && due != CON_NEVER; i++)
        due = con_poll(&con, now = due);
    CHECK_EQ(due, CON_NEVER);
    CHECK_EQ(screen_len, 100 * strlen("[linux] 0123456789\r\n"));
}

TEST(a_slow_terminal_s_congestion_is_told)
{
    fresh();
    terminal_takes = 0;
    CHECK(!con_is_congested(&con));
    for (int i = 0; i < 2000; i++) {
        guest(0, "01234567890123456789012345678901234567890123456789\n");
        guest(1, "01234567890123456789012345678901234567890123456789\n");
    }
    CHECK(con_is_congested(&con));
}

TEST(a_colour_terminal_gets_each_name_in_its_colour)
{
    fresh();
    con.terminal[0].colours = true;
    guest(0, "x\n");
    guest(1, "y\n");
    CHECK(shows("\033[36m[linux] \033[0mx\r\n\033[32m[ticks] \033[0my\r\n"));
}

TEST(a_name_cannot_break_its_brackets)
{
    fresh();
    CHECK(con_set_partition(&con, 2, "a] [b\033c"));
    con_guest_write(&con, 2, CON_SERIAL, "x\n", 2);
    CHECK(shows("[a___b_c] x\r\n"));
}

TEST(output_of_partitions_that_do_not_exist_is_ignored)
{
    fresh();
    guest(7, "x\n");
    guest(99, "x\n");
    CHECK(!con_set_partition(&con, CON_MAX_PARTITIONS, "x"));
    CHECK(!con_attach(&con, 7));
    CHECK(shows(""));
}

TEST(the_log_s_control_characters_are_replaced)
{
    fresh();
    con_log_sink(&con, "stopped \"\033[2J\"\n", 15);
    CHECK(shows("stopped \"?[2J\"\r\n"));
}

TEST(typing_in_the_overview_says_once_where_keys_go)
{
    fresh();
    type("ls\r");
    CHECK(contains("what you type goes nowhere here"));
    forget();
    type("ls\r");
    CHECK(shows(""));
    CHECK_EQ(guest_got_len, 0);
}

/* ---- attached ---- */

TEST(an_attached_guest_has_the_terminal_raw_in_both_directions)
{
    fresh();
    type("\x1D" "2");
    CHECK(contains("--- ticks: Ctrl-] o goes back"));
    forget();
    guest(1, "\033[31mraw\r\n# ");
    guest(0, "not shown\n");
    CHECK(shows("\033[31mraw\r\n# "));
    type("ls\r\x03");
    CHECK_EQ(guest_number, 1);
    CHECK_EQ(guest_got_len, 4);
    CHECK(!memcmp(guest_got, "ls\r\x03", 4));
}

TEST(attaching_to_a_guest_that_stands_still_says_so)
{
    fresh();
    con.hooks.standstill = ticks_is_paused;
    guest(1, "# ");
    type("\x1D" "1");
    CHECK(!contains("paused"));
    forget();
    type("\x1D" "2");
    CHECK(contains("--- ticks is paused ---\r\n"));
}

TEST(attaching_replays_what_the_guest_wrote_before)
{
    fresh();
    guest(0, "Debian\r\nlogin: ");
    forget();
    type("\x1D" "1");
    CHECK(contains("Debian\r\nlogin: "));
}

TEST(the_replay_begins_with_a_whole_line_and_is_the_latest)
{
    fresh();
    for (int i = 0; i < 3000; i++) {
        char line[32];
        snprintf(line, sizeof line, "line %d\r\n", i);
        guest(0, line);
    }
    for (int i = 0; i < 100; i++)
        forget();
    type("\x1D" "1");
    for (int i = 0; i < 100; i++)
        poll();
    CHECK(contains("line 2999\r\n"));
    CHECK(!strncmp(strstr(screen, "---\r\n") + 5, "line 2", 6));
}

TEST(the_replay_does_not_make_the_terminal_answer)
{
    fresh();
    guest(0, "a\033[6nb\033[cc\033]52;c;?\ad\033P$qm\033\\e\033[32mf\n");
    forget();
    type("\x1D" "1");
    CHECK(contains("---\r\nabcde\033[32mf\n"));
}

TEST(a_sequence_broken_off_or_endless_leaves_nothing_in_the_replay)
{
    static char endless[3000];
    fresh();
    memset(endless, '1', sizeof endless - 1);
    guest(0, "a\033[12\nb\033[");
    guest(0, endless);
    guest(0, "mc");
    forget();
    type("\x1D" "1");
    CHECK(contains("---\r\na\nbc"));
}

TEST(leaving_a_guest_puts_the_terminal_right)
{
    fresh();
    type("\x1D" "1");
    guest(0, "\033[?1049h\033[31m\033[?25lvi");
    forget();
    type("\x1D" "o");
    CHECK(contains("\033[0m"));
    CHECK(contains("\033[?25h"));
    CHECK(contains("\r\n--- overview: "));
}

TEST(the_hypervisor_is_heard_while_a_guest_is_attached)
{
    fresh();
    type("\x1D" "1");
    guest(0, "# ls");
    forget();
    con_log_sink(&con, "linux: stopped\n", 15);
    CHECK(shows("\033[0m\r\nlinux: stopped\r\n"));
}

TEST(a_guest_that_does_not_read_delays_bytes_but_not_the_way_out)
{
    fresh();
    type("\x1D" "1");
    guest_takes = 2;
    type("hello");
    CHECK_EQ(guest_got_len, 2);
    CHECK(con_poll(&con, now) <= now + 10 * MS);
    guest_takes = 2;
    poll();
    CHECK_EQ(guest_got_len, 2); /* not yet */
    con_guest_ready(&con);
    poll();
    CHECK_EQ(guest_got_len, 4);
    CHECK(!memcmp(guest_got, "hell", 4));
    now += 5 * MS;
    guest_takes = 0;
    poll();
    type("\x1D" "2");
    guest_takes = SIZE_MAX;
    type("x");
    CHECK_EQ(guest_got_len, 5); /* the o typed for the first guest did not go to the second */
    CHECK_EQ(guest_got[4], 'x');
    CHECK_EQ(guest_number, 1);
}

TEST(a_flood_of_typing_rings_the_bell)
{
    fresh();
    type("\x1D" "1");
    guest_takes = 0;
    forget();
    for (int i = 0; i < 40; i++)
        type("0123456789");
    CHECK(contains("\a"));
}

TEST(the_prefix_twice_sends_it_once)
{
    fresh();
    type("\x1D" "1" "\x1D\x1D" "x");
    CHECK_EQ(guest_got_len, 2);
    CHECK(!memcmp(guest_got, "\x1Dx", 2));
}

TEST(a_number_without_a_guest_and_an_unknown_key_say_so)
{
    fresh();
    type("\x1D" "7");
    CHECK(contains("there is no guest 7"));
    type("\x1D" "z");
    CHECK(contains("no such key"));
    type("\x1D" "?");
    CHECK(contains("--- 2  ticks ---"));
}

TEST(what_passed_meanwhile_is_counted_for_the_overview)
{
    fresh();
    type("\x1D" "1");
    guest(1, "one\ntwo\nthree\n");
    type("\x1D" "o");
    CHECK(contains("3 lines of guests came meanwhile"));
}

/* ---- the monitor ---- */

TEST(the_monitor_gets_the_keys_and_its_line_is_redrawn_after_the_log)
{
    fresh();
    type("\x1D" "m");
    CHECK_EQ(redraws, 1);
    type("list\r");
    CHECK(!memcmp(monitor_got, "list\r", 5));
    forget();
    guest(0, "not shown\n");
    con_log_sink(&con, "hello\n", 6);
    CHECK(shows("\r\033[Khello\r\n> "));
}

TEST(the_monitor_s_line_ends_become_cr_lf)
{
    fresh();
    type("\x1D" "m");
    forget();
    con_monitor_write(&con, "a\nb\n", 4);
    CHECK(shows("a\r\nb\r\n"));
}

TEST(the_monitor_is_silent_in_other_views)
{
    fresh();
    con_monitor_write(&con, "trapeze> ", 9);
    CHECK(shows(""));
}

/* ---- panic ---- */

TEST(an_alarm_in_the_middle_of_what_a_terminal_is_taking_begins_a_line)
{
    fresh();
    guest(0, "hello\n");
    terminal_takes = 2;
    poll();
    CHECK_EQ(screen_len, 2);
    con_alarm_begin(&con);
    con_log_sink(&con, "stuck\n", 6);
    con_alarm_end(&con);
    CHECK(strstr(screen, "\033[0m\r\nstuck\r\n"));
    terminal_takes = SIZE_MAX;
    CHECK(contains("hello\r\n"));
}

TEST(a_panic_writes_what_is_queued_and_then_only_the_log)
{
    fresh();
    terminal_takes = 0;
    guest(0, "last words\n");
    poll();
    spin_lock(&con.lock); /* the CPU that crashed may hold it */
    con_panic(&con);
    guest(0, "afterwards\n");
    con_log_sink(&con, "panic: reason\n", 14);
    con_input(&con, 'x');
    CHECK_EQ(con_poll(&con, now), CON_NEVER);
    CHECK(!strcmp(screen, "[linux] last words\r\npanic: reason\r\n"));
}

TEST(a_panic_shows_no_escape_sequence_that_a_log_line_quotes)
{
    char line[200] = "panic: a guest's \033[2J, a\ttab";
    fresh();
    con_panic(&con);
    con_log_sink(&con, line, strlen(line));
    CHECK(!strcmp(screen, "panic: a guest's ?[2J, a tab\r\n"));
    memset(line, 'x', sizeof line);
    con_log_sink(&con, line, sizeof line);
    CHECK_EQ(screen_len, strlen("panic: a guest's ?[2J, a tab\r\n") + sizeof line + 2);
}

TEST(while_the_machine_starts_each_line_is_written_at_once)
{
    fresh();
    con.polled = false;
    terminal_takes = 0;
    con_log_sink(&con, "Trapeze starts\n", 15);
    CHECK(!strcmp(screen, "Trapeze starts\r\n"));
}

TEST(a_flush_writes_all_that_is_queued)
{
    fresh();
    terminal_takes = 0;
    guest(0, "bye\n");
    con_flush(&con);
    CHECK(!strcmp(screen, "[linux] bye\r\n"));
}

static unsigned draws_left;

static bool draw(void *ctx)
{
    (void)ctx;
    if (draws_left)
        draws_left--;
    return draws_left == 0;
}

TEST(a_screen_is_drawn_bit_by_bit_and_not_too_often)
{
    fresh();
    CHECK(con_add_terminal(&con, &(struct con_terminal){ .put = put, .put_now = put_now, .draw = draw }));
    draws_left = 3;
    now += 100 * MS;
    CHECK_EQ(con_poll(&con, now), now + 5 * MS);
    CHECK_EQ(draws_left, 2);
    CHECK_EQ(con_poll(&con, now + MS), now + 5 * MS);
    CHECK_EQ(draws_left, 2);
    CHECK_EQ(con_poll(&con, now + 5 * MS), now + 10 * MS);
    CHECK_EQ(con_poll(&con, now + 10 * MS), CON_NEVER);
    CHECK_EQ(draws_left, 0);
}

TEST(a_second_cpu_that_polls_leaves_word_to_the_first)
{
    fresh();
    con_input(&con, 'x');
    con.polling = true;
    con.news = false;
    con.due = 0;
    CHECK_EQ(con_poll(&con, ++now), CON_NEVER);
    CHECK(con.news);
    con.polling = false;
    (void)con_poll(&con, now);
    CHECK(contains("what you type goes nowhere"));
}

TEST(with_nothing_to_do_polling_touches_nothing_until_there_is_news)
{
    fresh();
    while (con_poll(&con, now) != CON_NEVER)
        ;
    con.polling = true; /* would be noticed */
    CHECK_EQ(con_poll(&con, now + 1000 * MS), CON_NEVER);
    CHECK(!con.news);
    con.polling = false;
    guest(0, "news\n");
    CHECK(shows("[linux] news\r\n"));
}
