// A tensor as a safetensors file holds it, of any of the format's types: those that packed weights are kept in have no
// meaning as numbers of their own (formats/packed/ gives it to them).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tensor/dtype.h"
#include "tensor/tensor_view.h"

namespace smelt {

enum class StorageType : uint8_t {
  f64,
  f32,
  f16,
  bf16,
  f8_e4m3,
  f8_e5m2,
  i64,
  i32,
  i16,
  i8,
  u64,
  u32,
  u16,
  u8,
  boolean
};

const char* storage_name(StorageType type);  // as files have it: "F8_E4M3"
std::optional<StorageType> find_storage_type(std::string_view name);
uint64_t storage_bytes(StorageType type);  // of one value
// The element type of tensors that are numbers as they stand: F32, F16, BF16 and I8.
std::optional<DType> plain_dtype(StorageType type);

struct RawTensor {
  std::string name;
  StorageType type = StorageType::f32;
  Shape shape;
  std::span<const std::byte> bytes;
  uint32_t file_index = 0;
  uint64_t file_offset = 0;  // of the first data byte
};

}  // namespace smelt
