#include "hv/shell/shell_screen.h"

/* Code page 437: 00h-1Fh, and 80h-FFh sixteen at a time. */
static const char low[] = " oo****.o.o..nn*><|!PS-|^v><L-^v";
static const char high[] = "CueaaaaceeeiiiAA" "EaAooouuyOUcLYPf" "aiounNao?--%%!<>" "###|++++++|+++++"
                           "++++-++++++++=++" "+++++++++++#####" "aBGpSsmtFTOd8fen" "=+><()/~o..vn2# ";
_Static_assert(sizeof low == 0x20 + 1 && sizeof high == 0x80 + 1, "every code has its character");

static char look_alike(uint8_t code)
{
    if (code < 0x20)
        return low[code];
    if (code >= 0x80)
        return high[code - 0x80];
    return code == 0x7F ? '^' : (char)code;
}

void shell_screen_row(const uint8_t *cells, unsigned row, char out[SHELL_VGA_COLUMNS + 1])
{
    for (unsigned x = 0; x < SHELL_VGA_COLUMNS; x++)
        out[x] = look_alike(cells[(row * SHELL_VGA_COLUMNS + x) * 2]);
    out[SHELL_VGA_COLUMNS] = '\0';
}
