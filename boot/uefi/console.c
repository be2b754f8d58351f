#include "boot/uefi/console.h"
#include "arch/x86_64/cpu/insn.h"
#include "boot/uefi/efi.h"
#include "hv/lib/fmt.h"
#include "hv/lib/str.h"

#define COM1          0x3f8
#define LSR           5    /* line status register */
#define LSR_THRE      0x20 /* transmitter holding register empty */
#define POLLS_AT_MOST 100000
#define LINE_SIZE     256
#define PAUSE_STEPS   100  /* of a tenth of a second */
#define STEP_MICROSECONDS 100000

static bool firmware_has_serial;

/* The variable "ConOut" lists the device paths of the console; UEFI specification, "Globally Defined Variables" and
 * "UART Device Path". */
static bool console_includes_uart(void)
{
    static uint8_t paths[2048];
    EFI_GUID global = EFI_GLOBAL_VARIABLE;
    UINTN size = sizeof paths;
    if (EFI_ERROR(loader.system->RuntimeServices->GetVariable((CHAR16 *)L"ConOut", &global, NULL, &size, paths)))
        return false;
    for (size_t at = 0; range_fits(at, 4, size);) {
        size_t length = paths[at + 2] | (size_t)paths[at + 3] << 8;
        if (paths[at] == MESSAGING_DEVICE_PATH && paths[at + 1] == MSG_UART_DP)
            return true;
        if (length < 4)
            return false;
        at += length;
    }
    return false;
}

static void serial_put(char c)
{
    for (int i = 0; i < POLLS_AT_MOST && !(inb(COM1 + LSR) & LSR_THRE); i++)
        ;
    outb(COM1, (uint8_t)c);
}

static void serial_write(const char *text)
{
    for (; *text; text++)
        serial_put(*text);
}

void console_init(void)
{
    firmware_has_serial = console_includes_uart();
}

void console_say(const char *format, ...)
{
    char line[LINE_SIZE];
    CHAR16 wide[LINE_SIZE + 2];
    va_list args;
    va_start(args, format);
    fmt_vprint(line, sizeof line, format, args);
    va_end(args);
    size_t n = 0;
    for (; line[n]; n++)
        wide[n] = (CHAR16)(unsigned char)line[n];
    wide[n] = '\r';
    wide[n + 1] = '\n';
    wide[n + 2] = 0;
    loader.system->ConOut->OutputString(loader.system->ConOut, wide);
    if (!firmware_has_serial) {
        serial_write(line);
        serial_write("\r\n");
    }
}

NORETURN void console_stop(const char *line)
{
    serial_write(line);
    serial_write("\r\n");
    cli();
    for (;;)
        hlt();
}

void console_pause(void)
{
    console_say("Press a key to return to the firmware (it happens by itself in 10 seconds).");
    for (int i = 0; i < PAUSE_STEPS; i++) {
        EFI_INPUT_KEY key;
        if (!EFI_ERROR(loader.system->ConIn->ReadKeyStroke(loader.system->ConIn, &key)))
            return;
        loader.services->Stall(STEP_MICROSECONDS);
    }
}
