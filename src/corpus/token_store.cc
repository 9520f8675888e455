#include "corpus/token_store.h"

#include <cstring>
#include <vector>

namespace smelt {
namespace {

constexpr char kMagic[9] = "SMELTTOK";
constexpr uint32_t kVersion1 = 1;

struct Header {
  char magic[8];
  uint32_t version, id_bytes;
  uint64_t n_tokens, n_documents, n_bytes, key, hash, zero;
};
static_assert(sizeof(Header) == 64);

}  // namespace

TokenStoreWriter::TokenStoreWriter(AtomicFile file, const Tokenizer& tokenizer, uint64_t key)
    : file_(std::move(file)), tokenizer_(&tokenizer), key_(key), is_wide_(tokenizer.n_vocab() > 65536) {}

Result<TokenStoreWriter> TokenStoreWriter::create(const std::string& path, const Tokenizer& tokenizer, uint64_t key) {
  SMELT_ASSIGN(AtomicFile file, AtomicFile::create(path, Overwrite::replace));
  SMELT_TRY(file.pad_to(sizeof(Header)));
  return TokenStoreWriter(std::move(file), tokenizer, key);
}

Status TokenStoreWriter::add(std::string_view document) {
  std::vector<TokenId> ids = tokenizer_->encode(document);
  if (const auto eos = tokenizer_->vocab().eos) ids.push_back(*eos);
  figures_.n_bytes += static_cast<int64_t>(document.size());
  ++figures_.n_documents;
  return write(ids);
}

Status TokenStoreWriter::write(std::span<const TokenId> ids) {
  figures_.n_tokens += static_cast<int64_t>(ids.size());
  for (const TokenId id : ids) hasher_.add(static_cast<uint64_t>(id));
  const auto put = [&](const auto& values) { return file_.write(std::as_bytes(std::span(values))); };
  if (is_wide_) return put(std::vector<uint32_t>(ids.begin(), ids.end()));
  return put(std::vector<uint16_t>(ids.begin(), ids.end()));
}

Status TokenStoreWriter::commit() {
  Header header{.magic = {},
                .version = kVersion1,
                .id_bytes = is_wide_ ? 4U : 2U,
                .n_tokens = static_cast<uint64_t>(figures_.n_tokens),
                .n_documents = static_cast<uint64_t>(figures_.n_documents),
                .n_bytes = static_cast<uint64_t>(figures_.n_bytes),
                .key = key_,
                .hash = hasher_.value(),
                .zero = 0};
  std::memcpy(header.magic, kMagic, sizeof(header.magic));
  SMELT_TRY(file_.write_at(0, std::as_bytes(std::span(&header, 1))));
  return file_.commit();
}

std::optional<TokenStore> TokenStore::open(const std::string& path, uint64_t key) {
  auto file = MappedFile::open(path);
  if (!file || (*file)->size() < sizeof(Header)) return std::nullopt;
  Header header;
  std::memcpy(&header, (*file)->bytes().data(), sizeof(header));
  const uint64_t data_bytes = (*file)->size() - sizeof(Header);
  const bool is_ours = std::memcmp(header.magic, kMagic, sizeof(header.magic)) == 0 && header.version == kVersion1 &&
                       (header.id_bytes == 2 || header.id_bytes == 4) && header.key == key &&
                       data_bytes % header.id_bytes == 0 && data_bytes / header.id_bytes == header.n_tokens;
  if (!is_ours) return std::nullopt;
  TokenStore store;
  store.file_ = std::move(*file);
  const std::byte* data = store.file_->bytes().data() + sizeof(Header);
  store.is_wide_ = header.id_bytes == 4;
  store.narrow_ = reinterpret_cast<const uint16_t*>(data);
  store.wide_ = reinterpret_cast<const uint32_t*>(data);
  store.figures_ = {.n_tokens = static_cast<int64_t>(header.n_tokens),
                    .n_documents = static_cast<int64_t>(header.n_documents),
                    .n_bytes = static_cast<int64_t>(header.n_bytes)};
  Hasher hasher;
  for (int64_t i = 0; i < store.size(); ++i) hasher.add(static_cast<uint64_t>(store[i]));
  if (hasher.value() != header.hash) return std::nullopt;
  return store;
}

}  // namespace smelt
