// Properties that every encoder of tensor/formats.inc must have, whatever the values: finite results, no access outside
// its row, less error with more bits, attention to importance; and errors no greater than those of the PyPI package
// gguf and llama.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/test_data.h"

namespace smelt {

void PrintTo(const DTypeInfo& info, std::ostream* out) { *out << info.name; }

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kFloatMax = std::numeric_limits<float>::max();

std::vector<DTypeInfo> quantized_formats() {
  std::vector<DTypeInfo> out;
  for (const DTypeInfo& info : all_dtypes()) {
    if (is_quantized(info.dtype)) out.push_back(info);
  }
  return out;
}

std::vector<float> round_trip(const DTypeInfo& info, const std::vector<float>& values,
                              const float* importance = nullptr) {
  const auto n = static_cast<int64_t>(values.size());
  std::vector<std::byte> bytes(*row_bytes(info.dtype, values.size()));
  std::vector<float> out(values.size());
  info.encode(values.data(), bytes.data(), n, importance);
  info.decode(bytes.data(), out.data(), n);
  return out;
}

double weighted_error(const std::vector<float>& a, const std::vector<float>& b,
                      const std::vector<float>* weights = nullptr) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    sum += difference * difference * (weights ? (*weights)[i] : 1.0);
  }
  return sum / static_cast<double>(a.size());
}

double error(const DTypeInfo& info, const char* kind, uint64_t seed = 1) {
  const std::vector<float> values = random_values(kind, 65536, seed);
  return weighted_error(values, round_trip(info, values));
}

class EveryFormat : public ::testing::TestWithParam<DTypeInfo> {};

INSTANTIATE_TEST_SUITE_P(Encode, EveryFormat, ::testing::ValuesIn(quantized_formats()),
                         [](const auto& instance) { return std::string(instance.param.name); });

TEST_P(EveryFormat, NoMoreErrorThanTheReferenceEncoders) {
  std::ifstream file(std::string(SMELT_SOURCE_DIR) + "/tests/fixtures/tensor/block_encode.txt");
  ASSERT_TRUE(file.is_open());
  int n_compared = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string format, kind, encoder;
    double reference = 0;
    fields >> format >> kind >> encoder >> reference;
    if (format != GetParam().name) continue;
    EXPECT_LE(error(GetParam(), kind.c_str()), reference) << kind << ", " << encoder;
    ++n_compared;
  }
  EXPECT_GE(n_compared, GetParam().dtype == DType::q8_k ? 0 : 6);
}

TEST_P(EveryFormat, ZerosStayZero) {
  for (const float zero : {0.0f, -0.0f}) {
    const std::vector<float> values(512, zero);
    EXPECT_THAT(round_trip(GetParam(), values), ::testing::Each(0.0f));
  }
}

TEST_P(EveryFormat, ConstantsComeBack) {
  for (const float constant : {1.0f, -1.0f, 0.013f, -370.0f}) {
    for (const float value : round_trip(GetParam(), std::vector<float>(512, constant))) {
      EXPECT_NEAR(value, constant, std::abs(constant) * 4e-3f);
    }
  }
}

TEST_P(EveryFormat, NonFiniteValuesCountAsZero) {
  std::vector<float> values = random_values("bell", 512, 3);
  std::vector<float> cleaned = values;
  for (const size_t i : {0u, 77u, 255u, 256u, 511u}) {
    values[i] = i % 2 == 0 ? kNan : (i % 3 == 0 ? kInf : -kInf);
    cleaned[i] = 0;
  }
  EXPECT_EQ(round_trip(GetParam(), values), round_trip(GetParam(), cleaned));
  EXPECT_THAT(round_trip(GetParam(), std::vector<float>(512, kNan)), ::testing::Each(0.0f));
  EXPECT_THAT(round_trip(GetParam(), std::vector<float>(512, -kInf)), ::testing::Each(0.0f));
}

TEST_P(EveryFormat, HugeValuesSaturate) {
  for (const float huge : {7e4f, 1e9f, 1e20f, kFloatMax}) {
    std::vector<float> values = random_values("uniform", 512, 5);
    for (float& value : values) value *= huge;
    values[3] = huge;
    values[300] = -huge;
    const std::vector<float> decoded = round_trip(GetParam(), values);
    for (const float value : decoded) ASSERT_TRUE(std::isfinite(value));
    EXPECT_GT(decoded[3], 4e4f);
    EXPECT_LT(decoded[300], -4e4f);
  }
}

TEST_P(EveryFormat, TinyValuesGiveZeroOrTheRightSize) {
  for (const float tiny : {1e-5f, 1e-6f, 1e-7f, 1e-10f, 1e-20f, 1e-40f, std::numeric_limits<float>::denorm_min()}) {
    std::vector<float> values = random_values("uniform", 512, 6);
    for (float& value : values) value *= tiny;
    const std::vector<float> zeros(512);
    EXPECT_LE(weighted_error(values, round_trip(GetParam(), values)), weighted_error(values, zeros)) << tiny;
    for (const float value : round_trip(GetParam(), values)) EXPECT_LE(std::abs(value), 2 * tiny);
  }
}

TEST_P(EveryFormat, OneValueAloneSurvives) {
  for (const size_t at : {0u, 31u, 100u, 255u}) {
    std::vector<float> values(256, 0.0f);
    values[at] = -2.5f;
    const std::vector<float> decoded = round_trip(GetParam(), values);
    EXPECT_NEAR(decoded[at], -2.5f, 0.01f);
    for (size_t i = 0; i < values.size(); ++i) {
      EXPECT_TRUE(i == at || std::abs(decoded[i]) < 0.06f) << i << ": " << decoded[i];
    }
  }
}

TEST_P(EveryFormat, MixedMagnitudesStayFinite) {
  std::vector<float> values = random_values("bell", 1024, 9);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] *= std::ldexp(1.0f, static_cast<int>(splitmix64(9, i) % 240) - 120);
  for (const float value : round_trip(GetParam(), values)) ASSERT_TRUE(std::isfinite(value));
}

TEST_P(EveryFormat, WritesExactlyItsRow) {
  const std::vector<float> values = random_values("bell", 256, 2);
  const uint64_t size = *row_bytes(GetParam().dtype, 256);
  std::vector<std::byte> bytes(size + 16, std::byte{0xa5});
  GetParam().encode(values.data(), bytes.data() + 1, 256, nullptr);  // unaligned
  EXPECT_EQ(bytes[0], std::byte{0xa5});
  for (size_t i = size + 1; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], std::byte{0xa5});
  GetParam().encode(nullptr, nullptr, 0, nullptr);
  GetParam().decode(nullptr, nullptr, 0);
}

TEST_P(EveryFormat, ImportanceLowersTheWeightedError) {
  const std::vector<float> values = random_values("bell", 16384, 4);
  std::vector<float> importance(values.size());
  for (size_t i = 0; i < importance.size(); ++i) {
    const auto u = static_cast<float>(uniform24(8, i));
    importance[i] = u * u * u * u * 1000;
  }
  const double plain = weighted_error(values, round_trip(GetParam(), values), &importance);
  const double weighted = weighted_error(values, round_trip(GetParam(), values, importance.data()), &importance);
  // Eight bits leave little to gain, and so does one scale for 256 ternary values.
  const double bits = 8.0 * GetParam().block_bytes / GetParam().block_values;
  EXPECT_LT(weighted, plain * (bits >= 8 || bits < 2.1 ? 1.0 : 0.93));
}

TEST_P(EveryFormat, OddImportanceIsHarmless) {
  const std::vector<float> values = random_values("bell", 512, 4);
  const std::vector<float> plain = round_trip(GetParam(), values);
  for (const float same : {0.0f, kNan, -1.0f, kInf, 1e-38f, 1.0f, 3e38f}) {
    EXPECT_EQ(round_trip(GetParam(), values, std::vector<float>(512, same).data()), plain) << same;
  }
  std::vector<float> half(512, 1.0f);
  std::fill(half.begin() + 64, half.begin() + 200, 0.0f);  // whole groups without importance
  half[300] = kNan;
  half[301] = -5;
  half[302] = kInf;
  const std::vector<float> decoded = round_trip(GetParam(), values, half.data());
  EXPECT_LT(weighted_error(values, decoded), 3 * weighted_error(values, plain));
}

TEST_P(EveryFormat, EncodingWhatWasDecodedLosesAlmostNothing) {
  const std::vector<float> once = round_trip(GetParam(), random_values("bell", 4096, 11));
  double power = 0;
  for (const float value : once) power += static_cast<double>(value) * value / 4096;
  EXPECT_LT(weighted_error(once, round_trip(GetParam(), once)), 4e-3 * power);
}

TEST(Encode, ErrorFallsWithBits) {
  const char* order[] = {"Q2_K", "Q3_K", "IQ4_XS", "Q4_K", "Q5_K", "Q6_K", "Q8_0"};
  for (const char* kind : {"bell", "heavy", "weights", "outliers"}) {
    double last = 1e9;
    for (const char* name : order) {
      const double now = error(dtype_info(find_dtype(name).value()), kind);
      EXPECT_LT(now, last * 0.95) << name << " " << kind;
      last = now;
    }
  }
}

TEST(Encode, Q8KSumsAreThoseOfItsCodes) {
  const std::vector<float> values = random_values("heavy", 256, 12);
  std::vector<std::byte> bytes(292);
  dtype_info(DType::q8_k).encode(values.data(), bytes.data(), 256, nullptr);
  for (size_t g = 0; g < 16; ++g) {
    int sum = 0;
    for (size_t j = 0; j < 16; ++j) sum += static_cast<int8_t>(bytes[4 + 16 * g + j]);
    const auto low = static_cast<uint8_t>(bytes[260 + 2 * g]);
    const auto high = static_cast<uint8_t>(bytes[261 + 2 * g]);
    EXPECT_EQ(static_cast<int16_t>(low | (high << 8)), sum);
  }
}

TEST(Encode, PlainTypes) {
  const std::vector<float> values = {0.0f, -0.0f, 1.0f, -2.5f, 1e6f, -1e6f, kInf, -kInf, 3.4e38f};
  EXPECT_EQ(round_trip(dtype_info(DType::f32), values), values);
  const std::vector<float> halves = round_trip(dtype_info(DType::f16), values);
  EXPECT_THAT(halves, ::testing::ElementsAre(0.0f, 0.0f, 1.0f, -2.5f, 65504.0f, -65504.0f, kInf, -kInf, 65504.0f));
  const std::vector<float> brains =
      round_trip(dtype_info(DType::bf16), {1.0f, 1.00390625f, 1.01171875f, kFloatMax, kInf});
  EXPECT_THAT(brains, ::testing::ElementsAre(1.0f, 1.0f, 1.015625f, 0x1.fep127f, kInf));
  EXPECT_TRUE(std::isnan(round_trip(dtype_info(DType::f16), {kNan})[0]));
  EXPECT_TRUE(std::isnan(round_trip(dtype_info(DType::bf16), {kNan})[0]));
  const std::vector<float> bytes = round_trip(dtype_info(DType::i8), {0.5f, 1.5f, -1.4f, 300.0f, -300.0f, kNan, kInf});
  EXPECT_THAT(bytes, ::testing::ElementsAre(0, 2, -1, 127, -128, 0, 0));
}

}  // namespace
}  // namespace smelt
