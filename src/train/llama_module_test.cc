// The module against the runtime and transformers (logits), its training step against PyTorch's.
#include "train/llama_module.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/json_tree.h"
#include "base/mapped_file.h"
#include "runtime/session.h"
#include "train/adamw.h"

namespace smelt {
namespace {

using testing::HasSubstr;

template <class T>
T take(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

const std::string kGolden = std::string(SMELT_SOURCE_DIR) + "/tests/golden/";

struct Fixture {
  std::shared_ptr<const Checkpoint> checkpoint;
  LlamaModule module;
  std::vector<TokenId> ids;
};

Fixture load_fixture(const std::string& name) {
  const std::string folder = kGolden + "llama/" + name;
  auto checkpoint = std::make_shared<const Checkpoint>(take(Checkpoint::open(folder)));
  const CanonicalModel model = take(to_hugging_face_terms(checkpoint));
  LlamaModule module = take(LlamaModule::create(model.config));
  if (Status loaded = module.load(model); !loaded) throw std::runtime_error(loaded.error().message);
  const JsonValue golden = take(parse_json_tree(take(read_file(folder + "/golden.json", 1 << 20)), "golden.json"));
  std::vector<TokenId> ids;
  for (const JsonValue& id : *take(take(JsonField(golden, "").get("tokens")).array()))
    ids.push_back(static_cast<TokenId>(*id.integer()));
  return {std::move(checkpoint), std::move(module), std::move(ids)};
}

torch::Tensor row_of(const std::vector<TokenId>& ids) {
  torch::Tensor row = torch::empty({1, static_cast<int64_t>(ids.size())}, torch::kLong);
  std::copy(ids.begin(), ids.end(), row.data_ptr<int64_t>());
  return row;
}

std::vector<float> module_logits(const Fixture& fixture) {
  const torch::NoGradGuard no_gradients;
  const torch::Tensor logits = fixture.module.forward(row_of(fixture.ids)).contiguous();
  return {logits.data_ptr<float>(), logits.data_ptr<float>() + logits.numel()};
}

std::vector<float> runtime_logits(const Fixture& fixture) {
  Session session = take(Session::create(take(Model::load(fixture.checkpoint)), {.n_ctx = 64, .kv_type = KvType::f32}));
  std::vector<float> out;
  const Status done = session.append_visiting(fixture.ids, 0, [&](int64_t, std::span<const float> row) -> Status {
    out.insert(out.end(), row.begin(), row.end());
    return {};
  });
  EXPECT_TRUE(done) << done.error().message;
  return out;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  float most = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

class LlamaModuleLogits : public testing::TestWithParam<const char*> {};

TEST_P(LlamaModuleLogits, AreTheRuntimesAndTransformers) {
  const Fixture fixture = load_fixture(GetParam());
  const std::vector<float> ours = module_logits(fixture);
  EXPECT_LE(largest_difference(ours, runtime_logits(fixture)), 1e-4F);
  const auto file = take(MappedFile::open(kGolden + "llama/" + GetParam() + "/logits.f32"));
  std::vector<float> golden(file->size() / sizeof(float));
  std::memcpy(golden.data(), file->bytes().data(), file->size());
  EXPECT_LE(largest_difference(ours, golden), 1e-4F);
}

INSTANTIATE_TEST_SUITE_P(Llama, LlamaModuleLogits,
                         testing::Values("gqa_untied", "mha_tied", "llama3_rope", "head_dim_linear_rope", "yarn"));

TEST(LlamaModule, LongTextsAreComputedInBlocks) {
  const Fixture fixture = load_fixture("gqa_untied");
  std::vector<TokenId> ids(200);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<TokenId>(i * i % 96);
  const torch::NoGradGuard no_gradients;
  const torch::Tensor all = fixture.module.forward(row_of(ids));
  ids.resize(131);  // in the second block of queries
  const torch::Tensor part = fixture.module.forward(row_of(ids));
  EXPECT_LE((all.slice(1, 0, 131) - part).abs().max().item<float>(), 1e-4F);
}

TEST(LlamaModule, ThreeStepsAreThoseOfPyTorch) {
  Fixture fixture = load_fixture("gqa_untied");
  Parameters& parameters = fixture.module.parameters();
  const torch::Tensor before = parameters.values().clone();
  AdamW optimizer(parameters.values(), parameters.n_decaying());
  const JsonValue tree = take(parse_json_tree(take(read_file(kGolden + "train/steps.json", 1 << 20)), "steps.json"));
  const JsonField golden(tree, "");
  const int64_t n = take(take(golden.get("window")).integer());
  const JsonValue::Array& rates = *take(take(golden.get("rates")).array());
  const JsonValue::Array& steps = *take(take(golden.get("steps")).array());
  for (int64_t step = 0; step < static_cast<int64_t>(steps.size()); ++step) {
    torch::Tensor ids = torch::empty({2, n + 1}, torch::kLong);
    for (int64_t row = 0; row < 2; ++row)
      for (int64_t i = 0; i <= n; ++i) ids[row][i] = (7 * i * i + 31 * row + 13 * step + i) % 96;
    parameters.gradients().zero_();
    const torch::Tensor logits = fixture.module.forward(ids.slice(1, 0, n));
    const torch::Tensor loss = torch::cross_entropy_loss(logits.flatten(0, 1), ids.slice(1, 1).flatten());
    loss.backward();
    const double norm = clip_gradients(parameters.gradients(), 1);
    const JsonField wanted(steps[static_cast<size_t>(step)], "");
    EXPECT_NEAR(loss.item<double>(), take(take(wanted.get("loss")).number()), 1e-5);
    EXPECT_NEAR(norm, take(take(wanted.get("norm")).number()), 1e-4);
    optimizer.update(parameters.values(), parameters.gradients(), step,
                     {.learning_rate = *rates[static_cast<size_t>(step)].number(), .weight_decay = 0.1});
  }
  const JsonField tensors = take(golden.get("tensors"));
  for (const ParameterSpec& spec : parameters.specs()) {
    const JsonField wanted = take(tensors.get(spec.name));
    const torch::Tensor part = parameters.values().narrow(0, spec.offset, spec.shape.values());
    const auto change =
        (part - before.narrow(0, spec.offset, spec.shape.values())).to(torch::kDouble).abs().sum().item<double>();
    const double wanted_change = take(take(wanted.get("change")).number());
    EXPECT_NEAR(change, wanted_change, 1e-3 * wanted_change) << spec.name;
    const JsonValue::Array& at = *take(take(wanted.get("at")).array());
    const JsonValue::Array& values = *take(take(wanted.get("values")).array());
    for (size_t i = 0; i < at.size(); ++i)
      EXPECT_NEAR(part[*at[i].integer()].item<double>(), *values[i].number(), 2e-4) << spec.name << " " << i;
  }
}

TEST(LlamaModule, WhatItCannotTrainIsRefused) {
  const auto refusal = [](const std::string& name) {
    const auto checkpoint = std::make_shared<const Checkpoint>(take(Checkpoint::open(kGolden + name)));
    const CanonicalModel model = take(to_hugging_face_terms(checkpoint));
    auto module = LlamaModule::create(model.config);
    if (!module) return module.error().message;
    const Status loaded = module->load(model);
    return loaded ? std::string("none") : loaded.error().message;
  };
  EXPECT_THAT(refusal("llama/mistral_window"), HasSubstr("sliding window"));
  EXPECT_THAT(refusal("llama/biases"), HasSubstr("bias': this form"));
  EXPECT_THAT(refusal("llama/dynamic"), HasSubstr("depend on the length"));
  EXPECT_THAT(refusal("qwen2/gqa_tied"), HasSubstr("only those of 'llama'"));
}

}  // namespace
}  // namespace smelt
