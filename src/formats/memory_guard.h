// Turns a failed allocation into an error at the doors of this folder. Files decide how much their readers allocate, so
// memory may run out here (a small container, an address-space limit) without the program being wrong.
#pragma once

#include <new>
#include <string>

#include "base/result.h"
#include "base/text.h"

namespace smelt {

// Returns read(), or an error naming the file if memory ran out in it. What read() held is free again by then.
template <class Read>
auto with_memory_guard(const std::string& file_name, const Read& read) -> decltype(read()) {
  try {
    return read();
  } catch (const std::bad_alloc&) {
    return input_error(escape_for_display(file_name, 4096) + ": not enough memory to read it");
  }
}

}  // namespace smelt
