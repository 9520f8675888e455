// Which kernels there are: the kernels.inc of every operation as data, for `smelt devices` and tests. Dispatch does not
// go through here; each operation's own file includes its list.
#pragma once

#include <span>

#include <string_view>

#include "kernels/isa.h"

namespace smelt {

struct KernelList {
  const char* operation;  // the name of its folder
  std::span<const Isa> best_first;
};

std::span<const KernelList> kernel_lists();
// The instruction set of the kernel that find_kernel takes from such a list.
Isa find_kernel_isa(const KernelList& list, Isa isa);

// Whether the operation has a kernel of just this instruction set: tests and benchmarks need not run one twice.
bool has_kernel(std::string_view operation, Isa isa);

}  // namespace smelt
