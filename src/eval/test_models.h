// Models of the tests of this folder: stories260K, and the same with weights that lost most of their bits.
#pragma once

#include <bit>
#include <cstring>
#include <functional>

#include "base/test_folder.h"
#include "eval/evaluate.h"
#include "runtime/test_stories.h"

namespace smelt {

inline std::string evaluation_text() {
  auto text = read_file(kStories + "stories260K.md", 1 << 20);
  EXPECT_TRUE(text);
  return std::move(*text);
}

// A copy of stories260K with every weight changed.
class ChangedStories {
 public:
  explicit ChangedStories(const std::function<float(float)>& change) {
    auto bytes = read_file(kStories + "stories260K.bin", 1 << 22);
    EXPECT_TRUE(bytes);
    for (size_t at = 7 * sizeof(int32_t); at + sizeof(float) <= bytes->size(); at += sizeof(float)) {
      float weight = 0;
      std::memcpy(&weight, bytes->data() + at, sizeof(weight));
      weight = change(weight);
      std::memcpy(bytes->data() + at, &weight, sizeof(weight));
    }
    folder_.write("stories260K.bin", *bytes);
    folder_.write("tok512.bin", *read_file(kStories + "tok512.bin", 1 << 22));
  }
  LoadedModel load() const {
    auto loaded = load_model(folder_.file("stories260K.bin"));
    EXPECT_TRUE(loaded) << loaded.error().message;
    return std::move(*loaded);
  }
  const TestFolder& folder() const { return folder_; }

 private:
  TestFolder folder_;
};

// Weights cut to 3 bits of mantissa, as make_eval_fixtures.py does it.
class CoarseStories : public ChangedStories {
 public:
  CoarseStories()
      : ChangedStories([](float x) { return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0xfff00000u); }) {}
};

}  // namespace smelt
