// The mixes choose what llama.cpp's llama-quantize chooses: tests/golden/mixes, made by
// tests/golden/scripts/make_mix_fixtures.py.
#include "compress/mix_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "compress/quantize_model.h"
#include "compress/test_model.h"

namespace smelt {
namespace {

struct Golden {
  ToyShape shape;
  std::map<std::string, std::map<std::string, std::string>> types;  // by mix, by tensor
};

ToyShape parse_shape(std::istream& words) {
  std::map<std::string, int64_t> values;
  for (std::string word; words >> word;)
    values[word.substr(0, word.find('='))] = std::stoll(word.substr(word.find('=') + 1));
  return {.n_layers = values.at("n_layers"),
          .n_heads = values.at("n_heads"),
          .n_kv_heads = values.at("n_kv_heads"),
          .d_model = values.at("d_model"),
          .d_ff = values.at("d_ff"),
          .n_vocab = values.at("n_vocab"),
          .tied = values.at("tied") != 0};
}

// "blk.*.attn_v.weight Q6_K*2 Q4_K*1": the types of layers 0, 1 and 2.
void parse_row(std::istream& words, std::map<std::string, std::string>& types) {
  std::string row, group;
  words >> row;
  int64_t layer = 0;
  while (words >> group) {
    const size_t times = group.find('*');
    for (int64_t n = std::stoll(group.substr(times + 1)); n > 0; --n) {
      std::string name = row;
      const size_t star = name.find('*');
      if (star != std::string::npos) name.replace(star, 1, std::to_string(layer));
      types[name] = group.substr(0, times);
      ++layer;
    }
  }
}

Golden read_golden(const std::filesystem::path& path) {
  Golden golden;
  std::ifstream stream(path);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first == "#") continue;
    if (first == "model") {
      golden.shape = parse_shape(words);
    } else {
      parse_row(words, golden.types[first]);
    }
  }
  return golden;
}

std::vector<std::filesystem::path> golden_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::string(SMELT_SOURCE_DIR) + "/tests/golden/mixes")) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class GoldenMixes : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(GoldenMixes, EveryTensorGetsLlamaCppsType) {
  const Golden golden = read_golden(GetParam());
  ASSERT_EQ(golden.types.size(), all_mixes().size());
  const ToyModel toy(golden.shape, ToyModel::Data::none);
  for (const auto& [mix, types] : golden.types) {
    const auto plan = plan_quantization(toy.model(), {.type = mix, .overrides = {}, .output_type = {}});
    ASSERT_TRUE(plan) << plan.error().message;
    size_t n_matrices = 0;
    for (const TensorPlan& tensor : plan->tensors) {
      if (tensor.shape.rank < 2) {
        EXPECT_EQ(tensor.to, DType::f32) << tensor.name;
        continue;
      }
      ++n_matrices;
      ASSERT_TRUE(types.contains(tensor.name)) << mix << " " << tensor.name;
      EXPECT_EQ(dtype_name(tensor.to), types.at(tensor.name)) << mix << " " << tensor.name;
    }
    EXPECT_EQ(n_matrices, types.size()) << mix;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, GoldenMixes, testing::ValuesIn(golden_files()),
                         [](const auto& each) { return each.param.stem().string(); });

// The golden models must reach every rule, or the table above could be wrong unnoticed.
TEST(MixRules, GoldenModelsReachEveryMixedType) {
  std::map<std::string, std::set<std::string>> seen;
  for (const auto& path : golden_files()) {
    const Golden golden = read_golden(path);
    for (const auto& [mix, types] : golden.types) {
      for (const auto& [name, type] : types) {
        if (name.starts_with("blk.") && golden.shape.d_model % 256 == 0) seen[mix].insert(type);
      }
    }
  }
  using testing::UnorderedElementsAre;
  EXPECT_THAT(seen["Q6_K"], UnorderedElementsAre("Q6_K"));
  EXPECT_THAT(seen["Q5_K_M"], UnorderedElementsAre("Q5_K", "Q6_K"));
  EXPECT_THAT(seen["Q4_K_M"], UnorderedElementsAre("Q4_K", "Q5_K", "Q6_K"));  // Q5_K: 80 layers, grouped heads
  EXPECT_THAT(seen["Q4_K_S"], UnorderedElementsAre("Q4_K", "Q5_K"));
  EXPECT_THAT(seen["IQ4_XS"], UnorderedElementsAre("IQ4_XS", "Q5_K"));
  EXPECT_THAT(seen["Q3_K_M"], UnorderedElementsAre("Q3_K", "Q4_K", "Q5_K"));
  EXPECT_THAT(seen["Q2_K"], UnorderedElementsAre("Q2_K", "Q3_K", "Q4_K", "Q5_K"));
  EXPECT_THAT(seen["Q2_K_S"], UnorderedElementsAre("Q2_K", "Q4_K", "Q5_K"));
}

TEST(MixRules, NamesAreFoundInAnyCaseAndByTheirShortForm) {
  ASSERT_TRUE(find_mix("q4_k_m"));
  EXPECT_STREQ(find_mix("q4_k_m")->name, "Q4_K_M");
  EXPECT_STREQ(find_mix("Q3_K")->name, "Q3_K_M");
  EXPECT_STREQ(find_mix("q5_k")->name, "Q5_K_M");
  EXPECT_STREQ(find_mix("bf16")->name, "BF16");
  EXPECT_FALSE(find_mix("Q4_K_X"));
  EXPECT_FALSE(find_mix(""));
  EXPECT_EQ(quantize_type_names().size(), all_mixes().size());
}

TEST(MixRules, FallBackWhereRowsAreNotWholeBlocks) {
  EXPECT_EQ(fitting_type(DType::q4_k, 512), DType::q4_k);
  EXPECT_EQ(fitting_type(DType::q4_k, 288), DType::q5_0);
  EXPECT_EQ(fitting_type(DType::q5_k, 288), DType::q5_1);
  EXPECT_EQ(fitting_type(DType::q6_k, 288), DType::q8_0);
  EXPECT_EQ(fitting_type(DType::q3_k, 288), DType::q4_0);
  EXPECT_EQ(fitting_type(DType::q2_k, 288), DType::q4_0);
  EXPECT_EQ(fitting_type(DType::iq4_xs, 288), DType::iq4_nl);
  EXPECT_EQ(fitting_type(DType::q4_k, 172), DType::f16);
  EXPECT_EQ(fitting_type(DType::q8_0, 172), DType::f16);
  EXPECT_EQ(fitting_type(DType::f32, 171), DType::f32);
}

}  // namespace
}  // namespace smelt
