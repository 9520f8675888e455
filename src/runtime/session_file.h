// The file of --prompt-cache: the tokens of a session and their keys and values. Called by session.cc only.
//
//   offset  size
//        0     8  "smeltKV" and a zero byte
//        8     4  version, 4
//       12     4  type of the cache: 0 f32, 1 f16, 2 q8
//       16     8  fingerprint of the model
//       24     8  n_tokens
//       32     8  n_layers
//       40     8  bytes of one block of a layer's cache (kernels/attention/kv_cache.h)
//       48     8  first position whose block is here, a multiple of 64: 0 unless the model has a sliding window
//       56     8  floats of a state of recurrent layers, or 0
//       64     8  position of an earlier state, or -1
//       72    4n  ids of the tokens, then zeros up to a multiple of 8
//               the blocks from there to the n-th token, of layer 0, 1, …
//               the state after the n-th token, and the earlier one, each with zeros up to a multiple of 8
//      end     8  hash (base/hash.h) of all before it
//
// All numbers are little-endian; other hosts are refused at build time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "models/model.h"

namespace smelt {

// What is saved, or where it is loaded to: views of the session's memory.
struct SessionImage {
  const Model& model;
  KvType kv_type;
  uint64_t block_bytes;  // of kKvBlock positions in one layer
  int64_t n_ctx;
  std::span<KvLayer> layers;
  std::span<float> state, mark;  // of recurrent layers: the present one, and that of an earlier position
};

struct SavedTokens {
  std::span<const TokenId> tokens;
  int64_t first_position;  // of the blocks to save, a multiple of kKvBlock
  int64_t mark_position;   // -1: none
};
Status save_session_file(const SessionImage& image, const SavedTokens& saved, const std::string& path);

struct LoadedSession {
  std::vector<TokenId> tokens;
  int64_t first_position = 0;
  int64_t mark_position = -1;
};
// Fills the layers' blocks. Nothing is changed if there is an error.
Result<LoadedSession> load_session_file(const SessionImage& image, const std::string& path);

// Tells models apart: their sizes, their tensors' names, types and shapes, and a sample of every tensor's bytes.
uint64_t model_fingerprint(const Model& model);

}  // namespace smelt
