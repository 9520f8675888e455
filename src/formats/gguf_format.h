// Constants of the GGUF format (ggml-org/ggml docs/gguf.md, MIT) and this project's limits, shared by reader and
// writer.
//
//   0  "GGUF"          magic
//   4  u32 version     2 and 3 have this layout; 1 had 32-bit counts
//   8  u64 n_tensors
//  16  u64 n_kv
//  24  n_kv      x { string key, u32 value type, value }         string: u64 length, bytes
//      n_tensors x { string name, u32 n_dims, u64 dims[n_dims] (innermost first), u32 type, u64 offset }
//      padding to general.alignment (32 unless given), then the data; offsets count from here
#pragma once

#include <array>
#include <cstdint>

#include "base/metadata.h"

namespace smelt::gguf {

inline constexpr char kMagic[] = "GGUF";
inline constexpr uint32_t kWrittenVersion = 3;
inline constexpr uint32_t kDefaultAlignment = 32;
inline constexpr uint32_t kMinAlignment = 8;      // the definition asks for a multiple of 8
inline constexpr uint32_t kMaxAlignment = 65536;  // larger ones only waste space
inline constexpr uint32_t kMetaTypes = 13;
inline constexpr char kAlignmentKey[] = "general.alignment";
inline constexpr char kSplitNumberKey[] = "split.no";
inline constexpr char kSplitCountKey[] = "split.count";
inline constexpr char kSplitTensorsKey[] = "split.tensors.count";

// Added to the type number of a matrix whose rows lie 16 interleaved (tensor/rows16.h): other programs do not know the
// number and refuse the file, instead of reading it as rows. Such files are aligned to cache lines.
inline constexpr uint32_t kRows16Type = 0x10000;
inline constexpr uint32_t kRows16Alignment = 64;

// Limits against files that are large only on paper (sparse files cost nothing to make). Real models stay far below: a
// vocabulary of 262,144 with its merges has about 1.3 M array values in 15 MB.
inline constexpr uint64_t kMaxKeys = uint64_t{1} << 16;
inline constexpr uint64_t kMaxTensors = uint64_t{1} << 20;
inline constexpr uint64_t kMaxKeyBytes = 65535;  // of the definition
inline constexpr uint64_t kMaxTensorNameBytes = 4096;
inline constexpr uint64_t kMaxWrittenTensorNameBytes = 63;  // llama.cpp's GGML_MAX_NAME less the final zero
inline constexpr uint64_t kMaxMetadataBytes = uint64_t{256} << 20;
inline constexpr uint64_t kMaxArrayValues = uint64_t{1} << 23;  // of all arrays together

// Bytes of one value by MetaType; 0 for strings and arrays.
inline constexpr std::array<uint8_t, kMetaTypes> kValueBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

}  // namespace smelt::gguf
