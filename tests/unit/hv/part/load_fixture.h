/* What the loader tests share: one guest, one request, and a growing image. */
#ifndef TESTS_UNIT_HV_PART_LOAD_FIXTURE_H
#define TESTS_UNIT_HV_PART_LOAD_FIXTURE_H

#include "hv/part/load.h"
#include "tests/unit/hv/part/fake_guest.h"
#include "tests/unit/test.h"

static uint8_t image[65536];
static size_t image_size;
static struct fake_guest guest;
static struct load_request request;
static struct load_result result;
static char error[256];

static inline void put(size_t at, uint64_t value, size_t size)
{
    memcpy(image + at, &value, size);
    if (image_size < at + size)
        image_size = at + size;
}

/* Load the first `size` bytes of the image, from a copy that is exactly as long, into a fresh guest. */
static inline enum load_status load_bytes(uint64_t memory, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, image, size);
    fake_free(&guest);
    if (!fake_init(&guest, memory))
        abort();
    request.kernel = (struct load_file){ "kernel", copy, size, NULL };
    request.layout = &guest.layout;
    error[0] = '\0';
    enum load_status status = load_image(&request, &guest.ops, &result, error, sizeof error);
    free(copy);
    return status;
}

static inline enum load_status load(uint64_t memory)
{
    return load_bytes(memory, image_size);
}

static inline bool failed_saying(enum load_status status, enum load_status expected, const char *words)
{
    if (status == expected && strstr(error, words))
        return true;
    printf("  status %d, said: %s\n", status, error);
    return false;
}

/* The address a long-mode guest would see behind a linear one; ~0 if it is not mapped. */
static inline uint64_t translate(uint64_t linear)
{
    uint64_t table = result.cpu.cr3;
    for (unsigned shift = 39; shift >= 12; shift -= 9) {
        uint64_t entry = fake_get(&guest, table + ((linear >> shift) & 511) * 8, 8);
        uint64_t frame = entry & UINT64_C(0xffffffffff000);
        if ((entry & 3) != 3)
            return UINT64_MAX;
        if (entry & 0x80 || shift == 12)
            return frame | (linear & ((UINT64_C(1) << shift) - 1));
        table = frame;
    }
    return UINT64_MAX;
}

/* Every shorter file, and many damaged ones, must be refused or loaded, never crash. A loader that took bytes from
 * behind the file's end would be stopped by the address sanitizer. */
static inline void survive_noise(uint64_t memory, unsigned rounds, size_t interesting)
{
    uint8_t saved[sizeof image];
    unsigned seed = 7;
    memcpy(saved, image, sizeof saved);
    for (unsigned r = 0; r < rounds; r++) {
        for (int i = 0; i < 3; i++) {
            seed = seed * 1103515245u + 12345u;
            image[(seed >> 8) % interesting] = (uint8_t)((seed >> 24) % 3 ? seed >> 24 : 0xff);
        }
        if (load(memory) != LOAD_OK)
            CHECK(error[0]);
        memcpy(image, saved, sizeof image);
    }
}

#endif
