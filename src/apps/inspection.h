// What `smelt inspect` finds out about a model, and how it is shown. Called by cmd_inspect.cc.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "models/model.h"

namespace smelt {

struct InspectionOptions {
  bool tensors = false;
  int64_t n_ctx = 0;  // 0: as trained
  KvType kv_type = KvType::f16;
};

struct TypeTotal {
  uint64_t n_tensors = 0, n_values = 0, bytes = 0;
};

// Parts that could not be read are empty, and `fault` tells why.
struct Inspection {
  std::shared_ptr<const Checkpoint> checkpoint;
  std::optional<ModelConfig> config;  // of a model that could be loaded
  std::shared_ptr<const Tokenizer> tokenizer;
  std::map<DType, TypeTotal> types;
  TypeTotal total;
  int64_t n_ctx = 0;
  uint64_t session_bytes = 0;  // KV cache and workspace for n_ctx tokens; encoders have no session
  std::string chat_form;       // or why there is none
  bool values_checked = false;
  std::optional<Error> fault;  // the first
};

Inspection inspect(const std::shared_ptr<const Checkpoint>& checkpoint, const InspectionOptions& options);

std::string format_text(const Inspection& inspection, const InspectionOptions& options);
std::string format_json(const Inspection& inspection, const InspectionOptions& options);

}  // namespace smelt
