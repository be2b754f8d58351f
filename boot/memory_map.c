#include "boot/memory_map.h"
#include "hv/lib/str.h"

#define TOP ALIGN_DOWN(UINT64_MAX, PAGE_SIZE)

static uint64_t end_of(const struct boot_memory *m)
{
    return m->base + m->size;
}

static void remove_at(struct boot_info *info, uint32_t i)
{
    info->memory_count--;
    memmove(&info->memory[i], &info->memory[i + 1], (info->memory_count - i) * sizeof info->memory[0]);
}

static bool insert_at(struct boot_info *info, uint32_t i, uint64_t base, uint64_t end, uint32_t type)
{
    if (info->memory_count == BOOT_MAX_MEMORY)
        return false;
    memmove(&info->memory[i + 1], &info->memory[i], (info->memory_count - i) * sizeof info->memory[0]);
    info->memory[i] = (struct boot_memory){ base, end - base, type, 0 };
    info->memory_count++;
    return true;
}

/* Make [base, end) a hole; returns the index where a range that fills it belongs. */
static bool cut(struct boot_info *info, uint64_t base, uint64_t end, uint32_t *where)
{
    bool ok = true;
    uint32_t i = 0;
    while (i < info->memory_count && info->memory[i].base < end) {
        struct boot_memory *m = &info->memory[i];
        uint64_t m_end = end_of(m);
        if (m_end <= base) {
            i++;
        } else if (m->base < base) {
            m->size = base - m->base;
            if (m_end > end)
                ok = insert_at(info, i + 1, end, m_end, m->type);
            i++;
        } else if (m_end > end) {
            m->base = end;
            m->size = m_end - end;
            break;
        } else {
            remove_at(info, i);
        }
    }
    *where = i;
    /* After a split, the piece above the hole is at i, which is right for an insertion before it. */
    return ok;
}

static void merge_around(struct boot_info *info, uint32_t i)
{
    struct boot_memory *m = info->memory;
    if (i + 1 < info->memory_count && m[i].type == m[i + 1].type && end_of(&m[i]) == m[i + 1].base) {
        m[i].size += m[i + 1].size;
        remove_at(info, i + 1);
    }
    if (i > 0 && m[i - 1].type == m[i].type && end_of(&m[i - 1]) == m[i].base) {
        m[i - 1].size += m[i].size;
        remove_at(info, i);
    }
}

bool memory_map_paint(struct boot_info *info, uint64_t base, uint64_t size, enum boot_memory_type type)
{
    uint64_t end = size > TOP - MIN(base, TOP) ? TOP : base + size;
    if (type == BOOT_MEMORY_FREE) {
        base = base > TOP - PAGE_SIZE ? TOP : ALIGN_UP(base, PAGE_SIZE);
        end = ALIGN_DOWN(end, PAGE_SIZE);
    } else {
        base = ALIGN_DOWN(base, PAGE_SIZE);
        end = end > TOP - PAGE_SIZE ? TOP : ALIGN_UP(end, PAGE_SIZE);
    }
    if (base >= end)
        return true;
    uint32_t at;
    bool ok = cut(info, base, end, &at);
    if (!insert_at(info, at, base, end, type))
        return false;
    merge_around(info, at);
    return ok;
}

bool memory_map_is(const struct boot_info *info, uint64_t base, uint64_t size, enum boot_memory_type type)
{
    for (uint32_t i = 0; i < info->memory_count; i++) {
        const struct boot_memory *m = &info->memory[i];
        if (m->type == type && base >= m->base && range_fits(base - m->base, size, m->size))
            return true;
    }
    return false;
}
