// Statistics of activations equal those of transformers (tests/golden/scripts/make_imatrix_fixtures.py), whether all
// layers are gone through at once or one by one.
#include "shrink/imatrix.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "shrink/layer_names.h"
#include "shrink/layer_pass.h"
#include "shrink/moments.h"
#include "shrink/test_books.h"

namespace smelt {
namespace {

using nlohmann::json;

constexpr double kRelative = 1e-4;

json read_golden() {
  const auto text = read_file(std::string(SMELT_SOURCE_DIR) + "/tests/golden/imatrix/books-3m.json", 1 << 20);
  EXPECT_TRUE(text);
  return json::parse(*text);
}

TEST(ImatrixGolden, SumsOfSquaresOfAllMatrices) {
  const json golden = read_golden();
  const auto imatrix =
      measure_imatrix(open_books(), books_text(), "heldout.txt",
                      {.n_ctx = golden["n_ctx"], .max_windows = golden["windows"], .n_threads = 2}, {});
  ASSERT_TRUE(imatrix) << imatrix.error().message;
  EXPECT_EQ(imatrix->entries.size(), golden["tensors"].size());
  for (const auto& [name, wanted] : golden["tensors"].items()) {
    const ImatrixEntry* entry = imatrix->find(name);
    ASSERT_NE(entry, nullptr) << name;
    EXPECT_EQ(entry->counts.at(0), wanted["tokens"].get<float>()) << name;
    double total = 0;
    for (const float sum : entry->sums) total += sum;
    EXPECT_NEAR(total, wanted["total"].get<double>(), kRelative * total) << name;
    for (size_t i = 0; i < golden["columns"].size(); ++i) {
      const double sum = entry->sums.at(golden["columns"][i].get<size_t>());
      EXPECT_NEAR(sum, wanted["sums"][i].get<double>(), kRelative * sum + 1e-6 * total) << name << " " << i;
    }
  }
}

void compare_products(const Moment& moment, const json& wanted, const json& columns) {
  const double scale = wanted["total"].get<double>() / static_cast<double>(moment.n_inputs);
  for (size_t i = 0; i < wanted["products"].size(); ++i) {
    for (size_t j = 0; j < wanted["products"][i].size(); ++j) {
      const auto row = columns[i].get<int64_t>(), column = columns[j].get<int64_t>();
      EXPECT_NEAR(moment.products.at(static_cast<size_t>(row * moment.n_inputs + column)),
                  wanted["products"][i][j].get<double>(), 3e-4 * scale)
          << row << " " << column;
    }
  }
}

TEST(ImatrixGolden, SecondMomentsLayerByLayer) {
  const json golden = read_golden();
  const SourceModel source = open_books();
  const auto windows = cut_windows(*source.loaded.tokenizer, books_text(),
                                   {.n_ctx = golden["n_ctx"], .first_scored = 0, .max_windows = golden["windows"]});
  ASSERT_TRUE(windows);
  ThreadPool threads(2);
  auto pass = LayerPass::create(source.loaded.model, *windows, 1, threads);
  ASSERT_TRUE(pass);
  const WeightIndex index(source.canonical);
  int n_compared = 0;
  for (int64_t layer = 0; layer <= source.loaded.model->config().n_layers; ++layer) {
    MomentObserver moments(index, MomentObserver::Kind::products, threads);
    const bool is_head = layer == source.loaded.model->config().n_layers;
    ASSERT_TRUE(pass->run({layer, layer + 1, false}, nullptr, {})) << "a run that is not kept changes nothing";
    ASSERT_TRUE(pass->run({layer, layer + 1, !is_head}, &moments, {}));
    for (const auto& [place, moment] : moments.all()) {
      const std::string& name = source.canonical.tensors[place.tensor].name;
      EXPECT_EQ(layer_of(name), is_head ? -1 : layer);
      const json& wanted = golden["tensors"][name];
      if (!wanted.contains("products")) continue;
      ++n_compared;
      compare_products(*moment, wanted, golden["columns"]);
    }
  }
  EXPECT_EQ(n_compared, 2);
}

}  // namespace
}  // namespace smelt
