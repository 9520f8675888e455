// The last door: what a public function returns as a Result, it never throws.
#pragma once

#include <new>

#include "base/result.h"

namespace smelt {

template <class Work>
auto guarded(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::bad_alloc&) {
    return input_error("not enough memory");
  }
}

}  // namespace smelt
