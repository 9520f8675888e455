// What a file is, judged by its first bytes: used to choose a reader and to advise about files that have none.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace smelt {

enum class ContentKind { gguf, llama2c_ak42, safetensors, known_other, unknown };

struct Content {
  ContentKind kind = ContentKind::unknown;
  std::string advice;  // "it is a Git LFS pointer; run git lfs pull", for kinds that no reader takes
};

Content recognise_content(std::span<const std::byte> bytes);

}  // namespace smelt
