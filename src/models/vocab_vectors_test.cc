// Real vocabularies against published conformance vectors: the data folder's tokenizers/ggml-vocab. In X.inp each text
// is followed by a line that says where it ends, in X.out stands a line of ids for each, without special tokens.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/text.h"
#include "formats/checkpoint.h"
#include "models/model.h"

namespace smelt {
namespace {

constexpr std::string_view kEnd = "\n__ggml_vocab_test__\n";

std::filesystem::path data_folder() {
  const char* given = std::getenv("SMELT_DATA");
  return given != nullptr ? given : std::string(SMELT_SOURCE_DIR) + "/../shared/data";
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::string> read_texts(const std::string& path) {
  std::vector<std::string> texts;
  const std::string all = read_file(path);
  for (size_t at = 0; at < all.size();) {
    const size_t end = all.find(kEnd, at);
    if (end == std::string::npos) break;
    texts.push_back(all.substr(at, end - at));
    at = end + kEnd.size();
  }
  return texts;
}

std::vector<std::vector<TokenId>> read_ids(const std::string& path) {
  std::vector<std::vector<TokenId>> lines;
  std::istringstream file(read_file(path));
  for (std::string line; std::getline(file, line);) {
    std::istringstream numbers(line);
    lines.emplace_back(std::istream_iterator<TokenId>(numbers), std::istream_iterator<TokenId>());
  }
  return lines;
}

class VocabVectors : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    path_ = (data_folder() / "tokenizers/ggml-vocab" / (std::string("ggml-vocab-") + GetParam() + ".gguf")).string();
    if (!std::filesystem::exists(path_)) GTEST_SKIP() << "no " << path_ << "; set SMELT_DATA to the data folder";
    const auto checkpoint = Checkpoint::open(path_);
    ASSERT_TRUE(checkpoint) << checkpoint.error().message;
    auto vocab = load_vocab(*checkpoint);
    ASSERT_TRUE(vocab) << vocab.error().message;
    auto tokenizer = make_tokenizer(std::move(*vocab));
    ASSERT_TRUE(tokenizer) << tokenizer.error().message;
    tokenizer_ = *tokenizer;
  }
  std::string path_;
  std::shared_ptr<const Tokenizer> tokenizer_;
};

TEST_P(VocabVectors, AllPass) {
  const auto texts = read_texts(path_ + ".inp");
  const auto ids = read_ids(path_ + ".out");
  ASSERT_EQ(texts.size(), ids.size());
  ASSERT_GT(texts.size(), 40U);
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer_->encode(texts[i]), ids[i]) << "'" << escape_for_display(texts[i]) << "'";
    if (tokenizer_->vocab().model == TokenizerModel::wordpiece) continue;
    EXPECT_EQ(tokenizer_->decode(ids[i]), texts[i]);
  }
}

TEST_P(VocabVectors, PassAfterTokenizerJson) {
  const auto json = format_tokenizer_json(tokenizer_->vocab());
  ASSERT_TRUE(json) << json.error().message;
  auto vocab = parse_tokenizer_json(*json, "again.json");
  ASSERT_TRUE(vocab) << vocab.error().message;
  const auto again = make_tokenizer(std::move(*vocab));
  ASSERT_TRUE(again) << again.error().message;
  const auto ids = read_ids(path_ + ".out");
  const auto texts = read_texts(path_ + ".inp");
  for (size_t i = 0; i < texts.size(); ++i) EXPECT_EQ((*again)->encode(texts[i]), ids[i]) << texts[i];
}

// A trap for anything quadratic: the test run has a time limit.
TEST_P(VocabVectors, LongRunsAreNoTrap) {
  for (const std::string unit : {"a", " ", "1", ".", "\n", "中", "\xFF"}) {
    std::string run;
    while (run.size() < (128 << 10)) run += unit;
    const std::string again = tokenizer_->decode(tokenizer_->encode(run));
    // WordPiece knows no such words, and some of these vocabularies have no token for the byte 0xFF.
    const bool comes_back = tokenizer_->vocab().model != TokenizerModel::wordpiece && unit != "\xFF";
    EXPECT_TRUE(!comes_back || again == run) << unit;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, VocabVectors,
                         testing::Values("bert-bge", "falcon", "gpt-2", "llama-spm", "phi-3", "starcoder"),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace smelt
