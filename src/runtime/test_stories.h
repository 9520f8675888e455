// For tests of runtime/: the trained model that the repository carries, and sessions on it.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/mapped_file.h"
#include "runtime/generate.h"

namespace smelt {

inline const std::string kStories = std::string(SMELT_SOURCE_DIR) + "/tests/fixtures/stories260K/";

inline LoadedModel load_stories() {
  auto loaded = load_model(kStories + "stories260K.bin");
  EXPECT_TRUE(loaded) << loaded.error().message;
  return std::move(*loaded);
}

inline Session make_session(const LoadedModel& loaded, const SessionOptions& options = {}) {
  auto session = Session::create(loaded.model, options);
  EXPECT_TRUE(session) << session.error().message;
  return std::move(*session);
}

inline std::vector<TokenId> encode(const LoadedModel& loaded, std::string_view text) {
  return loaded.tokenizer->encode(text, {.add_special = true});
}

// The first published text: greedy, 256 steps from BOS. The fenced block after the command in stories260K.md.
inline std::string published_text() {
  auto page = read_file(kStories + "stories260K.md", 1 << 20);
  EXPECT_TRUE(page);
  const size_t begin = page->find('\n', page->find("$ ./run stories260K")) + 1;
  return page->substr(begin, page->find("\n```", begin) - begin);
}

}  // namespace smelt
