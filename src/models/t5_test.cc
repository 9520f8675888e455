// T5's encoder against transformers (tests/golden/t5*), by the keys that the decoder's first layer reads of its output.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "models/test_forward.h"

namespace smelt {
namespace {

class T5Test : public testing::TestWithParam<const char*> {};

TEST_P(T5Test, TheEncodersOutputEqualsTheReference) {
  const std::string folder = std::string(SMELT_SOURCE_DIR) + "/tests/golden/" + GetParam();
  auto checkpoint = Checkpoint::open(folder);
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  auto model = Model::load(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
  ASSERT_TRUE(model) << model.error().message;
  auto json = read_file(folder + "/golden.json", 1 << 20);
  auto bytes = read_file(folder + "/source_keys.f32", 1 << 20);
  ASSERT_TRUE(json && bytes);
  const auto source = nlohmann::json::parse(*json)["source"].get<std::vector<TokenId>>();
  const ModelConfig& c = (*model)->config();
  std::vector<float> keys(bytes->size() / sizeof(float));  // [n_source][n_heads][d_head]
  std::memcpy(keys.data(), bytes->data(), bytes->size());
  ASSERT_EQ(keys.size(), source.size() * static_cast<size_t>(c.n_heads * c.d_head));
  constexpr int64_t kCapacity = 40;
  const TestRun run(*model, kCapacity, 2, KvType::f32, source);
  const float* found = run.state().data() + 2 * kCapacity * c.n_heads * c.d_head;  // [n_heads][capacity][d_head]
  for (int64_t i = 0; i < static_cast<int64_t>(source.size()); ++i) {
    for (int64_t h = 0; h < c.n_heads; ++h) {
      for (int64_t j = 0; j < c.d_head; ++j) {
        ASSERT_NEAR(found[(h * kCapacity + i) * c.d_head + j],
                    keys[static_cast<size_t>((i * c.n_heads + h) * c.d_head + j)], 1e-4)
            << "token " << i << ", head " << h;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, T5Test, testing::Values("t5/tied", "t5v11/untied"), [](const auto& each) {
  return std::string(each.param).substr(0, std::string(each.param).find('/'));
});

}  // namespace
}  // namespace smelt
