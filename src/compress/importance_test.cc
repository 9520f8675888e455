// Importances reach the right rows, and a file of another model is refused.
#include "compress/importance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/test_folder.h"
#include "compress/quantize_model.h"
#include "compress/test_model.h"

namespace smelt {
namespace {

using testing::HasSubstr;

Imatrix imatrix_of(const std::string& name, int64_t n_columns) {
  Imatrix out;
  out.datasets = {"text"};
  out.entries.push_back({name, n_columns, std::vector<float>(static_cast<size_t>(n_columns)), {10}});
  for (int64_t i = 0; i < n_columns; ++i) out.entries[0].sums[static_cast<size_t>(i)] = i % 4 == 0 ? 1000.0F : 1.0F;
  return out;
}

// Squared errors of the columns that matter, and of the others.
std::pair<double, double> errors_of(const std::string& original, const std::string& quantized, const char* name) {
  const auto a = Checkpoint::open(original), b = Checkpoint::open(quantized);
  EXPECT_TRUE(a && b);
  const TensorView x = a->find_tensor(name)->view, y = b->find_tensor(name)->view;
  std::vector<float> p(static_cast<size_t>(x.columns())), q(p.size());
  std::pair<double, double> sums;
  for (int64_t r = 0; r < x.rows(); ++r) {
    x.decode_row_into(r, p.data());
    y.decode_row_into(r, q.data());
    for (size_t i = 0; i < p.size(); ++i) (i % 4 == 0 ? sums.first : sums.second) += std::pow(p[i] - q[i], 2);
  }
  return sums;
}

TEST(Importance, WeightsThatMatterAreKeptBetter) {
  const char* name = "blk.0.ffn_down.weight";
  const TestFolder folder;
  const ToyModel toy(ToyShape{});
  ASSERT_TRUE(toy.save(folder.file("toy.gguf")));
  ASSERT_TRUE(save_imatrix(imatrix_of(name, 512), folder.file("i.gguf"), Overwrite::refuse));
  QuantizeOptions options{.type = "Q3_K_S"};
  ASSERT_TRUE(quantize_model(folder.file("toy.gguf"), folder.file("plain.gguf"), options, {}));
  options.imatrix = folder.file("i.gguf");
  const auto plan = quantize_model(folder.file("toy.gguf"), folder.file("weighted.gguf"), options, {});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(std::filesystem::file_size(folder.file("weighted.gguf")), plan->file_bytes);
  const auto plain = errors_of(folder.file("toy.gguf"), folder.file("plain.gguf"), name);
  const auto weighted = errors_of(folder.file("toy.gguf"), folder.file("weighted.gguf"), name);
  EXPECT_LT(weighted.first, 0.8 * plain.first);
  EXPECT_GT(weighted.second, plain.second);
  const char* other = "blk.1.ffn_down.weight";
  EXPECT_EQ(errors_of(folder.file("toy.gguf"), folder.file("plain.gguf"), other),
            errors_of(folder.file("toy.gguf"), folder.file("weighted.gguf"), other));
  for (const TensorPlan& tensor : plan->tensors) {
    const bool is_known = tensor.name == name || !is_quantized(tensor.to);
    EXPECT_EQ(tensor.note, is_known ? "" : "without importances") << tensor.name;
  }
}

TEST(Importance, FilesOfOtherModelsAreRefused) {
  const ToyModel toy(ToyShape{}, ToyModel::Data::none);
  const auto wide = Importance::make(imatrix_of("blk.0.attn_q.weight", 512), toy.model(), "wide.gguf");
  ASSERT_FALSE(wide);
  EXPECT_THAT(wide.error().message, HasSubstr("wide.gguf: has 1 x 512 importances of 'blk.0.attn_q.weight'"));
  const auto unknown = Importance::make(imatrix_of("blk.9.attn_q.weight", 256), toy.model(), "other.gguf");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("nothing about the tensors of this model"));
}

}  // namespace
}  // namespace smelt
