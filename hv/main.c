/* The composition root: the only place that sees everyone. It hands each part what it works with, and then runs
 * partitions until the machine is switched off. */
#include "arch/x86_64/cpu/features.h"
#include "arch/x86_64/cpu/guest_state.h"
#include "arch/x86_64/cpu/insn.h"
#include "arch/x86_64/cpu/irq.h"
#include "arch/x86_64/cpu/mitigation.h"
#include "arch/x86_64/cpu/panic.h"
#include "arch/x86_64/cpu/tsc.h"
#include "arch/x86_64/svm/backend.h"
#include "arch/x86_64/vmx/backend.h"
#include "boot/boot_info.h"
#include "drivers/cmos_clock.h"
#include "drivers/hpet.h"
#include "drivers/nmi_guard.h"
#include "drivers/power.h"
#include "hv/bringup.h"
#include "hv/con/con.h"
#include "hv/con/con_alarm.h"
#include "hv/cycles.h"
#include "hv/hv_main.h"
#include "hv/lib/log.h"
#include "hv/lib/str.h"
#include "hv/monitor.h"
#include "hv/monitor_trace.h"
#include "hv/part/life.h"
#include "hv/part/partition.h"
#include "hv/plant.h"
#include "hv/selfcheck.h"
#include "hv/selftest_cpu.h"
#include "hv/shell/shell.h"
#include "hv/terminals.h"
#include "hv/version.h"
#include "hv/vm/dispatch.h"
#include "hv/vm/exits.h"
#include "hv/vm/output.h"
#include "hv/vm/tracing.h"
#include "hv/vm/watchdog.h"

#define CONFIG_FILE     "trapeze.cfg"
#define POLL_NS         UINT64_C(5000000)    /* keyboard and serial line are looked at this often at least */
#define TYPING_POLL_NS  UINT64_C(1000000)    /* and this often while something comes: a UART holds 16 bytes, 1.4 ms */
#define TYPING_NS       UINT64_C(100000000)
#define IOAPIC_ADDRESS  UINT64_C(0xfec00000) /* where emulators have the first one, and the PIT at pin 2 */
#define PIT_PIN         2
#define MEASURE_NS      UINT64_C(1000000000)

static struct {
    const struct boot_info *info;
    struct terminals terminals;
    struct con con;
    struct shell shell;
    struct shell_ops ops;
    struct config config;
    unsigned cpus;
    uint64_t measured, typing_until; /* ns */
} root;

/* ---- console ----------------------------------------------------------------------------------------------------- */

static bool guest_input(void *ctx, unsigned partition, uint8_t byte)
{
    struct partition *p = partition < partition_count ? partitions[partition] : NULL;
    if (!p || p->config->console == PARTITION_CONSOLE_NONE)
        return true;
    spin_lock(&p->lock);
    vtime_t now = vm_now_or_frozen(p);
    bool taken = vuart_receive(&p->uart, byte, now);
    bus_refresh(&p->bus, &p->uart, now);
    partition_timers_changed(p);
    spin_unlock(&p->lock);
    return taken;
}

static void guest_output(unsigned partition, enum vm_stream stream, uint8_t byte)
{
    con_guest_write(&root.con, partition, stream == VM_OUTPUT_SERIAL ? CON_SERIAL : CON_DEBUG, (const char *)&byte, 1);
}

static const char *standstill(void *ctx, unsigned partition)
{
    const struct partition *p = partition < partition_count ? partitions[partition] : NULL;
    if (!p)
        return NULL;
    switch (atomic_load(&p->state)) {
    case PART_PAUSED:  return "is paused: the monitor's resume lets it go on";
    case PART_STOPPED:
    case PART_ENDED:   return "is stopped: the monitor's list says why, start boots it";
    default:           return NULL;
    }
}

static void say_to_log(void *ctx, const char *text)
{
    log_line("%s", text);
}

static void end_machine(void *ctx, enum shell_machine what)
{
    watchdog_leave(); /* a slow line may take long for what is queued */
    if (root.config.partition_count)
        (void)selfcheck_all(say_to_log, NULL);
    con_panic(&root.con); /* what is queued, and from now on what power.c says, is written at once */
    if (what == SHELL_POWEROFF)
        power_off();
    power_reset();
}

static void self_check(void *ctx, const struct shell_printer *out)
{
    (void)selfcheck_all(out->line, out->ctx);
}

static void start_console(void)
{
    const struct con_hooks hooks = {
        .to_guest = guest_input, .to_monitor = shell_input, .redraw_monitor = shell_redraw,
        .standstill = standstill, .ctx = &root.shell,
    };
    con_init(&root.con, &hooks);
    root.ops = monitor_ops;
    root.ops.machine = end_machine;
    root.ops.self_check = self_check;
    shell_init(&root.shell, &root.con, &root.ops);
    vm_set_output(guest_output);
    terminals_init(&root.terminals, &root.con, &port_io_machine);
}

static void start_screen(void)
{
    const struct boot_framebuffer *f = &root.info->framebuffer;
    void *memory = f->base ? bringup_map_io(HPA(f->base), (uint64_t)f->pitch * f->height, PT_WC) : NULL;
    terminals_add_screen(&root.terminals, memory, f);
}

static void end_in_panic(void)
{
    watchdog_leave();
    con_panic(&root.con);
    monitor_trace_last_words(log_emergency);
}

static void sound_alarm(bool on)
{
    (on ? con_alarm_begin : con_alarm_end)(&root.con);
}

/* ---- housekeeping: everything that is not a guest's turn, on the boot pCPU ------------------------------------------ */

/* Once a second. */
static void measure(uint64_t now)
{
    monitor_measure(now);
    selfcheck_piece();
    plant_fault();
    root.measured = now;
}

static bool any_partition_lives(void)
{
    for (unsigned i = 0; i < partition_count; i++) {
        if (!partitions[i])
            continue;
        uint32_t state = atomic_load(&partitions[i]->state);
        bool ended = state == PART_ENDED || state == PART_STOPPED; /* and only then is the wish final */
        if (!ended || atomic_load(&partitions[i]->wish) != WISH_NONE)
            return true;
    }
    return false;
}

static uint64_t keep_house(void)
{
    uint64_t now = tsc_to_ns(rdtsc());
    if (terminals_poll_input(&root.terminals))
        root.typing_until = now + TYPING_NS;
    partition_housekeeping();
    cycles_step();
    if (now - root.measured >= MEASURE_NS)
        measure(now);
    shell_tick(&root.shell, now);
    uint64_t next = con_poll(&root.con, now);
    if (root.config.when_all_stopped == CONFIG_POWEROFF && !any_partition_lives()) {
        log_line("all partitions have stopped: powering off (when-all-stopped = poweroff)");
        end_machine(NULL, SHELL_POWEROFF);
    }
    uint64_t latest = now + (now < root.typing_until ? TYPING_POLL_NS : POLL_NS);
    next = MIN(MAX(next, now + POLL_NS / 10), latest);
    return ns_to_tsc(MIN(next, root.measured + MEASURE_NS)); /* a whole number of the periods that caps are for */
}

/* ---- partitions -------------------------------------------------------------------------------------------------- */

static const struct boot_module *find_module(const char *name)
{
    for (uint32_t i = 0; i < root.info->module_count; i++)
        if (!strcmp(root.info->modules[i].name, name))
            return &root.info->modules[i];
    return NULL;
}

static bool find_file(void *ctx, const char *name, const uint8_t **data, uint64_t *size)
{
    const struct boot_module *m = find_module(name);
    if (!m || (m->flags & BOOT_MODULE_MISSING))
        return false;
    *data = hpa_to_ptr(HPA(m->base));
    *size = m->size;
    return true;
}

static bool has_file(void *ctx, const char *name, uint64_t *size)
{
    const uint8_t *data;
    return find_file(ctx, name, &data, size);
}

static void report_mistake(void *ctx, const char *message)
{
    log_line("%s", message);
}

static const struct part_files files = { find_file, NULL };

static void read_config(void)
{
    const uint8_t *text;
    uint64_t size;
    const struct config_limits limits = {
        .file = CONFIG_FILE,
        .free_memory = page_free_bytes(&machine.pages),
        .cpu_count = root.cpus,
        .find_file = has_file,
    };
    const struct config_errors errors = { report_mistake, NULL };
    if (!find_file(NULL, CONFIG_FILE, &text, &size)) {
        log_line("there is no " CONFIG_FILE " in the boot image: no partition is started; put one beside the hypervisor");
        return;
    }
    unsigned mistakes = config_parse((const char *)text, size, &limits, &root.config, &errors);
    if (mistakes)
        log_line(CONFIG_FILE ": %u mistake%s; partitions without one are started", mistakes, mistakes == 1 ? "" : "s");
}

static void create_partitions(void)
{
    int64_t epoch = cmos_clock_read();
    monitor_set_config(&root.config);
    partition_count = root.config.partition_count;
    for (unsigned i = 0; i < partition_count; i++) {
        const struct partition_config *c = &root.config.partitions[i];
        if (!con_set_partition(&root.con, i, c->name))
            log_line("console: no room for partition %s", c->name);
        if (!c->valid)
            continue;
        if (partition_create(&machine.pages, &files, i, c, epoch) != PARTITION_OK)
            continue;
        if (c->autostart && partition_start(partitions[i]) != PARTITION_OK)
            log_line("%s: not started", c->name);
    }
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static hpa_t backend_page(unsigned order)
{
    hpa_t page;
    return page_alloc(&machine.pages, order, PAGE_OWNER_CPU, &page) == PAGE_OK ? page : HPA(0);
}

static void backend_page_free(hpa_t page, unsigned order)
{
    page_free(&machine.pages, page);
}

static hpa_t backend_image_hpa(const void *global)
{
    return host_image_hpa(&machine.image, global);
}

/* "without=apicv,vpid" on the hypervisor's command line. */
static bool asked_to_do_without(const char *feature)
{
    size_t len = strlen(feature);
    const char *list = str_find(root.info->cmdline, "without=");
    if (!list)
        return false;
    for (const char *at = list + 7; *at == '=' || *at == ','; ) {
        const char *word = ++at;
        while (*at && *at != ',' && *at != ' ')
            at++;
        if ((size_t)(at - word) == len && !strncmp(word, feature, len))
            return true;
    }
    return false;
}

/* An NMI ends a guest's stay or a sleep; having ended it is all that was wanted, unless it is the watchdog's. */
static void on_nmi(void *ctx, const struct trap_frame *frame)
{
    watchdog_nmi(frame);
}

/* Bochs quirk, found by trying: without preemption timer a guest with RFLAGS.IF = 0 would keep its CPU for ever. */
static bool guard_against_masked_guests(void)
{
    if (vt.features()->masked_interrupts_exit)
        return false;
    log_line("cpu: interrupts do not end a guest's stay while it masks them (an emulator's fault): the PIT sends NMIs, %u a "
             "second", NMI_GUARD_HZ);
    nmi_guard_start(bringup_map_io(HPA(IOAPIC_ADDRESS), PAGE_SIZE, PT_UC), PIT_PIN);
    return true;
}

static const struct acpi_ioapic *first_ioapic(void)
{
    for (unsigned i = 0; i < machine.acpi.ioapic_count; i++)
        if (machine.acpi.ioapics[i].gsi_base == 0)
            return &machine.acpi.ioapics[i];
    return NULL;
}

/* The first one is due in a millisecond. */
static bool nmi_came(uint64_t before)
{
    const volatile uint64_t *count = &pcpu_this()->nmi_count;
    for (uint64_t until = rdtsc() + ns_to_tsc(WATCHDOG_LOOK_NS); *count == before && rdtsc() < until; )
        cpu_pause();
    return *count != before;
}

/* NULL, or why no timer sends NMIs to the boot CPU. */
static const char *start_nmi_timer(void)
{
    const struct acpi_ioapic *ioapic = first_ioapic();
    if (asked_to_do_without("nmi-watchdog"))
        return "as asked for";
    if (!ioapic || !machine.acpi.hpet_address || pcpu_this()->apic_id > UINT8_MAX - 1)
        return "no HPET, no IOAPIC, or an APIC ID above 254";
    volatile void *registers = bringup_map_io(HPA(ioapic->address), PAGE_SIZE, PT_UC);
    uint64_t before = pcpu_this()->nmi_count;
    nmi_guard_route(registers, PIT_PIN, (uint8_t)pcpu_this()->apic_id);
    if (hpet_tick(bringup_map_io(HPA(machine.acpi.hpet_address), HPET_MMIO_SIZE, PT_UC), WATCHDOG_LOOK_NS) && nmi_came(before))
        return NULL;
    nmi_guard_unroute(registers, PIT_PIN);
    return "the HPET does not tick in place of the PIT";
}

/* So that the boot CPU looks at itself, too: it may be the only one, or all may be stuck. */
static void start_nmi_watchdog(bool nmis_come)
{
    const char *why_not = nmis_come ? NULL : start_nmi_timer();
    if (why_not)
        log_line("watchdog: no NMI timer (%s): a machine whose CPUs are all stuck does not say so", why_not);
    else
        watchdog_expect_nmis();
}

static void enable_virtualization(void)
{
    unsigned cpu = pcpu_this()->index;
    mitigation_cpu_enable();
    guest_state_cpu_enable();
    nmi_set_handler(on_nmi, NULL);
    if (vt.cpu_enable(cpu) != VT_OK)
        panic("CPU %u cannot enter %s operation (the reason is above)", cpu, vt.name);
}

/* "without=trace": to measure what the trace costs. */
static void start_trace(void)
{
    if (asked_to_do_without("trace"))
        log_line("trace: off, as asked for");
    else if (tracing_start(&machine.pages) < root.cpus)
        log_line("trace: there is not enough memory for all CPUs: some do not trace");
}

static void ap_main(struct pcpu *p)
{
    enable_virtualization();
    plant_cpu();
    dispatch_loop();
}

static void on_own_stack(void *arg)
{
    static const struct vt_env env = { backend_page, backend_page_free, backend_image_hpa, asked_to_do_without, &vt };
    start_screen();
    vt = cpu_features.svm ? svm_ops : vmx_ops;
    guest_state_init(vt.switched_msrs);
    if (vt.init(&env) != VT_OK)
        panic("this CPU cannot run guests (the reason is above)");
    enable_virtualization();
    exit_msr_init();
    dispatch_init(keep_house);
    watchdog_init(sound_alarm);
    root.cpus = bringup_other_cpus(ap_main);
    start_trace();
    monitor_trace_init(&machine.pages, vt.name);
    start_nmi_watchdog(guard_against_masked_guests());
    if (str_find(root.info->cmdline, "spoil-entry"))
        partition_spoil_entries();
    if (str_find(root.info->cmdline, "log-exits"))
        life_enable();
    read_config();
    create_partitions();
    selfcheck_begin();
    plant_init(root.info->cmdline);
    cycles_begin(root.info->cmdline);
    log_line("%u CPU%s, %lu MiB free, %u partition%s; Ctrl-] m: monitor, Ctrl-] digit: a guest's console", root.cpus,
             root.cpus == 1 ? "" : "s", page_free_bytes(&machine.pages) >> 20, partition_count,
             partition_count == 1 ? "" : "s");
    dispatch_loop();
}

NORETURN void hv_main(const struct boot_info *info)
{
    const char *problem = boot_info_check(info);
    root.info = info;
    log_line(TRAPEZE_VERSION ", loaded by %.31s", info->loader);
    start_console();
    if (problem)
        panic("the loader's boot information cannot be used: %s", problem);
    if (info->log_base)
        log_init(hpa_to_ptr(HPA(info->log_base)), info->log_size);
    panic_set_hook(end_in_panic);
    selftest_cpu(info);
    bringup_boot_cpu(info, asked_to_do_without);
    bringup_use_own_stack(on_own_stack, NULL);
}
