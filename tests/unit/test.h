/* The unit-test harness: a test's name is a sentence, CHECK says what did not hold, and zero tests is a failure. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};

void test_register(struct test *t);
void test_failed(const char *file, int line, const char *what);

#define TEST(sentence)                                                                          \
    static void sentence(void);                                                                 \
    static struct test test_##sentence = { #sentence, sentence, NULL };                         \
    __attribute__((constructor)) static void register_##sentence(void) { test_register(&test_##sentence); } \
    static void sentence(void)

#define CHECK(condition)                                                                        \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            test_failed(__FILE__, __LINE__, #condition);                                        \
            return;                                                                             \
        }                                                                                       \
    } while (0)

/* Both values are shown, in decimal and hexadecimal. */
#define CHECK_EQ(actual, expected)                                                              \
    do {                                                                                        \
        unsigned long long a_ = (unsigned long long)(actual), e_ = (unsigned long long)(expected); \
        if (a_ != e_) {                                                                         \
            char text_[256];                                                                    \
            snprintf(text_, sizeof text_, "%s is %llu (0x%llx), expected %llu (0x%llx)", #actual, a_, a_, e_, e_); \
            test_failed(__FILE__, __LINE__, text_);                                             \
            return;                                                                             \
        }                                                                                       \
    } while (0)

#endif
