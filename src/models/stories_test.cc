// The trained model stories260K writes the text that its authors published (tests/fixtures/stories260K/stories260K.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "base/mapped_file.h"
#include "models/model.h"
#include "models/test_forward.h"

namespace smelt {
namespace {

const std::string kFolder = std::string(SMELT_SOURCE_DIR) + "/tests/fixtures/stories260K/";

// The first fenced block that starts with the command, without the command.
std::string published_text() {
  auto text = read_file(kFolder + "stories260K.md", 1 << 20);
  EXPECT_TRUE(text);
  const size_t command = text->find("$ ./run stories260K");
  const size_t begin = text->find('\n', command) + 1;
  const size_t end = text->find("\n```", begin);
  return text->substr(begin, end - begin);
}

// Pieces of llama2.c's tokenizer file: uint32 longest, then float score, int32 length, bytes of each token.
std::vector<std::string> read_pieces() {
  auto file = read_file(kFolder + "tok512.bin", 1 << 20);
  EXPECT_TRUE(file);
  std::vector<std::string> pieces;
  for (size_t at = 4; at + 8 <= file->size();) {
    int32_t length = 0;
    std::memcpy(&length, file->data() + at + 4, sizeof(length));
    pieces.push_back(file->substr(at + 8, static_cast<size_t>(length)));
    at += 8 + static_cast<size_t>(length);
  }
  return pieces;
}

std::string greedy_text(const std::shared_ptr<const Model>& model, KvType kv_type, int64_t n) {
  const std::vector<std::string> pieces = read_pieces();
  TestRun run(model, n + 1, 2, kv_type);
  std::string text;
  TokenId id = 1;  // BOS
  for (int64_t i = 0; i < n; ++i) {
    const TokenId previous = id;
    id = argmax(run.append({&id, 1}, 1));
    if (id == 1) break;  // llama2.c's stop
    std::string piece = pieces[static_cast<size_t>(id)];
    if (previous == 1 && piece.starts_with(' ')) piece.erase(0, 1);
    unsigned byte = 0;
    if (std::sscanf(piece.c_str(), "<0x%02X>", &byte) == 1) piece = static_cast<char>(byte);
    text += piece;
  }
  return text;
}

TEST(Stories, GreedyTextEqualsThePublishedOne) {
  auto checkpoint = Checkpoint::open(kFolder + "stories260K.bin");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  auto model = Model::load(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
  ASSERT_TRUE(model) << model.error().message;
  const std::string published = published_text();
  ASSERT_GT(published.size(), 500U);
  EXPECT_EQ(greedy_text(*model, KvType::f32, 256).substr(0, published.size()), published);
  EXPECT_EQ(greedy_text(*model, KvType::f16, 256).substr(0, published.size()), published);
}

}  // namespace
}  // namespace smelt
