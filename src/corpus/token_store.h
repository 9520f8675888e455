// Token ids of a whole corpus in one mapped file: documents one after another, each with the end token behind it
// ("packed": training windows run across their borders). Made once for a run, read by the trainer.
//
//     magic "SMELTTOK" | version u32 | bytes per id u32 | ids u64 | documents u64 | bytes of text u64 | key u64 |
//     hash of the ids u64 | 0 u64 | ids (u16, or u32 where the vocabulary is larger than 65,536), little-endian
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/atomic_file.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/result.h"
#include "tokenizers/tokenizer.h"

namespace smelt {

struct TokenStoreFigures {
  int64_t n_tokens = 0, n_documents = 0, n_bytes = 0;  // of text
};

class TokenStoreWriter {
 public:
  // The key says what the store was made from; open() gives it back only for the same key.
  static Result<TokenStoreWriter> create(const std::string& path, const Tokenizer& tokenizer, uint64_t key);
  Status add(std::string_view document);
  const TokenStoreFigures& figures() const { return figures_; }
  Status commit();

 private:
  TokenStoreWriter(AtomicFile file, const Tokenizer& tokenizer, uint64_t key);
  Status write(std::span<const TokenId> ids);

  AtomicFile file_;
  const Tokenizer* tokenizer_;
  uint64_t key_;
  bool is_wide_;
  TokenStoreFigures figures_;
  Hasher hasher_;
};

class TokenStore {
 public:
  TokenStore() = default;  // of no tokens
  // Nothing if there is no such file, or it is of another key or damaged: it is to be made anew.
  static std::optional<TokenStore> open(const std::string& path, uint64_t key);

  const TokenStoreFigures& figures() const { return figures_; }
  int64_t size() const { return figures_.n_tokens; }
  TokenId operator[](int64_t i) const {
    return is_wide_ ? static_cast<TokenId>(wide_[i]) : static_cast<TokenId>(narrow_[i]);
  }

 private:
  std::shared_ptr<const MappedFile> file_;
  const uint16_t* narrow_ = nullptr;
  const uint32_t* wide_ = nullptr;
  bool is_wide_ = false;
  TokenStoreFigures figures_;
};

}  // namespace smelt
