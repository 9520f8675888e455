// Folders whose weights other tools packed (tests/golden/packed, made by make_packed_fixtures.py with those tools' own
// code): decoded they are what that code decodes, and the model computes what transformers computes with that.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "formats/safetensors.h"
#include "models/canonical.h"
#include "models/model.h"
#include "models/test_forward.h"

namespace smelt {
namespace {

namespace fs = std::filesystem;

const fs::path kPacked = fs::path(SMELT_SOURCE_DIR) / "tests" / "golden" / "packed";
constexpr float kMaxError = 1e-4F;

std::vector<std::string> packed_cases() {
  std::vector<std::string> cases;
  for (const auto& entry : fs::directory_iterator(kPacked)) cases.push_back(entry.path().filename().string());
  std::sort(cases.begin(), cases.end());
  return cases;
}

class PackedFolder : public testing::TestWithParam<std::string> {
 protected:
  fs::path folder() const { return kPacked / GetParam(); }
  std::shared_ptr<const Checkpoint> open() const {
    auto checkpoint = Checkpoint::open(folder().string());
    EXPECT_TRUE(checkpoint) << checkpoint.error().message;
    return checkpoint ? std::make_shared<const Checkpoint>(std::move(*checkpoint)) : nullptr;
  }
};

std::vector<float> values_of(const TensorView& view) {
  std::vector<float> values(static_cast<size_t>(view.shape.values()));
  for (int64_t r = 0; r < view.rows(); ++r) view.decode_row_into(r, values.data() + r * view.columns());
  return values;
}

TEST_P(PackedFolder, DecodesToWhatItsToolDecodesTo) {
  const auto checkpoint = open();
  ASSERT_NE(checkpoint, nullptr);
  const auto file = MappedFile::open((folder() / "decoded.safetensors").string());
  ASSERT_TRUE(file) << file.error().message;
  const auto expected = parse_safetensors((*file)->bytes(), "decoded.safetensors");
  ASSERT_TRUE(expected) << expected.error().message;
  ASSERT_EQ(expected->size(), 7U);
  for (const TensorEntry& wanted : *expected) {
    const TensorEntry* tensor = checkpoint->find_tensor(wanted.name);
    ASSERT_NE(tensor, nullptr) << wanted.name;
    EXPECT_EQ(tensor->view.dtype, wanted.view.dtype) << wanted.name;
    ASSERT_EQ(tensor->view.shape, wanted.view.shape) << wanted.name;
    for (int pass = 0; pass < 2; ++pass) {  // the second after its memory was given back
      ASSERT_TRUE(checkpoint->prepare(*tensor));
      EXPECT_EQ(values_of(tensor->view), values_of(wanted.view)) << wanted.name;
      checkpoint->release(*tensor);
    }
  }
}

TEST_P(PackedFolder, HasTheLogitsOfTheDecodedModel) {
  const auto checkpoint = open();
  ASSERT_NE(checkpoint, nullptr);
  const auto model = Model::load(checkpoint);
  ASSERT_TRUE(model) << model.error().message;
  const auto json = read_file((folder() / "golden.json").string(), 1 << 20);
  const auto bytes = read_file((folder() / "logits.f32").string(), 1 << 24);
  ASSERT_TRUE(json && bytes);
  const auto tokens = nlohmann::json::parse(*json)["tokens"].get<std::vector<TokenId>>();
  std::vector<float> wanted(bytes->size() / sizeof(float));
  std::memcpy(wanted.data(), bytes->data(), bytes->size());
  const auto n = static_cast<int64_t>(tokens.size());
  const std::vector<float> logits = TestRun(*model, n, 1).append(tokens, n);
  ASSERT_EQ(logits.size(), wanted.size());
  for (size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(logits[i], wanted[i], kMaxError) << i;
}

TEST_P(PackedFolder, IsAPlainModelInGgufsTerms) {
  const auto model = to_gguf_terms(open());
  ASSERT_TRUE(model) << model.error().message;
  for (const auto& [key, value] : model->metadata.entries()) {
    EXPECT_EQ(key.find("quantization_config"), std::string::npos) << key;
  }
  EXPECT_EQ(model->tensors.size(), 3U + 2 * 9);
}

INSTANTIATE_TEST_SUITE_P(All, PackedFolder, testing::ValuesIn(packed_cases()),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace smelt
