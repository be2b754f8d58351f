/* The table of commands, and what its functions share. Inside of hv/shell only. */
#ifndef HV_SHELL_SHELL_COMMAND_H
#define HV_SHELL_SHELL_COMMAND_H

#include "hv/shell/shell.h"

/* What a command takes after its name. */
enum shell_argument {
    SHELL_NO_ARGUMENT,
    SHELL_PARTITION,       /* a partition's name or number; looked up before the command runs */
    SHELL_PARTITION_AND_REST, /* and what follows it, taken apart by the command */
    SHELL_OPTIONAL_NUMBER,
    SHELL_OPTIONAL_WORD,   /* as typed */
    SHELL_WORDS,           /* the command looks at them itself */
};

struct shell_words {
    size_t count;
    const char *text[SHELL_MAX_WORDS];
    size_t len[SHELL_MAX_WORDS];
};

struct shell_call {
    size_t partition;      /* index, with SHELL_PARTITION */
    const char *rest;      /* with SHELL_PARTITION_AND_REST; NULL: nothing follows */
    uint64_t number;       /* with SHELL_OPTIONAL_NUMBER; 0: none was given */
    const char *word;      /* with SHELL_OPTIONAL_WORD, `word_len` characters; NULL: none was given */
    size_t word_len;
    const struct shell_words *words; /* with SHELL_WORDS, the command's name included */
};

struct shell_command {
    const char *name;
    const char *usage;     /* the arguments, for help */
    const char *help;      /* one sentence */
    enum shell_argument argument;
    enum shell_action action; /* for shell_command_control */
    void (*run)(struct shell *s, const struct shell_command *self, const struct shell_call *call);
};

extern const struct shell_command shell_commands[];
extern const size_t shell_command_count;

/* shell_policy.c */
void shell_run_policy(struct shell *s, const struct shell_command *self, const struct shell_call *call);
/* The partition that word `i` names; if there is none, the answer has been given. */
bool shell_partition_word(struct shell *s, const char *command, const struct shell_words *w, size_t i, size_t *index);
bool shell_is_word(const struct shell_words *w, size_t i, const char *text);
void shell_usage(struct shell *s, const struct shell_command *c);

/* From now on until it returns false, until a key is pressed or the monitor is not shown any more, `step` is called
 * every few milliseconds; then `end`. There is no prompt meanwhile. */
typedef bool (*shell_job_step_t)(struct shell *s, uint64_t now_ns);
typedef void (*shell_job_end_t)(struct shell *s);
void shell_start_job(struct shell *s, shell_job_step_t step, shell_job_end_t end);

/* shell_trace.c */
void shell_run_exits(struct shell *s, const struct shell_command *self, const struct shell_call *call);
void shell_run_trace(struct shell *s, const struct shell_command *self, const struct shell_call *call);
void shell_run_step(struct shell *s, const struct shell_command *self, const struct shell_call *call);

/* shell_explain.c */
void shell_run_explain(struct shell *s, const struct shell_command *self, const struct shell_call *call);
void shell_run_why(struct shell *s, const struct shell_command *self, const struct shell_call *call);
void shell_run_postmortem(struct shell *s, const struct shell_command *self, const struct shell_call *call);

/* One line of output; control characters in it are replaced. */
void shell_line(struct shell *s, const char *format, ...) PRINTF(2, 3);

/* The same for those who hand out lines: `shell` is a struct shell. */
void shell_print_line(void *shell, const char *text);

/* Ask for the partitions anew: fills s->partitions. */
void shell_refresh(struct shell *s);

/* A line_edit_hooks.complete: commands, then partitions' names. */
bool shell_complete(void *shell, const char *text, size_t cursor, char *more, size_t size);

#endif
