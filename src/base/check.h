// SMELT_CHECK: for broken code only. If any input can trigger it, it must be a Result instead.
#pragma once

#include <cstdio>
#include <cstdlib>

#define SMELT_CHECK(condition)                                                                      \
  do {                                                                                              \
    if (!(condition)) {                                                                             \
      std::fprintf(stderr, "smelt: internal error at %s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                                 \
    }                                                                                               \
  } while (false)
