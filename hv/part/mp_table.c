#include "hv/part/mp_table.h"

#include "hv/lib/bits.h"
#include "hv/lib/str.h"

/* Both in the part of the ROM area that is searched for the pointer. */
#define POINTER_ADDRESS UINT64_C(0xf0000)
#define TABLE_ADDRESS   UINT64_C(0xf0010)

#define ISA_INTERRUPTS  16
#define CASCADE         2 /* the PICs' own; on the IOAPIC this pin is the timer's */
#define ALL_LAPICS      0xff

enum entry_type { ENTRY_PROCESSOR = 0, ENTRY_BUS = 1, ENTRY_IOAPIC = 2, ENTRY_INTERRUPT = 3, ENTRY_LOCAL_INTERRUPT = 4 };
enum interrupt_type { INTERRUPT_INT = 0, INTERRUPT_NMI = 1, INTERRUPT_EXTINT = 3 };
enum { PROCESSOR_ENABLED = 1, PROCESSOR_BOOT = 2, IOAPIC_ENABLED = 1, LEVEL_ACTIVE_HIGH = 0xd, CPU_HAS_FPU_APIC = 0x201 };

struct PACKED mp_pointer {
    char signature[4];
    uint32_t table;
    uint8_t paragraphs, revision, checksum, features[5];
};
HW_SIZE(struct mp_pointer, 16);

struct PACKED mp_header {
    char signature[4];
    uint16_t length;
    uint8_t revision, checksum;
    char oem_id[8], product_id[12];
    uint32_t oem_table;
    uint16_t oem_size, entries;
    uint32_t lapic;
    uint16_t extended_length;
    uint8_t extended_checksum, reserved;
};
HW_SIZE(struct mp_header, 44);

struct PACKED mp_processor { uint8_t type, apic_id, version, flags; uint32_t signature, features, reserved[2]; };
struct PACKED mp_bus { uint8_t type, id; char name[6]; };
struct PACKED mp_ioapic { uint8_t type, id, version, flags; uint32_t address; };
struct PACKED mp_interrupt { uint8_t type, kind; uint16_t flags; uint8_t bus, irq, apic, pin; };
HW_SIZE(struct mp_processor, 20);
HW_SIZE(struct mp_bus, 8);
HW_SIZE(struct mp_ioapic, 8);
HW_SIZE(struct mp_interrupt, 8);

#define TABLE_ROOM (sizeof(struct mp_header) + MP_TABLE_MAX_CPUS * sizeof(struct mp_processor) \
                    + (2 + ISA_INTERRUPTS + 2) * 8)

struct mp_table {
    uint8_t bytes[TABLE_ROOM];
    size_t size;
    uint16_t entries;
};

static void add(struct mp_table *t, const void *entry, size_t size)
{
    memcpy(t->bytes + t->size, entry, size);
    t->size += size;
    t->entries++;
}

static void add_processors(struct mp_table *t, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct mp_processor p = { ENTRY_PROCESSOR, (uint8_t)i, 0x14, PROCESSOR_ENABLED, 0x600, CPU_HAS_FPU_APIC, { 0 } };
        if (!i)
            p.flags |= PROCESSOR_BOOT;
        add(t, &p, sizeof p);
    }
}

static void add_interrupts(struct mp_table *t, uint8_t ioapic)
{
    for (unsigned irq = 0; irq < ISA_INTERRUPTS; irq++) {
        struct mp_interrupt e = { ENTRY_INTERRUPT, INTERRUPT_INT, 0, 0, (uint8_t)irq, ioapic,
                                  (uint8_t)(irq ? irq : CASCADE) };
        if (irq == CASCADE)
            continue;
        if (irq == 9) /* ACPI's */
            e.flags = LEVEL_ACTIVE_HIGH;
        add(t, &e, sizeof e);
    }
    struct mp_interrupt pic = { ENTRY_LOCAL_INTERRUPT, INTERRUPT_EXTINT, 0, 0, 0, 0, 0 };
    struct mp_interrupt nmi = { ENTRY_LOCAL_INTERRUPT, INTERRUPT_NMI, 0, 0, 0, ALL_LAPICS, 1 };
    add(t, &pic, sizeof pic);
    add(t, &nmi, sizeof nmi);
}

bool mp_table_build(unsigned cpu_count, const struct guest_memory_ops *memory)
{
    struct mp_table t = { .size = sizeof(struct mp_header) };
    struct mp_bus isa = { ENTRY_BUS, 0, { 'I', 'S', 'A', ' ', ' ', ' ' } };
    struct mp_ioapic ioapic = { ENTRY_IOAPIC, 0, 0x11, IOAPIC_ENABLED, 0xfec00000 };
    if (!cpu_count || cpu_count > MP_TABLE_MAX_CPUS)
        return false;
    add_processors(&t, cpu_count);
    add(&t, &isa, sizeof isa);
    add(&t, &ioapic, sizeof ioapic);
    add_interrupts(&t, ioapic.id);

    struct mp_header h = { .length = (uint16_t)t.size, .revision = 4, .entries = t.entries, .lapic = 0xfee00000 };
    memcpy(h.signature, "PCMP", sizeof h.signature);
    memcpy(h.oem_id, "TRAPEZE ", sizeof h.oem_id);
    memcpy(h.product_id, "PARTITION   ", sizeof h.product_id);
    memcpy(t.bytes, &h, sizeof h);
    t.bytes[offsetof(struct mp_header, checksum)] = (uint8_t)-byte_sum(t.bytes, t.size);

    struct mp_pointer p = { .table = (uint32_t)TABLE_ADDRESS, .paragraphs = 1, .revision = 4 };
    memcpy(p.signature, "_MP_", sizeof p.signature);
    p.checksum = (uint8_t)-byte_sum(&p, sizeof p);
    return guest_memory_write(memory, TABLE_ADDRESS, t.bytes, t.size)
           && guest_memory_write(memory, POINTER_ADDRESS, &p, sizeof p);
}
