/* The ACPI fixed registers, byte by byte; only the timer is read in one piece. */
#include "hv/dev/vpm.h"

#include "hv/dev/ticks.h"
#include "hv/lib/str.h"

enum offset { STATUS = 0, ENABLE = 2, CONTROL = 4, TIMER = 8, TIMER_END = 12, GPE_STATUS = 12, GPE_ENABLE = 14, SMI = 16 };

#define ENABLE_WRITABLE  (VPM_TMR | VPM_GBL | VPM_PWRBTN | VPM_SLPBTN | VPM_RTC)
#define CONTROL_WRITABLE (VPM_BM_RLD | VPM_SLP_TYP_MASK)

const struct dev_ports vpm_ports[VPM_PORT_RANGES] = {
    { VPM_PM1_EVT_PORT, VPM_PM1_EVT_BYTES, STATUS },
    { VPM_PM1_CNT_PORT, VPM_PM1_CNT_BYTES, CONTROL },
    { VPM_PM_TMR_PORT, VPM_PM_TMR_BYTES, TIMER },
    { VPM_GPE0_PORT, VPM_GPE0_BYTES, GPE_STATUS },
    { VPM_SMI_CMD_PORT, 2, SMI },
};

static unsigned timer_bits(const struct vpm *pm) { return pm->timer_32bit ? 32 : 24; }

static uint32_t timer_value(const struct vpm *pm, vtime_t now)
{
    uint64_t mask = (UINT64_C(1) << timer_bits(pm)) - 1;
    return (uint32_t)(ticks_from_ns(now, VPM_TIMER_HZ) & mask);
}

static void update_sci(struct vpm *pm)
{
    bool level = pm->status & pm->enable;
    if (level == pm->sci_level)
        return;
    pm->sci_level = level;
    irq_line_set(&pm->sci, level);
}

static vtime_t turn_after(const struct vpm *pm, vtime_t now)
{
    unsigned shift = timer_bits(pm) - 1;
    uint64_t turns = ticks_from_ns(now, VPM_TIMER_HZ) >> shift;
    return ns_from_ticks((turns + 1) << shift, VPM_TIMER_HZ);
}

/* "Power Management Timer": TMR_STS is set whenever the highest bit changes. */
static void sync(struct vpm *pm, vtime_t now)
{
    if (now < pm->next_turn)
        return;
    pm->next_turn = turn_after(pm, now);
    pm->status |= VPM_TMR;
    update_sci(pm);
}

static vtime_t vpm_expire(void *dev, vtime_t now)
{
    struct vpm *pm = dev;
    sync(pm, now);
    if (!(pm->enable & VPM_TMR) || pm->status & VPM_TMR)
        return VTIME_NEVER;
    return pm->next_turn;
}

bool vpm_press_power_button(struct vpm *pm)
{
    pm->status |= VPM_PWRBTN;
    update_sci(pm);
    return pm->enable & VPM_PWRBTN;
}

/* ---- registers ------------------------------------------------------------------------------------------------- */

static uint8_t byte_of(uint16_t reg, uint64_t which) { return (uint8_t)(reg >> (8 * (which & 1))); }

static uint8_t read_byte(const struct vpm *pm, uint64_t offset)
{
    if (offset >= SMI)
        return pm->smi[offset - SMI];
    if (offset >= GPE_ENABLE)
        return pm->gpe_enable[offset - GPE_ENABLE];
    if (offset >= GPE_STATUS)
        return 0;
    return byte_of(offset < ENABLE ? pm->status : offset < CONTROL ? pm->enable : pm->control, offset);
}

static uint64_t vpm_read(void *dev, uint64_t offset, unsigned size, vtime_t now)
{
    struct vpm *pm = dev;
    uint64_t value = 0;
    if (offset >= TIMER && offset < TIMER_END)
        return timer_value(pm, now) >> (8 * (offset - TIMER));
    sync(pm, now);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)read_byte(pm, offset + i) << (8 * i);
    return value;
}

static uint16_t merge(uint16_t old, uint64_t which, uint8_t value, unsigned writable)
{
    unsigned shift = 8 * (which & 1), mask = writable & 0xffu << shift;
    return (uint16_t)((old & ~mask) | ((unsigned)value << shift & mask));
}

/* SLP_EN and GBL_RLS act and are not kept. The only sleeping state described to guests is S5. */
static void write_control(struct vpm *pm, uint64_t offset, uint8_t value)
{
    bool sleep = offset & 1 && value & VPM_SLP_EN >> 8;
    pm->control = merge(pm->control, offset, value, CONTROL_WRITABLE);
    if (sleep && (pm->control & VPM_SLP_TYP_MASK) >> VPM_SLP_TYP_SHIFT == VPM_S5_SLP_TYP)
        dev_request_send(&pm->power_off);
}

static void write_byte(struct vpm *pm, uint64_t offset, uint8_t value)
{
    if (offset >= SMI)
        pm->smi[offset - SMI] = value;
    else if (offset >= GPE_ENABLE)
        pm->gpe_enable[offset - GPE_ENABLE] = value;
    else if (offset >= TIMER)       /* the timer and the events that never happen */
        return;
    else if (offset >= CONTROL)
        write_control(pm, offset, value);
    else if (offset >= ENABLE)
        pm->enable = merge(pm->enable, offset, value, ENABLE_WRITABLE);
    else                            /* status bits are cleared by writing 1 */
        pm->status &= (uint16_t)~((unsigned)value << (8 * offset));
}

static void vpm_write(void *dev, uint64_t offset, unsigned size, uint64_t value, vtime_t now)
{
    struct vpm *pm = dev;
    sync(pm, now);
    for (unsigned i = 0; i < size; i++)
        write_byte(pm, offset + i, (uint8_t)(value >> (8 * i)));
    update_sci(pm);
}

static void vpm_reset(void *dev, vtime_t now)
{
    struct vpm *pm = dev;
    pm->status = pm->enable = 0;
    pm->control = VPM_SCI_EN;
    memset(pm->gpe_enable, 0, sizeof pm->gpe_enable);
    memset(pm->smi, 0, sizeof pm->smi);
    pm->next_turn = turn_after(pm, now);
    update_sci(pm);
}

void vpm_init(struct vpm *pm, struct irq_line sci, struct dev_request power_off, bool timer_32bit)
{
    memset(pm, 0, sizeof *pm);
    pm->sci = sci;
    pm->power_off = power_off;
    pm->timer_32bit = timer_32bit;
    vpm_reset(pm, 0);
}

const struct dev_ops vpm_ops = {
    .name = "pm", .max_width = 4, .read = vpm_read, .write = vpm_write, .reset = vpm_reset, .expire = vpm_expire,
};
