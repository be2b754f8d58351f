/* All that the monitor knows of the rest of the hypervisor, and all that it can ask for. hv/main.c fills this in; a
 * test fills in a fake. Every function may be called at any time, from the CPU that calls con_poll; none may wait. */
#ifndef HV_SHELL_SHELL_OPS_H
#define HV_SHELL_SHELL_OPS_H

#include "hv/lib/types.h"
#include "hv/trace/frame.h"
#include "hv/trace/last.h"
#include "hv/trace/machine.h"

#define SHELL_MAX_PARTITIONS 16
#define SHELL_ALL            SIZE_MAX /* where a partition's index is asked for: all together */
#define SHELL_MAX_CPUS       64
#define SHELL_MAX_EXITS      96
#define SHELL_VGA_COLUMNS    80
#define SHELL_VGA_ROWS       25

/* A row of `list`. Rates and shares are of the last measuring interval (about a second). */
struct shell_partition {
    char name[32];
    char state[224];           /* "running", "paused", "stopped", "stopped: triple fault", ... */
    unsigned vcpus;
    uint64_t memory;           /* bytes */
    unsigned cpu_permille;     /* of one CPU; more than 1000 with several vCPUs */
    uint64_t exits_per_s;
};

/* A row of `exits`. */
struct shell_exit {
    const char *kind;          /* one word: "cpuid", "io", ... */
    uint64_t count;
    uint64_t ticks;            /* TSC ticks spent in the hypervisor, all together */
    uint64_t per_s;            /* of the last measuring interval */
    uint32_t median, high;     /* ticks: half, and 99 of 100, need no more; of those still in the trace, none: 0 */
};

/* A row of `cpus`. */
struct shell_cpu {
    uint32_t apic_id;
    bool online;
    unsigned busy_permille;    /* of the last measuring interval */
    unsigned vcpus;            /* runnable or running here */
    char running[32];          /* "linux/0", "idle" */
};

/* A row of `policy`. */
enum shell_control_state { SHELL_CONTROL_OFF, SHELL_CONTROL_ON, SHELL_CONTROL_ALWAYS, SHELL_CONTROL_NONE };
struct shell_control {
    enum shell_control_state state;
    uint64_t exits, ticks;     /* of the kinds of exits that it makes */
    bool shared;               /* and that others make, too, which are on */
};

enum shell_action { SHELL_PAUSE, SHELL_RESUME, SHELL_STOP, SHELL_START, SHELL_RESTART };
enum shell_machine { SHELL_POWEROFF, SHELL_REBOOT };
enum shell_step { SHELL_STEP_RUNS, SHELL_STEP_DONE, SHELL_STEP_ENDED /* the partition has */ };

/* Where a query prints to: one line at a time, without '\n'. */
struct shell_printer {
    void (*line)(void *ctx, const char *text);
    void *ctx;
};

struct shell_ops {
    void *ctx;
    const char *version;       /* one line */
    const char *(*backend)(void *ctx); /* the virtualization extension in use, by name */
    size_t (*partitions)(void *ctx, struct shell_partition *out, size_t max);
    /* Returns NULL if it is done (or under way), else why not: a static sentence without a full stop. */
    const char *(*control)(void *ctx, size_t partition, enum shell_action action);
    /* Registers, memory map, devices, in lines of at most 79 characters. */
    void (*info)(void *ctx, size_t partition, const struct shell_printer *out);
    /* What the hardware itself keeps of each vCPU, by the manual's names. */
    void (*fields)(void *ctx, size_t partition, const struct shell_printer *out);
    /* What was noted when the partition could not go on; false: it never was so. */
    bool (*postmortem)(void *ctx, size_t partition, const struct shell_printer *out);
    /* The partition's last exit in a few lines; returns its kind, enum vt_exit_kind, or VT_EXIT_KINDS: none yet. */
    unsigned (*why)(void *ctx, size_t partition, const struct shell_printer *out);
    /* The text page at guest-physical B8000h: character and attribute bytes. False: it has none. */
    bool (*vga_text)(void *ctx, size_t partition, uint8_t cells[SHELL_VGA_ROWS * SHELL_VGA_COLUMNS * 2]);
    size_t (*exits)(void *ctx, size_t partition, struct shell_exit *out, size_t max);
    /* Exit controls by their numbers (arch/x86_64/vt/policy.h). False: there is no such partition. */
    bool (*control_state)(void *ctx, size_t partition, unsigned control, struct shell_control *out);
    /* Sets of them; NULL if it is done, else why not. */
    const char *(*switch_controls)(void *ctx, size_t partition, uint64_t on, uint64_t off);

    /* The names for what the trace holds; NULL: it is switched off, and the following are not to be called. */
    const struct trace_machine *(*trace_machine)(void *ctx);
    /* The last records of a partition, the oldest first. */
    size_t (*trace)(void *ctx, size_t partition, const struct trace_filter *filter, struct trace_record *out, size_t max);
    /* The instruction that made this exit, as guest memory is now; false: it cannot be told. After trace() or a step. */
    bool (*instruction)(void *ctx, const struct trace_record *r, char *text, size_t size);
    /* All rings as they are now, `limit` records of each; then line by line, false: no more. NULL: it has begun, else why not. */
    const char *(*dump_begin)(void *ctx, uint64_t limit);
    bool (*dump_line)(void *ctx, char line[TRACE_FRAME_SIZE]);
    void (*dump_end)(void *ctx);
    /* Let a partition run to its next exit that is not the machine's doing, and pause it there. NULL: it is under way, else
     * why not. */
    const char *(*step_begin)(void *ctx, size_t partition);
    enum shell_step (*step_poll)(void *ctx, size_t partition, struct trace_record *exit);
    void (*step_cancel)(void *ctx, size_t partition);
    size_t (*cpus)(void *ctx, struct shell_cpu *out, size_t max);
    /* What is done against leaks by speculation: a line for each measure. */
    void (*speculation)(void *ctx, const struct shell_printer *out);
    /* As log_tail(). */
    size_t (*log_tail)(char *buf, size_t size, uint64_t back);
    /* Is the hypervisor itself whole? One line. */
    void (*self_check)(void *ctx, const struct shell_printer *out);
    void (*machine)(void *ctx, enum shell_machine what); /* does not return on success */
};

#endif
