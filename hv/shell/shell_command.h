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
};

struct shell_call {
    size_t partition;      /* index, with SHELL_PARTITION */
    const char *rest;      /* with SHELL_PARTITION_AND_REST; NULL: nothing follows */
    uint64_t number;       /* with SHELL_OPTIONAL_NUMBER; 0: none was given */
    const char *word;      /* with SHELL_OPTIONAL_WORD, `word_len` characters; NULL: none was given */
    size_t word_len;
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
/* shell_explain.c */
void shell_run_explain(struct shell *s, const struct shell_command *self, const struct shell_call *call);
void shell_run_why(struct shell *s, const struct shell_command *self, const struct shell_call *call);
void shell_run_postmortem(struct shell *s, const struct shell_command *self, const struct shell_call *call);

/* One line of output; control characters in it are replaced. */
void shell_line(struct shell *s, const char *format, ...) PRINTF(2, 3);

/* Ask for the partitions anew: fills s->partitions. */
void shell_refresh(struct shell *s);

/* A line_edit_hooks.complete: commands, then partitions' names. */
bool shell_complete(void *shell, const char *text, size_t cursor, char *more, size_t size);

#endif
