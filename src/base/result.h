// Result, Error and Status (defined in the public header) plus the two macros that pass errors up. Used by every floor.
#pragma once

#include "smelt/result.h"

#define SMELT_CONCAT_IMPL(a, b) a##b
#define SMELT_CONCAT(a, b) SMELT_CONCAT_IMPL(a, b)

// SMELT_TRY(expr): returns from the function with the error of a Status or Result, else goes on.
#define SMELT_TRY(...)                                                 \
  do {                                                                 \
    auto smelt_try_status = (__VA_ARGS__);                             \
    if (!smelt_try_status) return std::move(smelt_try_status).error(); \
  } while (false)

// SMELT_ASSIGN(auto x, expr): declares x (or assigns to it) with the value of a Result, or returns its error.
#define SMELT_ASSIGN(target, ...) SMELT_ASSIGN_IMPL(SMELT_CONCAT(smelt_result_, __COUNTER__), target, __VA_ARGS__)
#define SMELT_ASSIGN_IMPL(result, target, ...)   \
  auto result = (__VA_ARGS__);                   \
  if (!result) return std::move(result).error(); \
  target = std::move(result).value()
