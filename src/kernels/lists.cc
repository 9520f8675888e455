// One block for each operation; lists_test.cc fails when a folder's list is missing.
#include "kernels/lists.h"

namespace smelt {
namespace {

#define SMELT_KERNEL(isa) Isa::isa,
constexpr Isa kAttention[] = {
#include "kernels/attention/kernels.inc"
};
constexpr Isa kElementwise[] = {
#include "kernels/elementwise/kernels.inc"
};
constexpr Isa kMatmul[] = {
#include "kernels/matmul/kernels.inc"
};
constexpr Isa kProbe[] = {
#include "kernels/probe/kernels.inc"
};
constexpr Isa kQMatmul[] = {
#include "kernels/qmatmul/kernels.inc"
};
constexpr Isa kRope[] = {
#include "kernels/rope/kernels.inc"
};
constexpr Isa kSsm[] = {
#include "kernels/ssm/kernels.inc"
};
#undef SMELT_KERNEL

constexpr KernelList kLists[] = {
    {"attention", kAttention},
    {"elementwise", kElementwise},
    {"matmul", kMatmul},
    {"probe", kProbe},
    {"qmatmul", kQMatmul},
    {"rope", kRope},
    {"ssm", kSsm},
};

}  // namespace

std::span<const KernelList> kernel_lists() { return kLists; }

Isa find_kernel_isa(const KernelList& list, Isa isa) {
  for (const Isa each : list.best_first) {
    if (runs_on(each, isa)) return each;
  }
  return list.best_first.back();
}

bool has_kernel(std::string_view operation, Isa isa) {
  for (const KernelList& list : kLists) {
    if (operation == list.operation) return find_kernel_isa(list, isa) == isa;
  }
  return false;
}

}  // namespace smelt
