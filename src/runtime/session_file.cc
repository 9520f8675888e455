#include "runtime/session_file.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "base/atomic_file.h"
#include "base/checked.h"
#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/text.h"

namespace smelt {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr char kMagic[8] = "smeltKV";
constexpr uint32_t kVersion = 4;

struct Header {
  char magic[8];
  uint32_t version;
  uint32_t kv_type;
  uint64_t fingerprint;
  uint64_t n_tokens;
  uint64_t n_layers;
  uint64_t block_bytes;
  uint64_t first_position;
  uint64_t state_floats;
  int64_t mark_position;
};
static_assert(sizeof(Header) == 72);

template <class T>
std::span<const std::byte> bytes_of(const T* values, size_t n) {
  return {reinterpret_cast<const std::byte*>(values), n * sizeof(T)};
}

Header make_header(const SessionImage& image, uint64_t n_tokens, uint64_t first_position, int64_t mark_position) {
  Header header{.magic = {},
                .version = kVersion,
                .kv_type = static_cast<uint32_t>(image.kv_type),
                .fingerprint = model_fingerprint(image.model),
                .n_tokens = n_tokens,
                .n_layers = image.layers.size(),
                .block_bytes = image.block_bytes,
                .first_position = first_position,
                .state_floats = image.state.size(),
                .mark_position = mark_position};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  return header;
}

std::byte* block_at(const KvLayer& layer, uint64_t position, uint64_t block_bytes) {
  return layer.blocks + position / kKvBlock % static_cast<uint64_t>(layer.n_blocks) * block_bytes;
}

uint64_t padded(uint64_t n) { return (n + 7) / 8 * 8; }

// Of the blocks from the first position on; first_position is a multiple of kKvBlock and not beyond the last token.
std::optional<uint64_t> layer_bytes(const Header& header) {
  const auto rounded = checked_round_up(header.n_tokens, uint64_t{kKvBlock});
  if (!rounded || header.first_position > *rounded) return std::nullopt;
  return checked_mul((*rounded - header.first_position) / kKvBlock, header.block_bytes);
}

// Writes parts, each padded, and hashes them on the way.
class PartWriter {
 public:
  explicit PartWriter(AtomicFile& file) : file_(file) {}
  Status write(std::span<const std::byte> part) {
    SMELT_TRY(file_.write(part));
    hasher_.add(part.first(part.size() / 8 * 8));
    if (part.size() % 8 == 0) return {};
    std::byte last[8] = {};
    const auto rest = part.subspan(part.size() / 8 * 8);
    std::memcpy(last, rest.data(), rest.size());
    hasher_.add(last);
    return file_.write(std::span<const std::byte>(last).subspan(rest.size()));
  }
  uint64_t hash() const { return hasher_.value(); }

 private:
  AtomicFile& file_;
  Hasher hasher_;
};

std::optional<uint64_t> states_bytes(const Header& header) {
  const auto floats = checked_mul(header.state_floats, uint64_t{sizeof(float)});
  const auto one = floats ? checked_round_up(*floats, 8) : std::nullopt;
  return one ? checked_mul(*one, header.mark_position >= 0 ? uint64_t{2} : uint64_t{1}) : std::nullopt;
}

// The size that a file with this header has; nothing if it overflows.
std::optional<uint64_t> file_size(const Header& header) {
  const auto ids = checked_mul(header.n_tokens, uint64_t{sizeof(TokenId)});
  const auto ids_padded = ids ? checked_round_up(*ids, 8) : std::nullopt;
  const auto layer = layer_bytes(header);
  const auto parts = layer ? checked_mul(*layer, header.n_layers) : std::nullopt;
  const auto states = states_bytes(header);
  const auto caches = parts && states ? checked_add(*parts, *states) : std::nullopt;
  const auto body = caches && ids_padded ? checked_add(*caches, *ids_padded) : std::nullopt;
  return body ? checked_add(*body, uint64_t{sizeof(Header) + sizeof(uint64_t)}) : std::nullopt;
}

constexpr const char* kDelete = "; delete the file or name another one";

// What the next token sees must be there, and fit into the ring.
Status check_first_position(const Header& found, const SessionImage& image) {
  const auto window = static_cast<uint64_t>(image.model.config().window);
  const uint64_t needed = window > 0 && found.n_tokens >= window ? found.n_tokens - window + 1 : 0;
  if (image.layers.empty()) return {};
  const auto room = static_cast<uint64_t>(image.layers.front().n_blocks);
  const bool whole = found.first_position % kKvBlock == 0 && found.first_position <= needed;
  if (whole && (found.n_tokens + kKvBlock - 1 - found.first_position) / kKvBlock <= room) return {};
  return input_error(
      fmt::format("the prompt cache begins at position {}, which is not what {} tokens need; it is damaged{}",
                  found.first_position, found.n_tokens, kDelete));
}

Status check_header(const Header& found, const SessionImage& image, uint64_t size) {
  const Header wanted = make_header(image, found.n_tokens, found.first_position, found.mark_position);
  if (std::memcmp(found.magic, kMagic, sizeof(kMagic)) != 0) return input_error("not a prompt cache of smelt");
  if (found.version != kVersion) {
    return input_error(
        fmt::format("version {} of the prompt cache, this program reads {}{}", found.version, kVersion, kDelete));
  }
  if (found.fingerprint != wanted.fingerprint || found.n_layers != wanted.n_layers ||
      found.state_floats != wanted.state_floats) {
    return input_error(std::string("the prompt cache belongs to another model") + kDelete);
  }
  if (found.kv_type != wanted.kv_type || found.block_bytes != wanted.block_bytes) {
    return input_error(fmt::format("the prompt cache is not of type {}: it was made with another --kv-type{}",
                                   kv_type_name(image.kv_type), kDelete));
  }
  if (const auto expected = file_size(found); !expected || *expected != size) {
    return input_error(fmt::format("the prompt cache has {} bytes, its header tells of {}; it is damaged{}", size,
                                   expected ? std::to_string(*expected) : "more than 2^64", kDelete));
  }
  if (found.n_tokens > static_cast<uint64_t>(image.n_ctx)) {
    return input_error(fmt::format("the prompt cache holds {} tokens, the context {}; take a longer context (-c)",
                                   found.n_tokens, image.n_ctx));
  }
  if (found.mark_position < -1 || found.mark_position > static_cast<int64_t>(found.n_tokens)) {
    return input_error(fmt::format("the prompt cache has a state at position {} of {}; it is damaged{}",
                                   found.mark_position, found.n_tokens, kDelete));
  }
  return check_first_position(found, image);
}

Status check_contents(std::span<const std::byte> bytes, std::span<const TokenId> tokens, int64_t n_vocab) {
  const auto body = bytes.first(bytes.size() - sizeof(uint64_t));
  uint64_t hash = 0;
  std::memcpy(&hash, bytes.data() + body.size(), sizeof(hash));
  if (hash != hash_bytes(body)) {
    return input_error(std::string("the prompt cache is damaged: its checksum does not fit") + kDelete);
  }
  for (const TokenId id : tokens) {
    if (id < 0 || id >= n_vocab) return input_error(fmt::format("the prompt cache holds token {}{}", id, kDelete));
  }
  return {};
}

Result<LoadedSession> load_bytes(const SessionImage& image, std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(Header) + sizeof(uint64_t)) return input_error("too short for a prompt cache of smelt");
  Header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  SMELT_TRY(check_header(header, image, bytes.size()));
  std::vector<TokenId> tokens(header.n_tokens);
  if (!tokens.empty()) std::memcpy(tokens.data(), bytes.data() + sizeof(header), tokens.size() * sizeof(TokenId));
  SMELT_TRY(check_contents(bytes, tokens, image.model.config().n_vocab));
  const std::byte* from = bytes.data() + sizeof(header) + padded(tokens.size() * sizeof(TokenId));
  for (const KvLayer& layer : image.layers) {
    for (uint64_t at = header.first_position; at < header.n_tokens; at += kKvBlock, from += header.block_bytes) {
      std::memcpy(block_at(layer, at, header.block_bytes), from, header.block_bytes);
    }
  }
  for (const std::span<float> state : {image.state, header.mark_position >= 0 ? image.mark : std::span<float>()}) {
    if (!state.empty()) std::memcpy(state.data(), from, state.size_bytes());
    from += padded(state.size_bytes());
  }
  return LoadedSession{std::move(tokens), static_cast<int64_t>(header.first_position), header.mark_position};
}

}  // namespace

uint64_t model_fingerprint(const Model& model) {
  constexpr size_t kSample = 4096;
  const ModelConfig& c = model.config();
  Hasher hasher;
  for (const int64_t n : {c.n_layers, c.d_model, c.n_heads, c.n_kv_heads, c.d_head, c.d_ff, c.n_vocab, c.n_rope,
                          c.window, c.ssm.d_state}) {
    hasher.add(static_cast<uint64_t>(n));
  }
  hasher.add(bytes_of(c.inv_freq.data(), c.inv_freq.size()));
  for (const TensorEntry& tensor : model.checkpoint().tensors()) {
    hasher.add(std::string_view(tensor.name));
    hasher.add(static_cast<uint64_t>(tensor.view.dtype));
    hasher.add(static_cast<uint64_t>(tensor.view.rows()));
    if (!model.checkpoint().prepare(tensor)) continue;
    hasher.add(tensor.view.bytes.first(std::min(kSample, tensor.view.bytes.size())));
  }
  return hasher.value();
}

Status save_session_file(const SessionImage& image, const SavedTokens& saved, const std::string& path) {
  const auto& [tokens, first_position, mark_position] = saved;
  SMELT_ASSIGN(AtomicFile file, AtomicFile::create(path, Overwrite::replace));
  PartWriter writer(file);
  const Header header = make_header(image, tokens.size(), static_cast<uint64_t>(first_position), mark_position);
  SMELT_TRY(writer.write(bytes_of(&header, 1)));
  SMELT_TRY(writer.write(bytes_of(tokens.data(), tokens.size())));
  for (const KvLayer& layer : image.layers) {
    for (uint64_t at = header.first_position; at < tokens.size(); at += kKvBlock) {
      SMELT_TRY(writer.write({block_at(layer, at, image.block_bytes), image.block_bytes}));
    }
  }
  SMELT_TRY(writer.write(bytes_of(image.state.data(), image.state.size())));
  if (mark_position >= 0) SMELT_TRY(writer.write(bytes_of(image.mark.data(), image.mark.size())));
  const uint64_t hash = writer.hash();
  SMELT_TRY(file.write(bytes_of(&hash, 1)));
  return file.commit();
}

Result<LoadedSession> load_session_file(const SessionImage& image, const std::string& path) {
  SMELT_ASSIGN(const auto file, MappedFile::open(path));
  return load_bytes(image, file->bytes()).with_context(escape_for_display(path, 4096));
}

}  // namespace smelt
