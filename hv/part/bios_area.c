#include "hv/part/bios_area.h"

#include "hv/lib/str.h"
#include "hv/part/layout.h"
#include "hv/part/mp_table.h"

/* IBM PC compatibles keep these at fixed places in segment F000; some programs jump there directly. */
#define ROM_SEGMENT    0xf000u
#define ROM_BASE       UINT64_C(0xf0000)
#define DUMMY_IRET     0xff53u
#define POWER_ON       0xe05bu
#define RESET_VECTOR   0xfff0u
#define MODEL_BYTE     UINT64_C(0xffffe)
#define MODEL_AT       0xfc

#define BDA            UINT64_C(0x400)
#define VECTORS        256

/* BIOS data area, as in the "IBM PS/2 and PC BIOS Interface Technical Reference". */
struct PACKED bios_data {
    uint16_t com_ports[4], lpt_ports[3], ebda_segment;
    uint16_t equipment;
    uint8_t reserved1;
    uint16_t memory_kib;
    uint8_t reserved2[2];
    uint8_t keyboard_flags[2], keypad;
    uint16_t keyboard_head, keyboard_tail;
    uint8_t keyboard_buffer[32], diskette[11];
    uint8_t video_mode;
    uint16_t video_columns, video_page_bytes, video_page_start;
    uint8_t cursors[16];
    uint16_t cursor_shape;
    uint8_t video_page;
    uint16_t crtc_port;
    uint8_t mode_register, palette;
    uint8_t reserved3[5];
    uint32_t timer_ticks;
    uint8_t timer_overflow, break_flag;
    uint16_t reset_flag;
    uint8_t disks[4], lpt_timeouts[4], com_timeouts[4];
    uint16_t keyboard_start, keyboard_end;
    uint8_t video_last_row;
    uint16_t character_height;
};
HW_OFFSET(struct bios_data, equipment, 0x10);
HW_OFFSET(struct bios_data, video_mode, 0x49);
HW_OFFSET(struct bios_data, crtc_port, 0x63);
HW_OFFSET(struct bios_data, timer_ticks, 0x6c);
HW_OFFSET(struct bios_data, keyboard_start, 0x80);
HW_OFFSET(struct bios_data, character_height, 0x85);

enum equipment { EQUIPMENT_FPU = 1 << 1, EQUIPMENT_COLOUR_80 = 2 << 4, EQUIPMENT_ONE_COM = 1 << 9 };

static bool build_vectors(const struct guest_memory_ops *memory)
{
    uint32_t vectors[VECTORS / 4];
    for (unsigned i = 0; i < ARRAY_SIZE(vectors); i++)
        vectors[i] = ROM_SEGMENT << 16 | DUMMY_IRET;
    for (unsigned i = 0; i < 4; i++)
        if (!guest_memory_write(memory, i * sizeof vectors, vectors, sizeof vectors))
            return false;
    return true;
}

static bool build_data(const struct guest_memory_ops *memory)
{
    const struct bios_data d = {
        .com_ports = { 0x3f8 }, .ebda_segment = LAYOUT_EBDA >> 4,
        .equipment = EQUIPMENT_FPU | EQUIPMENT_COLOUR_80 | EQUIPMENT_ONE_COM,
        .memory_kib = LAYOUT_LOW_RAM_END / 1024, .keyboard_head = 0x1e, .keyboard_tail = 0x1e,
        .video_mode = 3, .video_columns = 80, .video_page_bytes = 4096, .cursor_shape = 0x0607, .crtc_port = 0x3d4,
        .mode_register = 0x29, .palette = 0x30, .com_timeouts = { 1 }, .keyboard_start = 0x1e, .keyboard_end = 0x3e,
        .video_last_row = 24, .character_height = 16 };
    const uint8_t ebda_kib = (LAYOUT_LOW_END - LAYOUT_EBDA) / 1024;
    return guest_memory_write(memory, BDA, &d, sizeof d) && guest_memory_write(memory, LAYOUT_EBDA, &ebda_kib, 1);
}

/* What the CPU finds at FFFF:0 jumps to code that resets the partition, so that "jump to the BIOS" reboots. */
static bool build_rom(const struct guest_memory_ops *memory)
{
    static const uint8_t iret[] = { 0xcf };
    static const uint8_t jump[] = { 0xea, POWER_ON & 0xff, POWER_ON >> 8, ROM_SEGMENT & 0xff, ROM_SEGMENT >> 8,
                                    '0', '1', '/', '0', '1', '/', '2', '6' };
    static const uint8_t reset[] = {
        0xba, 0xf9, 0x0c, /* mov dx, 0xcf9   the reset control register */
        0xb0, 0x06,       /* mov al, 6       full reset */
        0xee,             /* out dx, al */
        0xfa, 0xf4,       /* cli; hlt */
        0xeb, 0xfc,       /* jmp to cli */
    };
    static const uint8_t model[] = { MODEL_AT };
    return guest_memory_write(memory, ROM_BASE + DUMMY_IRET, iret, sizeof iret)
           && guest_memory_write(memory, ROM_BASE + RESET_VECTOR, jump, sizeof jump)
           && guest_memory_write(memory, ROM_BASE + POWER_ON, reset, sizeof reset)
           && guest_memory_write(memory, MODEL_BYTE, model, sizeof model);
}

bool bios_area_build(unsigned cpu_count, const struct guest_memory_ops *memory)
{
    return build_vectors(memory) && build_data(memory) && build_rom(memory) && mp_table_build(cpu_count, memory);
}
