/*
 * What unit tests share: cmocka with the headers that it wants in front of it.
 */
#ifndef PT_TESTS_UNIT_SUPPORT_H
#define PT_TESTS_UNIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#define N_OF(array) (sizeof(array) / sizeof(array)[0])

#endif
