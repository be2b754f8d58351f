/* Types that every layer shares: addresses that cannot be mixed up, and layout assertions.
 * hv/lib knows nothing of CPUs, boards or guests; every other folder may include it. */
#ifndef HV_LIB_TYPES_H
#define HV_LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Guest-physical, guest-virtual (linear) and host-physical addresses, in bytes. */
typedef struct { uint64_t raw; } gpa_t;
typedef struct { uint64_t raw; } gva_t;
typedef struct { uint64_t raw; } hpa_t;

#define GPA(x) ((gpa_t){ (x) })
#define GVA(x) ((gva_t){ (x) })
#define HPA(x) ((hpa_t){ (x) })

#define KiB(n) ((uint64_t)(n) << 10)
#define MiB(n) ((uint64_t)(n) << 20)
#define GiB(n) ((uint64_t)(n) << 30)

#define PAGE_SIZE  UINT64_C(4096)
#define PAGE_SHIFT 12

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_DOWN(x, a) ((x) & ~((uint64_t)(a) - 1))
#define ALIGN_UP(x, a)   ALIGN_DOWN((x) + (uint64_t)(a) - 1, a)
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* A hardware layout is asserted, not commented. */
#define HW_SIZE(type, size)            _Static_assert(sizeof(type) == (size), "size of " #type)
#define HW_OFFSET(type, member, off)   _Static_assert(offsetof(type, member) == (off), "offset of " #type "." #member)

#define MUST_CHECK    __attribute__((warn_unused_result))
#define NORETURN      __attribute__((noreturn))
#define PACKED        __attribute__((packed))
#define PRINTF(f, a)  __attribute__((format(printf, f, a)))
#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)

/* The smallest order whose block of PAGE_SIZE << order holds `bytes`. */
static inline unsigned page_order(size_t bytes)
{
    unsigned order = 0;
    while ((PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

/* True if [off, off+len) lies in [0, size); no operand can make it overflow. */
static inline bool range_fits(uint64_t off, uint64_t len, uint64_t size)
{
    return off <= size && len <= size - off;
}

#endif
