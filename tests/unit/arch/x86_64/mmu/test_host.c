#include "arch/x86_64/mmu/host.h"
#include "tests/unit/arch/x86_64/mmu/fake_pages.h"
#include "tests/unit/test.h"

static struct fake_pages pages;
static struct pt_mem mem;
static struct host_map map;

static const struct host_image image = {
    .base = { MiB(64) },
    .text_start = KiB(4), .text_end = KiB(400), .rodata_end = KiB(480), .data_end = MiB(3),
};
static const struct host_range ram[] = {
    { { 0 }, KiB(636) },
    { { MiB(1) }, GiB(3) - MiB(1) },
    { { GiB(4) }, GiB(5) },
};

static bool start(void)
{
    pages = (struct fake_pages){ 0 };
    mem = FAKE_PT_MEM(&pages);
    return host_map_init(&map, &mem, PT_LEVEL_1G, &image, ram, ARRAY_SIZE(ram)) == PT_OK;
}

/* 0 if not mapped. */
static pt_attributes_t attributes_at(uint64_t address)
{
    struct pt_mapping m;
    return pt_lookup(&map.pt, address, &m) == PT_OK ? m.attributes & ~(pt_attributes_t)PT_GLOBAL : 0;
}

static uint64_t hpa_at(uint64_t address)
{
    struct pt_mapping m;
    return pt_lookup(&map.pt, address, &m) == PT_OK ? m.hpa.raw : UINT64_MAX;
}

TEST(the_image_is_mapped_with_the_rights_of_its_parts)
{
    CHECK(start());
    CHECK_EQ(attributes_at(HOST_IMAGE_BASE), 0);
    CHECK_EQ(attributes_at(HOST_IMAGE_BASE + KiB(4)), PT_READ | PT_EXEC);
    CHECK_EQ(attributes_at(HOST_IMAGE_BASE + KiB(400) - 1), PT_READ | PT_EXEC);
    CHECK_EQ(attributes_at(HOST_IMAGE_BASE + KiB(400)), PT_READ);
    CHECK_EQ(attributes_at(HOST_IMAGE_BASE + KiB(480)), PT_READ | PT_WRITE);
    CHECK_EQ(attributes_at(HOST_IMAGE_BASE + MiB(3) - 1), PT_READ | PT_WRITE);
    CHECK_EQ(attributes_at(HOST_IMAGE_BASE + MiB(3)), 0);
    CHECK_EQ(hpa_at(HOST_IMAGE_BASE + 12345), MiB(64) + 12345);
    host_map_destroy(&map);
    CHECK_EQ(pages.live, 0);
}

TEST(the_direct_map_has_all_ram_and_nothing_else)
{
    CHECK(start());
    CHECK_EQ(attributes_at(HOST_DIRECT_BASE), PT_READ | PT_WRITE);
    CHECK_EQ(attributes_at(HOST_DIRECT_BASE + KiB(636)), 0);
    CHECK_EQ(attributes_at(HOST_DIRECT_BASE + MiB(1)), PT_READ | PT_WRITE);
    CHECK_EQ(attributes_at(HOST_DIRECT_BASE + GiB(3)), 0);
    CHECK_EQ(hpa_at((uint64_t)(uintptr_t)hpa_to_ptr(HPA(GiB(7) + 99))), GiB(7) + 99);
    CHECK_EQ(ptr_to_hpa(hpa_to_ptr(HPA(GiB(7)))).raw, GiB(7));
    CHECK_EQ(attributes_at(HOST_DIRECT_BASE + GiB(9)), 0);
    host_map_destroy(&map);
}

TEST(no_physical_page_is_writable_at_one_address_and_executable_at_another)
{
    CHECK(start());
    for (uint64_t offset = 0; offset < MiB(3); offset += PAGE_SIZE) {
        pt_attributes_t direct = attributes_at(HOST_DIRECT_BASE + MiB(64) + offset);
        pt_attributes_t window = attributes_at(HOST_IMAGE_BASE + offset);
        CHECK(!((direct | window) & PT_EXEC) || !((direct | window) & PT_WRITE));
        CHECK_EQ(direct, offset < KiB(480) ? PT_READ : PT_READ | PT_WRITE);
    }
    host_map_destroy(&map);
}

TEST(nothing_is_mapped_in_the_lower_half_but_the_trampoline_while_it_is_asked_for)
{
    CHECK(start());
    CHECK_EQ(attributes_at(0), 0);
    CHECK_EQ(attributes_at(0x8000), 0);
    CHECK_EQ(host_map_identity(&map, HPA(0x8000)), PT_OK);
    CHECK_EQ(attributes_at(0x8000), PT_READ | PT_EXEC);
    CHECK_EQ(hpa_at(0x8123), 0x8123);
    CHECK_EQ(attributes_at(0x7fff), 0);
    CHECK_EQ(attributes_at(0x9000), 0);
    CHECK_EQ(host_unmap_identity(&map, HPA(0x8000)), PT_OK);
    CHECK_EQ(attributes_at(0x8000), 0);
    host_map_destroy(&map);
    CHECK_EQ(pages.live, 0);
}

TEST(device_memory_is_mapped_with_its_cache_type_at_any_alignment)
{
    void *apic, *screen, *odd;
    struct pt_mapping m;
    CHECK(start());
    CHECK_EQ(host_map_io(&map, HPA(0xfee00000), KiB(4), PT_UC, &apic), PT_OK);
    CHECK_EQ(host_map_io(&map, HPA(0xc0100000), MiB(8), PT_WC, &screen), PT_OK);
    CHECK_EQ(host_map_io(&map, HPA(0xfed00ff8), 16, PT_UC, &odd), PT_OK);
    CHECK_EQ(attributes_at((uint64_t)(uintptr_t)apic), PT_READ | PT_WRITE | PT_UC);
    CHECK_EQ(attributes_at((uint64_t)(uintptr_t)apic + KiB(4)), 0);
    CHECK_EQ(attributes_at((uint64_t)(uintptr_t)screen + MiB(7)), PT_READ | PT_WRITE | PT_WC);
    CHECK_EQ(pt_lookup(&map.pt, (uint64_t)(uintptr_t)screen + MiB(3), &m), PT_OK);
    CHECK_EQ(m.page_size, MiB(2));
    CHECK_EQ(m.hpa.raw, 0xc0100000 + MiB(3));
    CHECK_EQ(hpa_at((uint64_t)(uintptr_t)odd + 15), 0xfed01007);
    CHECK_EQ(host_map_io(&map, HPA(0), 0, PT_UC, &odd), PT_OUT_OF_RANGE);
    CHECK_EQ(host_map_io(&map, HPA(UINT64_MAX - 4), 100, PT_UC, &odd), PT_OUT_OF_RANGE);
    CHECK_EQ(host_map_io(&map, HPA(0), HOST_IO_SIZE, PT_UC, &odd), PT_OUT_OF_RANGE);
    CHECK_EQ(host_map_io(&map, HPA(0), 8, PT_EXEC, &odd), PT_BAD_ATTRIBUTES);
    host_map_destroy(&map);
}

TEST(every_stack_has_unmapped_pages_on_both_sides)
{
    void *tops[3];
    CHECK(start());
    for (unsigned i = 0; i < 3; i++)
        CHECK_EQ(host_map_stack(&map, 2 + i, &tops[i]), PT_OK);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t top = (uint64_t)(uintptr_t)tops[i];
        CHECK_EQ(attributes_at(top), 0);
        for (unsigned p = 1; p <= 2 + i; p++)
            CHECK_EQ(attributes_at(top - p * PAGE_SIZE), PT_READ | PT_WRITE);
        CHECK_EQ(attributes_at(top - (3 + i) * PAGE_SIZE), 0);
    }
    for (unsigned i = 0; i < 3; i++) /* the stacks' own pages are not the tables' to free */
        for (unsigned p = 1; p <= 2 + i; p++)
            fake_free(&pages, HPA(hpa_at((uint64_t)(uintptr_t)tops[i] - p * PAGE_SIZE)));
    host_map_destroy(&map);
    CHECK_EQ(pages.live, 0);
}

TEST(whichever_allocation_fails_nothing_is_lost)
{
    void *top;
    for (long nth = 1;; nth++) {
        pages = (struct fake_pages){ .fail_in = nth };
        mem = FAKE_PT_MEM(&pages);
        enum pt_result result = host_map_init(&map, &mem, PT_LEVEL_2M, &image, ram, ARRAY_SIZE(ram));
        if (result == PT_OK)
            break;
        CHECK_EQ(result, PT_NO_MEMORY);
        CHECK_EQ(pages.live, 0);
    }
    long before = pages.live;
    for (long nth = 1; nth < 6; nth++) {
        pages.fail_in = nth;
        CHECK_EQ(host_map_stack(&map, 4, &top), PT_NO_MEMORY);
        CHECK_EQ(pages.live, before);
    }
    host_map_destroy(&map);
    CHECK_EQ(pages.live, 0);
}
