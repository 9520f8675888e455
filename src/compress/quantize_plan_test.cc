// Plans: overrides, the output head, reasons, refusals, and sizes that the written file keeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_folder.h"
#include "compress/gguf_output.h"
#include "compress/quantize_model.h"
#include "compress/test_model.h"

namespace smelt {
namespace {

using testing::HasSubstr;

const TensorPlan& find(const QuantizePlan& plan, std::string_view name) {
  for (const TensorPlan& tensor : plan.tensors) {
    if (tensor.name == name) return tensor;
  }
  ADD_FAILURE() << "no tensor " << name;
  return plan.tensors.front();
}

QuantizePlan plan_of(const CanonicalModel& model, const QuantizeOptions& options) {
  auto plan = plan_quantization(model, options);
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? std::move(*plan) : QuantizePlan{};
}

std::string refusal_of(const CanonicalModel& model, const QuantizeOptions& options, ErrorKind kind) {
  const auto plan = plan_quantization(model, options);
  EXPECT_FALSE(plan);
  if (plan) return "";
  EXPECT_EQ(plan.error().kind, kind);
  return plan.error().message;
}

QuantizeOptions options_of(const std::string& type) { return {.type = type, .overrides = {}, .output_type = {}}; }

class Plan : public testing::Test {
 protected:
  ToyModel toy_{ToyShape{}, ToyModel::Data::none};
};

TEST_F(Plan, OverridesReplaceTheMixForMatricesOnly) {
  QuantizeOptions options = options_of("Q4_K_M");
  options.overrides = {{"attn", DType::q8_0}, {"ffn_up", DType::f16}};
  const QuantizePlan plan = plan_of(toy_.model(), options);
  EXPECT_EQ(find(plan, "blk.0.attn_q.weight").to, DType::q8_0);
  EXPECT_EQ(find(plan, "blk.0.attn_q.weight").note, "by --override");
  EXPECT_EQ(find(plan, "blk.1.ffn_up.weight").to, DType::f16);
  EXPECT_EQ(find(plan, "blk.1.ffn_gate.weight").to, DType::q4_k);
  EXPECT_EQ(find(plan, "blk.1.ffn_gate.weight").note, "");
  EXPECT_EQ(find(plan, "blk.0.attn_norm.weight").to, DType::f32);
}

TEST_F(Plan, AnOverrideFallsBackWhereRowsDoNotFit) {
  const ToyModel narrow({.d_model = 64, .d_ff = 172}, ToyModel::Data::none);
  QuantizeOptions options = options_of("Q8_0");
  options.overrides = {{"attn_q", DType::q6_k}, {"ffn_down", DType::q4_0}};
  const QuantizePlan plan = plan_of(narrow.model(), options);
  EXPECT_EQ(find(plan, "blk.0.attn_q.weight").to, DType::q8_0);
  EXPECT_EQ(find(plan, "blk.0.attn_q.weight").note, "rows of 64 are not a multiple of 256: Q8_0 instead of Q6_K");
  EXPECT_EQ(find(plan, "blk.0.ffn_down.weight").to, DType::f16);
  EXPECT_EQ(find(plan, "blk.0.ffn_down.weight").note, "rows of 172 are not a multiple of 32: F16 instead of Q4_0");
}

TEST_F(Plan, OverridesThatMatchNoMatrixAreRefused) {
  QuantizeOptions options = options_of("Q4_K_M");
  options.overrides = {{"attn_norm", DType::q8_0}};
  EXPECT_THAT(refusal_of(toy_.model(), options, ErrorKind::usage),
              HasSubstr("override 'attn_norm': matches no matrix"));
}

TEST_F(Plan, KeepOutputSetsTheHeadAndNothingElse) {
  QuantizeOptions options = options_of("Q4_K_M");
  options.output_type = DType::f16;
  const QuantizePlan plan = plan_of(toy_.model(), options);
  EXPECT_EQ(find(plan, "output.weight").to, DType::f16);
  EXPECT_EQ(find(plan, "output.weight").note, "by --keep-output");
  EXPECT_EQ(find(plan, "token_embd.weight").to, DType::q4_k);

  const ToyModel tied({.tied = true}, ToyModel::Data::none);
  EXPECT_EQ(find(plan_of(tied.model(), options), "token_embd.weight").to, DType::f16);
  options.overrides = {{"token_embd", DType::q8_0}};
  EXPECT_EQ(find(plan_of(tied.model(), options), "token_embd.weight").to, DType::q8_0);
}

TEST_F(Plan, KeepOutputRefusesTypesThatHoldNoWeights) {
  for (const DType type : {DType::q8_k, DType::i8}) {
    QuantizeOptions options = options_of("Q4_K_M");
    options.output_type = type;
    EXPECT_THAT(refusal_of(toy_.model(), options, ErrorKind::usage), HasSubstr("--keep-output"));
  }
}

TEST_F(Plan, UnknownTypesAreRefusedWithTheNearest) {
  const std::string message = refusal_of(toy_.model(), options_of("Q4_K_N"), ErrorKind::usage);
  EXPECT_THAT(message, HasSubstr("unknown type 'Q4_K_N' (did you mean Q4_K_"));
  EXPECT_THAT(message, HasSubstr("F32, F16, BF16, Q8_0"));
}

TEST(PlanRequantize, QuantizedSourcesAreRefusedUnlessAllowed) {
  const ToyModel toy({}, ToyModel::Data::none, DType::q8_0);
  QuantizeOptions options = options_of("Q4_K_M");
  const std::string message = refusal_of(toy.model(), options, ErrorKind::input);
  EXPECT_THAT(message, HasSubstr("tensor 'token_embd.weight'"));
  EXPECT_THAT(message, HasSubstr("Q8_0 already"));
  EXPECT_THAT(message, HasSubstr("--allow-requantize"));
  options.allow_requantize = true;
  EXPECT_EQ(find(plan_of(toy.model(), options), "blk.0.attn_q.weight").to, DType::q4_k);
}

TEST(PlanRequantize, ACopyInTheSameTypeIsNoRequantizing) {
  const ToyModel toy({}, ToyModel::Data::none, DType::q8_0);
  const QuantizePlan plan = plan_of(toy.model(), options_of("Q8_0"));
  EXPECT_EQ(find(plan, "output.weight").to, DType::q8_0);
}

TEST(PlanSizes, BitsPerWeightCountEveryTensor) {
  const ToyModel toy({.tied = true}, ToyModel::Data::none);
  const QuantizePlan plan = plan_of(toy.model(), options_of("Q8_0"));
  double bytes = 0, values = 0;
  for (const TensorPlan& tensor : plan.tensors) {
    const auto n = static_cast<double>(tensor.shape.values());
    values += n;
    bytes += tensor.shape.rank < 2 ? 4 * n : n / 32 * 34;
  }
  EXPECT_DOUBLE_EQ(plan.bits_per_weight, 8 * bytes / values);
}

TEST(PlanSizes, TheWrittenFileHasThePlannedSizeInEveryMix) {
  const ToyModel toy(ToyShape{.n_layers = 1, .d_ff = 256});
  const TestFolder folder;
  for (const std::string& type : quantize_type_names()) {
    const QuantizeOptions options = options_of(type);
    const QuantizePlan plan = plan_of(toy.model(), options);
    const std::string path = folder.file(type + ".gguf");
    const Status written = write_gguf(toy.model(), plan, path, options, {});
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_EQ(std::filesystem::file_size(path), plan.file_bytes) << type;
    const auto again = Checkpoint::open(path);
    ASSERT_TRUE(again) << again.error().message;
    for (const TensorPlan& tensor : plan.tensors) {
      ASSERT_NE(again->find_tensor(tensor.name), nullptr) << tensor.name;
      EXPECT_EQ(again->find_tensor(tensor.name)->view.bytes.size(), tensor.bytes_to) << tensor.name;
      EXPECT_EQ(again->find_tensor(tensor.name)->view.dtype, tensor.to) << tensor.name;
    }
    EXPECT_EQ(*again->metadata().get_uint("general.file_type"), find_mix(type)->file_type);
    EXPECT_EQ(*again->metadata().get_uint("general.quantization_version"), 2u);
    EXPECT_EQ(*again->metadata().get_string("general.license"), "cc0-1.0");
  }
}

}  // namespace
}  // namespace smelt
