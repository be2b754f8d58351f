/* ACPI table layouts, as in the ACPI Specification 6.5, "ACPI Software Programming Model". Facts only. */
#ifndef HV_PART_ACPI_FORMAT_H
#define HV_PART_ACPI_FORMAT_H

#include "hv/lib/types.h"

#define ACPI_RSDP_V1_SIZE 20 /* bytes that the first checksum covers */

struct PACKED acpi_rsdp {
    char signature[8]; /* "RSD PTR " */
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum;
    uint8_t reserved[3];
};
HW_SIZE(struct acpi_rsdp, 36);

struct PACKED acpi_header {
    char signature[4];
    uint32_t length; /* bytes, this header included */
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
};
HW_SIZE(struct acpi_header, 36);

struct PACKED acpi_gas { /* "Generic Address Structure" */
    uint8_t space, bit_width, bit_offset, access_size;
    uint64_t address;
};
HW_SIZE(struct acpi_gas, 12);
#define ACPI_SPACE_IO 1

struct PACKED acpi_fadt {
    struct acpi_header header; /* "FACP" */
    uint32_t firmware_ctrl, dsdt;
    uint8_t reserved1, preferred_pm_profile;
    uint16_t sci_int;
    uint32_t smi_cmd;
    uint8_t acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
    uint32_t pm1a_evt_blk, pm1b_evt_blk, pm1a_cnt_blk, pm1b_cnt_blk, pm2_cnt_blk, pm_tmr_blk, gpe0_blk, gpe1_blk;
    uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_blk_len, gpe1_blk_len, gpe1_base, cst_cnt;
    uint16_t p_lvl2_lat, p_lvl3_lat, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alrm, mon_alrm, century;
    uint16_t iapc_boot_arch;
    uint8_t reserved2;
    uint32_t flags;
    struct acpi_gas reset_reg;
    uint8_t reset_value;
    uint16_t arm_boot_arch;
    uint8_t minor_version;
    uint64_t x_firmware_ctrl, x_dsdt;
    struct acpi_gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr, x_gpe0, x_gpe1;
    struct acpi_gas sleep_control, sleep_status;
    uint64_t hypervisor_vendor;
};
HW_OFFSET(struct acpi_fadt, sci_int, 46);
HW_OFFSET(struct acpi_fadt, pm_tmr_blk, 76);
HW_OFFSET(struct acpi_fadt, flags, 112);
HW_OFFSET(struct acpi_fadt, x_dsdt, 140);
HW_SIZE(struct acpi_fadt, 276);

#define FADT_WBINVD        (1u << 0)
#define FADT_PROC_C1       (1u << 2)
#define FADT_SLP_BUTTON    (1u << 5) /* set: no fixed sleep button */
#define FADT_PWR_BUTTON    (1u << 4) /* set: no fixed power button */
#define FADT_RTC_S4        (1u << 7)
#define FADT_TMR_VAL_EXT   (1u << 8) /* the PM timer has 32 bits */
#define FADT_RESET_REG_SUP (1u << 10)

#define FADT_BOOT_LEGACY_DEVICES (1u << 0)
#define FADT_BOOT_8042           (1u << 1)

struct PACKED acpi_facs {
    char signature[4];
    uint32_t length, hardware_signature, waking_vector, global_lock, flags;
    uint64_t x_waking_vector;
    uint8_t version, reserved[3];
    uint32_t ospm_flags;
    uint8_t reserved2[24];
};
HW_SIZE(struct acpi_facs, 64);

struct PACKED acpi_madt {
    struct acpi_header header; /* "APIC" */
    uint32_t lapic_address, flags;
};
HW_SIZE(struct acpi_madt, 44);
#define MADT_PCAT_COMPAT 1u /* two 8259s are there, too */

enum acpi_madt_type {
    MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4, MADT_X2APIC = 9, MADT_X2APIC_NMI = 10
};

struct PACKED madt_lapic { uint8_t type, length, processor_uid, apic_id; uint32_t flags; };
struct PACKED madt_x2apic { uint8_t type, length; uint16_t reserved; uint32_t x2apic_id, flags, processor_uid; };
struct PACKED madt_ioapic { uint8_t type, length, id, reserved; uint32_t address, gsi_base; };
struct PACKED madt_override { uint8_t type, length, bus, source; uint32_t gsi; uint16_t flags; };
struct PACKED madt_lapic_nmi { uint8_t type, length, processor_uid; uint16_t flags; uint8_t lint; };
HW_SIZE(struct madt_lapic, 8);
HW_SIZE(struct madt_x2apic, 16);
HW_SIZE(struct madt_ioapic, 12);
HW_SIZE(struct madt_override, 10);
HW_SIZE(struct madt_lapic_nmi, 6);
#define MADT_ENABLED 1u
#define MADT_ALL_PROCESSORS 0xff
#define MADT_ACTIVE_HIGH 0x1
#define MADT_LEVEL       0xc

#endif
