// Names, order and choice of instruction sets; what each kernel computes is tested in its operation's folder.
#include "kernels/isa.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <span>
#include <vector>

namespace smelt {
namespace {

std::vector<Isa> all_isas() {
  std::vector<Isa> all;
  for (int i = 0; i < kIsaCount; ++i) all.push_back(static_cast<Isa>(i));
  return all;
}

TEST(Isa, TheBestUsableIsFirstAndTheReferenceLast) {
  ASSERT_FALSE(usable_isas().empty());
  EXPECT_EQ(usable_isas().back(), Isa::reference);
  for (size_t i = 1; i < usable_isas().size(); ++i) EXPECT_LT(usable_isas()[i], usable_isas()[i - 1]);
  for (const Isa isa : all_isas()) EXPECT_EQ(find_isa(isa_name(isa)), isa);
  EXPECT_EQ(find_isa("mmx"), std::nullopt);
}

TEST(Isa, AnOverrideThatCannotBeUsedIsAUsageError) {
  ASSERT_EQ(setenv("SMELT_ISA", "mmx", 1), 0);
  const Status status = check_isa_override();
  unsetenv("SMELT_ISA");
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::usage);
  EXPECT_THAT(status.error().message, testing::HasSubstr("'mmx'"));
  EXPECT_TRUE(check_isa_override());
}

TEST(Isa, WhatASetIncludesIsAPartialOrder) {
  for (const Isa a : all_isas()) {
    EXPECT_TRUE(runs_on(a, a));
    EXPECT_TRUE(runs_on(Isa::reference, a));
    for (const Isa b : all_isas()) {
      if (a == b || !runs_on(a, b)) continue;
      EXPECT_LT(a, b) << isa_name(a) << " is included in " << isa_name(b) << " and must not be preferred to it";
      EXPECT_FALSE(runs_on(b, a)) << isa_name(a) << " and " << isa_name(b);
      for (const Isa c : all_isas()) EXPECT_TRUE(!runs_on(b, c) || runs_on(a, c));
    }
  }
}

TEST(Isa, Avx512WithoutAvxVnniRunsNoKernelOfIt) {
  EXPECT_FALSE(runs_on(Isa::avxvnni, Isa::avx512));
  EXPECT_FALSE(runs_on(Isa::avxvnni, Isa::avx512vnni));
  EXPECT_FALSE(runs_on(Isa::avx512, Isa::avxvnni));
  EXPECT_TRUE(runs_on(Isa::avx2, Isa::avxvnni));
  EXPECT_TRUE(runs_on(Isa::avx512vl_vnni, Isa::avx512vnni));
  EXPECT_FALSE(runs_on(Isa::avx2, Isa::i8mm));
  EXPECT_FALSE(runs_on(Isa::neon, Isa::avx512vnni));
}

TEST(Isa, WhatAUsableSetIncludesIsUsable) {
  const auto usable = std::vector<Isa>(usable_isas().begin(), usable_isas().end());
  for (const Isa isa : usable) {
    for (const Isa each : all_isas()) {
      if (!runs_on(each, isa)) continue;
      EXPECT_THAT(usable, testing::Contains(each)) << isa_name(each) << " in " << isa_name(isa);
    }
  }
}

struct FakeKernel {
  Isa isa;
};

TEST(Isa, TheFirstKernelThatRunsIsFound) {
  static constexpr FakeKernel kVnni{Isa::avx512vnni};
  static constexpr FakeKernel kAvxVnni{Isa::avxvnni};
  static constexpr FakeKernel kAvx2{Isa::avx2};
  static constexpr FakeKernel kReference{Isa::reference};
  static constexpr const FakeKernel* kList[] = {&kVnni, &kAvxVnni, &kAvx2, &kReference};
  const auto found = [](Isa isa) { return find_kernel<FakeKernel>(kList, isa).isa; };
  EXPECT_EQ(found(Isa::avx512vnni), Isa::avx512vnni);
  EXPECT_EQ(found(Isa::avx512vl_vnni), Isa::avx2);
  EXPECT_EQ(found(Isa::avx512), Isa::avx2);
  EXPECT_EQ(found(Isa::avxvnni), Isa::avxvnni);
  EXPECT_EQ(found(Isa::avx2), Isa::avx2);
  EXPECT_EQ(found(Isa::i8mm), Isa::reference);
  EXPECT_EQ(found(Isa::reference), Isa::reference);
}

}  // namespace
}  // namespace smelt
