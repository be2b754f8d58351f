/* The monitor: a command line over shell_ops. Typed bytes go in, text comes out; it keeps no hidden state, never
 * waits, and touches nothing but what it was handed. */
#ifndef HV_SHELL_SHELL_H
#define HV_SHELL_SHELL_H

#include "hv/con/con.h"
#include "hv/shell/line_edit.h"
#include "hv/shell/shell_ops.h"

#define SHELL_MAX_WORDS 16
#define SHELL_LOG_SIZE  KiB(16)
#define SHELL_TRACE_MAX 1000

struct shell {
    struct con *con;
    const struct shell_ops *ops;
    struct line_edit edit;
    /* Room for the commands' answers, which are too large for a hypervisor stack. */
    struct shell_partition partitions[SHELL_MAX_PARTITIONS];
    size_t partition_count;
    struct shell_cpu cpus[SHELL_MAX_CPUS];
    struct shell_exit exits[SHELL_MAX_EXITS];
    uint8_t vga[SHELL_VGA_ROWS * SHELL_VGA_COLUMNS * 2];
    char log[SHELL_LOG_SIZE];
    struct trace_record records[SHELL_TRACE_MAX];
    /* What a command goes on with after its prompt would have come: see shell_start_job. */
    struct {
        bool (*step)(struct shell *s, uint64_t now_ns);
        void (*end)(struct shell *s);
        size_t partition;      /* SHELL_ALL: all */
        uint64_t due;          /* ns */
    } job;
};

/* `ops` and `con` are kept by reference. One CPU at a time may use it: con_poll sees to that. */
void shell_init(struct shell *s, struct con *con, const struct shell_ops *ops);

/* The console's hooks: to_monitor and redraw_monitor, with the struct shell as context. */
void shell_input(void *shell, uint8_t byte);
void shell_redraw(void *shell);

/* Every few milliseconds, from the same CPU: what a command does over time goes on. */
void shell_tick(struct shell *s, uint64_t now_ns);

/* Run one command line, as if it had been typed. */
void shell_run(struct shell *s, const char *line);

#endif
