#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

/// How often the calling thread has asked for memory since it began: malloc, calloc, realloc and their aligned kin.
///
/// Counts in every program that links this library, in all of its libraries too. Only with glibc; elsewhere the answer
/// is always UINT64_MAX, so that nobody takes it for a measurement.
uint64_t allocationCountOfThisThread(void);

#endif
