// Decoding equals the PyPI package gguf bit for bit: 10,000 pseudo-random blocks of every format, all 65,536 values of
// the 16-bit floats, and 200,000 narrowings to them. The fixture has hashes; its script makes the same blocks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/half.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

constexpr size_t kBlocks = 10000;
constexpr size_t kBlocksPerHash = 500;
constexpr uint16_t kSpecialScales[] = {0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x7bff, 0xfc00, 0x7e00};

const std::map<std::string, std::vector<size_t>> kScaleOffsets = {
    {"Q8_0", {0}},      {"Q4_0", {0}},   {"Q4_1", {0, 2}}, {"Q5_0", {0}},    {"Q5_1", {0, 2}},
    {"Q2_K", {80, 82}}, {"Q3_K", {108}}, {"Q4_K", {0, 2}}, {"Q5_K", {0, 2}}, {"Q6_K", {208}},
    {"IQ4_NL", {0}},    {"IQ4_XS", {0}}, {"TQ1_0", {52}},  {"TQ2_0", {64}}};

std::vector<std::byte> random_blocks(const DTypeInfo& info) {
  std::vector<std::byte> bytes(kBlocks * info.block_bytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(splitmix64(info.ggml_id, i / 8) >> (8 * (i % 8)));
  }
  const std::vector<size_t>& offsets = kScaleOffsets.at(info.name);
  for (size_t k = 0; k < offsets.size(); ++k) {
    for (size_t block = 0; block < kBlocks; block += 8) {
      const uint16_t scale = kSpecialScales[(block / 8 + 3 * k) % 8];
      std::memcpy(&bytes[block * info.block_bytes + offsets[k]], &scale, sizeof(scale));
    }
  }
  return bytes;
}

template <class Word>
uint64_t hash_words(const std::vector<Word>& words) {
  uint64_t hash = 0;
  for (size_t i = 0; i < words.size(); ++i) hash += (uint64_t{words[i]} + 1) * (splitmix64(0, i) | 1);
  return hash;
}

uint64_t hash_decoded(const DTypeInfo& info, const std::byte* bytes, size_t n_values) {
  std::vector<float> values(n_values);
  info.decode(bytes, values.data(), static_cast<int64_t>(n_values));
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::isnan(value) ? 0x7fc00000u : std::bit_cast<uint32_t>(value));
  return hash_words(bits);
}

// "Q4_0 500" -> hash
std::map<std::string, uint64_t> read_fixture() {
  std::ifstream file(std::string(SMELT_SOURCE_DIR) + "/tests/fixtures/tensor/block_decode.txt");
  std::map<std::string, uint64_t> hashes;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream fields(line);
    std::string format, first, hash;
    fields >> format >> first >> hash;
    hashes[format + " " + first] = std::stoull(hash, nullptr, 16);
  }
  return hashes;
}

std::vector<uint32_t> narrowing_patterns() {
  std::vector<uint32_t> bits(200000);
  for (size_t i = 0; i < bits.size(); ++i) {
    bits[i] = static_cast<uint32_t>(splitmix64(7, i) >> 32);
    if (i >= 50000 && i < 100000) bits[i] &= 0xfffff000u;
    if (i >= 100000 && i < 150000) bits[i] &= 0xffff8000u;
    if (i >= 150000) bits[i] = (bits[i] & 0x87ffffffu) | 0x30000000u;
  }
  return bits;
}

TEST(DecodeGolden, EveryFormatEqualsGgufOnRandomBlocks) {
  const auto hashes = read_fixture();
  size_t n_compared = 0;
  for (const auto& [name, offsets] : kScaleOffsets) {
    const DTypeInfo& info = dtype_info(find_dtype(name).value());
    const std::vector<std::byte> bytes = random_blocks(info);
    for (size_t first = 0; first < kBlocks; first += kBlocksPerHash, ++n_compared) {
      const uint64_t hash = hash_decoded(info, &bytes[first * info.block_bytes], kBlocksPerHash * info.block_values);
      const auto expected = hashes.find(name + " " + std::to_string(first));
      ASSERT_NE(expected, hashes.end()) << name;
      EXPECT_EQ(hash, expected->second) << name << " blocks from " << first;
    }
  }
  EXPECT_EQ(n_compared, 14 * kBlocks / kBlocksPerHash);
}

TEST(DecodeGolden, EveryQuantizedFormatIsCompared) {
  for (const DTypeInfo& info : all_dtypes()) {
    const bool decoded_by_gguf = is_quantized(info.dtype) && info.dtype != DType::q8_k;
    EXPECT_EQ(kScaleOffsets.contains(info.name), decoded_by_gguf) << info.name;
  }
}

TEST(DecodeGolden, All16BitFloats) {
  const auto hashes = read_fixture();
  std::vector<uint16_t> every(65536);
  for (size_t i = 0; i < every.size(); ++i) every[i] = static_cast<uint16_t>(i);
  const auto* bytes = reinterpret_cast<const std::byte*>(every.data());
  EXPECT_EQ(hash_decoded(dtype_info(DType::f16), bytes, every.size()), hashes.at("F16 0"));
  EXPECT_EQ(hash_decoded(dtype_info(DType::bf16), bytes, every.size()), hashes.at("BF16 0"));
}

TEST(DecodeGolden, NarrowingRoundsToNearestEven) {
  const auto hashes = read_fixture();
  std::vector<uint16_t> halves;
  std::vector<uint16_t> brains;
  for (const uint32_t bits : narrowing_patterns()) {
    const float value = std::bit_cast<float>(bits);
    halves.push_back(std::isnan(value) ? 0x7e00 : f32_to_f16(value));
    brains.push_back(std::isnan(value) ? 0x7fc0 : f32_to_bf16(value));
  }
  EXPECT_EQ(hash_words(halves), hashes.at("F16 narrow"));
  EXPECT_EQ(hash_words(brains), hashes.at("BF16 narrow"));
}

}  // namespace
}  // namespace smelt
