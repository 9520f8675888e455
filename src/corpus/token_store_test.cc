#include "corpus/token_store.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/test_folder.h"
#include "tokenizers/bpe_trainer.h"

namespace smelt {
namespace {

std::shared_ptr<const Tokenizer> bytes_tokenizer() {
  const auto trainer = BpeTrainer::create({.n_vocab = 258});
  return *make_tokenizer(*trainer->train({}));
}

TEST(TokenStore, DocumentsWithTheEndTokenBehindEach) {
  const TestFolder folder;
  const auto tokenizer = bytes_tokenizer();
  auto writer = TokenStoreWriter::create(folder.file("x.tokens"), *tokenizer, 5);
  ASSERT_TRUE(writer) << writer.error().message;
  ASSERT_TRUE(writer->add("ab"));
  ASSERT_TRUE(writer->add("c"));
  ASSERT_TRUE(writer->commit());
  const auto store = TokenStore::open(folder.file("x.tokens"), 5);
  ASSERT_TRUE(store);
  ASSERT_EQ(store->size(), 5);
  EXPECT_EQ((*store)[2], tokenizer->vocab().eos);
  EXPECT_EQ(tokenizer->token_bytes((*store)[3]), "c");
  EXPECT_EQ(store->figures().n_documents, 2);
  EXPECT_EQ(store->figures().n_bytes, 3);
}

TEST(TokenStore, OnlyWhatIsWholeAndOfTheKey) {
  const TestFolder folder;
  const auto tokenizer = bytes_tokenizer();
  auto writer = TokenStoreWriter::create(folder.file("x.tokens"), *tokenizer, 5);
  ASSERT_TRUE(writer->add("abc"));
  ASSERT_TRUE(writer->commit());
  EXPECT_FALSE(TokenStore::open(folder.file("x.tokens"), 6));
  EXPECT_FALSE(TokenStore::open(folder.file("y.tokens"), 5));
  std::string bytes = folder.read("x.tokens");
  ++bytes.back();
  folder.write("x.tokens", bytes);
  EXPECT_FALSE(TokenStore::open(folder.file("x.tokens"), 5));
  bytes.pop_back();
  folder.write("x.tokens", bytes);
  EXPECT_FALSE(TokenStore::open(folder.file("x.tokens"), 5));
}

}  // namespace
}  // namespace smelt
