// The element types of safetensors. Source: huggingface/safetensors, Dtype (Apache-2.0).
#include "formats/raw_tensor.h"

#include <array>

namespace smelt {
namespace {

struct Storage {
  StorageType type;
  const char* name;
  uint64_t bytes;
};

constexpr std::array kStorages = {
    Storage{StorageType::f64, "F64", 8},         Storage{StorageType::f32, "F32", 4},
    Storage{StorageType::f16, "F16", 2},         Storage{StorageType::bf16, "BF16", 2},
    Storage{StorageType::f8_e4m3, "F8_E4M3", 1}, Storage{StorageType::f8_e5m2, "F8_E5M2", 1},
    Storage{StorageType::i64, "I64", 8},         Storage{StorageType::i32, "I32", 4},
    Storage{StorageType::i16, "I16", 2},         Storage{StorageType::i8, "I8", 1},
    Storage{StorageType::u64, "U64", 8},         Storage{StorageType::u32, "U32", 4},
    Storage{StorageType::u16, "U16", 2},         Storage{StorageType::u8, "U8", 1},
    Storage{StorageType::boolean, "BOOL", 1}};

const Storage& storage(StorageType type) { return kStorages[static_cast<size_t>(type)]; }

}  // namespace

const char* storage_name(StorageType type) { return storage(type).name; }

uint64_t storage_bytes(StorageType type) { return storage(type).bytes; }

std::optional<StorageType> find_storage_type(std::string_view name) {
  for (const Storage& s : kStorages) {
    if (name == s.name) return s.type;
  }
  return std::nullopt;
}

std::optional<DType> plain_dtype(StorageType type) {
  switch (type) {
    case StorageType::f32:
      return DType::f32;
    case StorageType::f16:
      return DType::f16;
    case StorageType::bf16:
      return DType::bf16;
    case StorageType::i8:
      return DType::i8;
    default:
      return std::nullopt;
  }
}

}  // namespace smelt
