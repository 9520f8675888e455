// llama2.c checkpoints. The oldest form (v0) has no magic number:
//
//   0  i32 dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size (negative: own output head), max_seq_len
//  28  f32 tensors, each kind stacked over the layers: embeddings, attention norms, wq, wk, wv, wo, ffn norms, w1, w2,
//  w3,
//      final norm, two RoPE tables of max_seq_len x head_size/2 (not needed), output head unless it is tied
//
// and the "ak42" forms (v1: f32, v2: int8) have a 256-byte header and another order; see parse_header and the layouts.
// Called by Checkpoint::open. Facts from karpathy/llama2.c run.c, runq.c and export.py (MIT).
#include "formats/llama2c.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/checked.h"
#include "base/log.h"
#include "base/text.h"
#include "formats/byte_reader.h"
#include "formats/llama2c_int8.h"
#include "formats/memory_guard.h"

namespace smelt {
namespace {

constexpr uint32_t kMagic = 0x616b3432;  // "ak42"
constexpr uint64_t kOldHeaderBytes = 28;
constexpr uint64_t kNewHeaderBytes = 256;
constexpr int64_t kMaxDimension = int64_t{1} << 24;  // of any header field; keeps all products of two far from overflow
constexpr int64_t kMaxLayers = 65536;
constexpr uint64_t kMaxTokenizerBytes = uint64_t{64} << 20;

struct Header {
  int version = 0;
  int64_t dim = 0, hidden_dim = 0, n_layers = 0, n_heads = 0, n_kv_heads = 0, vocab_size = 0, max_seq_len = 0;
  bool tied_head = true;
  int64_t group_size = 0;  // v2
  uint64_t bytes = 0;      // where the data begins

  int64_t kv_dim() const { return dim / n_heads * n_kv_heads; }
  int64_t head_size() const { return dim / n_heads; }
};

// One kind of tensor: `name` for single ones, "blk.N.name" for those that every layer has. An empty name is skipped
// data.
struct TensorKind {
  const char* name;
  Shape shape;
  bool per_layer = false;
  bool int8 = false;
};

class Parser {
 public:
  Parser(std::span<const std::byte> bytes, const std::string& file_name)
      : bytes_(bytes), file_(escape_for_display(file_name, 4096)) {}

  Result<Checkpoint::Parts> parse() {
    SMELT_TRY(parse_header());
    SMELT_TRY(check_header());
    const std::vector<TensorKind> layout = header_.version == 0 ? old_layout() : new_layout();
    SMELT_TRY(check_size(layout));
    for (const TensorKind& kind : layout) add_kind(kind);
    add_metadata();
    parts_.format_name = header_.version == 0 ? "llama2.c" : fmt::format("llama2.c v{}", header_.version);
    parts_.dialect = Dialect::gguf;
    return std::move(parts_);
  }

 private:
  Error field_error(const char* field, uint64_t position, const std::string& message) const {
    return input_error(fmt::format("{}: header field '{}' at byte {}: {}", file_, field, position, message));
  }
  Status parse_header();
  Status parse_new_header(ByteReader& reader);
  Status check_header() const;
  Status check_heads(uint64_t first) const;
  std::vector<TensorKind> old_layout() const;
  std::vector<TensorKind> new_layout() const;
  uint64_t bytes_of(const TensorKind& kind) const;
  Status check_size(const std::vector<TensorKind>& layout) const;
  void add_kind(const TensorKind& kind);
  void add_tensor(const std::string& name, const TensorKind& kind, uint64_t one_bytes);
  void add_metadata();

  std::span<const std::byte> bytes_;
  std::string file_;
  Header header_;
  Checkpoint::Parts parts_;
  uint64_t position_ = 0;
};

Status Parser::parse_header() {
  ByteReader reader(bytes_);
  const auto magic = reader.read<uint32_t>();
  const bool is_new = magic && *magic == kMagic;
  if (bytes_.size() < (is_new ? kNewHeaderBytes : kOldHeaderBytes)) {
    return field_error("dim", 0,
                       fmt::format("the file has {} bytes, less than the header of a llama2.c model; it is "
                                   "truncated or no model",
                                   bytes_.size()));
  }
  if (!is_new) reader = ByteReader(bytes_);
  if (is_new) header_.version = *reader.read<int32_t>();
  if (is_new && header_.version != 1 && header_.version != 2) {
    return field_error("version", 4,
                       fmt::format("version {} is unknown, only 1 and 2 exist with this magic number; export the "
                                   "model again",
                                   header_.version));
  }
  for (int64_t* field : {&header_.dim, &header_.hidden_dim, &header_.n_layers, &header_.n_heads, &header_.n_kv_heads,
                         &header_.vocab_size, &header_.max_seq_len}) {
    *field = *reader.read<int32_t>();
  }
  header_.bytes = is_new ? kNewHeaderBytes : kOldHeaderBytes;
  if (is_new) return parse_new_header(reader);
  header_.tied_head = header_.vocab_size > 0;
  header_.vocab_size = header_.vocab_size > 0 ? header_.vocab_size : -header_.vocab_size;
  return {};
}

Status Parser::parse_new_header(ByteReader& reader) {
  const uint64_t position = reader.position();
  const auto tied = *reader.read<uint8_t>();
  if (tied > 1) return field_error("shared_classifier", position, fmt::format("it is {}, must be 0 or 1", tied));
  header_.tied_head = tied == 1;
  if (header_.version == 2) header_.group_size = *reader.read<int32_t>();
  return {};
}

Status Parser::check_header() const {
  struct Range {
    const char* field;
    int64_t value, low, high;
  };
  const uint64_t first = header_.version == 0 ? 0 : 8;
  const Range ranges[] = {{"dim", header_.dim, 2, kMaxDimension},
                          {"hidden_dim", header_.hidden_dim, 1, kMaxDimension},
                          {"n_layers", header_.n_layers, 1, kMaxLayers},
                          {"n_heads", header_.n_heads, 1, header_.dim / 2},
                          {"n_kv_heads", header_.n_kv_heads, 1, header_.n_heads},
                          {"vocab_size", header_.vocab_size, 1, kMaxDimension},
                          {"max_seq_len", header_.max_seq_len, 1, kMaxDimension}};
  uint64_t position = first;
  for (const Range& range : ranges) {
    if (range.value < range.low || range.value > range.high) {
      return field_error(range.field, position,
                         fmt::format("it is {}, must be {} to {}; this is no llama2.c model, or a damaged one",
                                     range.value, range.low, range.high));
    }
    position += 4;
  }
  return check_heads(first);
}

Status Parser::check_heads(uint64_t first) const {
  if (header_.dim % header_.n_heads != 0 || header_.head_size() % 2 != 0) {
    return field_error(
        "n_heads", first + 12,
        fmt::format("dim {} does not divide into {} heads of an even size", header_.dim, header_.n_heads));
  }
  if (header_.n_heads % header_.n_kv_heads != 0) {
    return field_error("n_kv_heads", first + 16,
                       fmt::format("{} does not divide the {} heads", header_.n_kv_heads, header_.n_heads));
  }
  if (header_.version != 2) return {};
  const int64_t group = header_.group_size;
  if (group < 1 || group % llama2c::kBlockValues != 0) {
    return field_error("group_size", 37,
                       fmt::format("int8 weights in groups of {} cannot be expressed as Q8_0, which has blocks of {}; "
                                   "export the model with version 1 (f32)",
                                   group, llama2c::kBlockValues));
  }
  for (const int64_t columns : {header_.dim, header_.hidden_dim}) {
    if (columns % group != 0) {
      return field_error("group_size", 37,
                         fmt::format("groups of {} do not divide rows of {}; export the model with version 1 "
                                     "(f32)",
                                     group, columns));
    }
  }
  return {};
}

std::vector<TensorKind> Parser::old_layout() const {
  const Header& h = header_;
  std::vector<TensorKind> layout = {{"token_embd", {h.vocab_size, h.dim}},
                                    {"attn_norm", {h.dim}, true},
                                    {"attn_q", {h.dim, h.dim}, true},
                                    {"attn_k", {h.kv_dim(), h.dim}, true},
                                    {"attn_v", {h.kv_dim(), h.dim}, true},
                                    {"attn_output", {h.dim, h.dim}, true},
                                    {"ffn_norm", {h.dim}, true},
                                    {"ffn_gate", {h.hidden_dim, h.dim}, true},
                                    {"ffn_down", {h.dim, h.hidden_dim}, true},
                                    {"ffn_up", {h.hidden_dim, h.dim}, true},
                                    {"output_norm", {h.dim}},
                                    {"", {h.max_seq_len, h.head_size()}}};  // freq_cis_real and freq_cis_imag
  if (!h.tied_head) layout.push_back({"output", {h.vocab_size, h.dim}});
  return layout;
}

// v1 and v2: all norms first, then the matrices, int8 in v2.
std::vector<TensorKind> Parser::new_layout() const {
  const Header& h = header_;
  const bool int8 = h.version == 2;
  std::vector<TensorKind> layout = {{"attn_norm", {h.dim}, true},
                                    {"ffn_norm", {h.dim}, true},
                                    {"output_norm", {h.dim}},
                                    {"token_embd", {h.vocab_size, h.dim}, false, int8},
                                    {"attn_q", {h.dim, h.dim}, true, int8},
                                    {"attn_k", {h.kv_dim(), h.dim}, true, int8},
                                    {"attn_v", {h.kv_dim(), h.dim}, true, int8},
                                    {"attn_output", {h.dim, h.dim}, true, int8},
                                    {"ffn_gate", {h.hidden_dim, h.dim}, true, int8},
                                    {"ffn_down", {h.dim, h.hidden_dim}, true, int8},
                                    {"ffn_up", {h.hidden_dim, h.dim}, true, int8}};
  if (!h.tied_head) layout.push_back({"output", {h.vocab_size, h.dim}, false, int8});
  return layout;
}

// Of one tensor of this kind. Fields are at most 2^24, so the product stays below 2^51.
uint64_t Parser::bytes_of(const TensorKind& kind) const {
  const auto values = static_cast<uint64_t>(kind.shape.values());
  return kind.int8 ? values + values / static_cast<uint64_t>(header_.group_size) * 4 : values * 4;
}

Status Parser::check_size(const std::vector<TensorKind>& layout) const {
  uint64_t needed = header_.bytes;  // below 2^51 * 2^16 * 12 < 2^64 only in total of checked steps
  for (const TensorKind& kind : layout) {
    const auto all = checked_mul(bytes_of(kind), static_cast<uint64_t>(kind.per_layer ? header_.n_layers : 1));
    const auto sum = all ? checked_add(needed, *all) : std::nullopt;
    if (!sum) return field_error("n_layers", header_.version == 0 ? 8 : 16, "the sizes overflow; the file is damaged");
    needed = *sum;
  }
  if (needed == bytes_.size()) return {};
  return input_error(fmt::format(
      "{}: header at byte 0: a llama2.c model of dim {}, hidden_dim {}, {} layers and {} tokens has {} bytes, "
      "this file has {}; it is {}",
      file_, header_.dim, header_.hidden_dim, header_.n_layers, header_.vocab_size, needed, bytes_.size(),
      needed > bytes_.size() ? "truncated or no llama2.c model" : "no llama2.c model, or has something appended"));
}

void Parser::add_kind(const TensorKind& kind) {
  if (parts_.tensors.empty()) position_ = header_.bytes;
  const uint64_t one_bytes = bytes_of(kind);
  if (*kind.name == '\0') {
    position_ += one_bytes;
    return;
  }
  if (!kind.per_layer) return add_tensor(fmt::format("{}.weight", kind.name), kind, one_bytes);
  for (int64_t layer = 0; layer < header_.n_layers; ++layer) {
    add_tensor(fmt::format("blk.{}.{}.weight", layer, kind.name), kind, one_bytes);
  }
}

void Parser::add_tensor(const std::string& name, const TensorKind& kind, uint64_t one_bytes) {
  const auto raw = bytes_.subspan(position_, one_bytes);  // inside: check_size compared the sum of all
  TensorEntry entry{.name = name, .view = {DType::f32, kind.shape, raw}, .file_index = 0, .file_offset = position_};
  if (kind.int8) {
    auto buffer = std::make_shared<const std::vector<std::byte>>(
        llama2c::regroup_int8(raw, kind.shape.values(), header_.group_size));
    entry.view = {DType::q8_0, kind.shape, *buffer};
    parts_.buffers.push_back(std::move(buffer));
  }
  parts_.tensors.push_back(std::move(entry));
  position_ += one_bytes;
}

void Parser::add_metadata() {
  const auto set_count = [&](const char* key, int64_t value) {
    parts_.metadata.set(key, MetaValue::of_u32(static_cast<uint32_t>(value)));
  };
  parts_.metadata.set("general.architecture", MetaValue::of_string("llama"));
  set_count("llama.block_count", header_.n_layers);
  set_count("llama.embedding_length", header_.dim);
  set_count("llama.feed_forward_length", header_.hidden_dim);
  set_count("llama.attention.head_count", header_.n_heads);
  set_count("llama.attention.head_count_kv", header_.n_kv_heads);
  set_count("llama.context_length", header_.max_seq_len);
  set_count("llama.rope.dimension_count", header_.head_size());
  set_count("llama.vocab_size", header_.vocab_size);
  // The format does not hold these two; run.c has them as constants.
  parts_.metadata.set("llama.attention.layer_norm_rms_epsilon", MetaValue::of_f32(1e-5F));
  parts_.metadata.set("llama.rope.freq_base", MetaValue::of_f32(10000.0F));
}

// "tokenizer.bin" or "tok512.bin" in the model's folder, as llama2.c's own files are called.
Status attach_tokenizer(const std::string& path, uint64_t n_vocab, Checkpoint::Parts& parts) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  for (const std::string& name : {std::string("tokenizer.bin"), fmt::format("tok{}.bin", n_vocab)}) {
    const std::string candidate = (folder / name).string();
    std::error_code error;
    if (!std::filesystem::exists(candidate, error)) continue;
    SMELT_ASSIGN(std::string bytes, read_file(candidate, kMaxTokenizerBytes));
    parts.attachments.push_back({"tokenizer.bin", std::move(bytes)});
    return {};
  }
  log(LogLevel::note,
      fmt::format("{}: no tokenizer.bin or tok{}.bin beside it", escape_for_display(path, 4096), n_vocab));
  return {};
}

}  // namespace

bool looks_like_llama2c(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  if (bytes.size() < kOldHeaderBytes) return false;
  if (load_little_endian<uint32_t>(bytes.data()) == kMagic) return true;
  for (int i = 0; i < 7; ++i) {
    const int64_t value = *reader.read<int32_t>();
    const int64_t magnitude = i == 5 && value < 0 ? -value : value;  // vocab_size may be negative
    if (magnitude < 1 || magnitude > kMaxDimension) return false;
  }
  return true;
}

Result<Checkpoint::Parts> parse_llama2c(std::span<const std::byte> bytes, const std::string& file_name) {
  return with_memory_guard(file_name, [&] { return Parser(bytes, file_name).parse(); });
}

Result<Checkpoint> open_llama2c(const std::string& path) {
  SMELT_ASSIGN(auto file, MappedFile::open(path));
  SMELT_ASSIGN(Checkpoint::Parts parts, parse_llama2c(file->bytes(), path));
  parts.path = path;
  parts.files.push_back(std::move(file));
  SMELT_ASSIGN(const uint64_t n_vocab, parts.metadata.get_uint("llama.vocab_size"));
  SMELT_TRY(attach_tokenizer(path, n_vocab, parts));
  return Checkpoint(std::move(parts));
}

}  // namespace smelt
