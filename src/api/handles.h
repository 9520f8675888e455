// What stands behind the handles of the public headers.
#pragma once

#include <memory>

#include "runtime/generate.h"
#include "smelt/model.h"
#include "smelt/tokenizer.h"

namespace smelt {

struct TextModel::Impl {
  LoadedModel loaded;
  TextModelInfo info;
};

struct TextTokenizer::Impl {
  std::shared_ptr<const Tokenizer> tokenizer;
};

}  // namespace smelt
