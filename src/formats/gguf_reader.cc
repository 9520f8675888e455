// parse_gguf: header, key-value section and tensor table of one GGUF file in memory. Nothing is believed: each length
// is compared with the bytes that are left before it is used, and nothing is allocated by a declared count. Opening
// files and joining split sets is in gguf_open.cc; single values are read in gguf_values.cc.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/checked.h"
#include "base/log.h"
#include "base/text.h"
#include "formats/byte_reader.h"
#include "formats/content.h"
#include "formats/gguf.h"
#include "formats/gguf_format.h"
#include "formats/gguf_values.h"
#include "formats/memory_guard.h"
#include "tensor/rows16.h"

namespace smelt {
namespace {

using namespace gguf;

constexpr uint64_t kMinKeyRecordBytes = 8 + 1 + 4 + 1;         // length, one letter, type, value
constexpr uint64_t kMinTensorRecordBytes = 8 + 1 + 4 + 4 + 8;  // length, one letter, n_dims, type, offset

// Type numbers of ggml.h that tensors may carry in the wild and that tensor/formats.inc does not list.
const char* describe_foreign_type(uint32_t id) {
  static const std::unordered_map<uint32_t, const char*> names = {{4, "Q4_2, withdrawn"},
                                                                  {5, "Q4_3, withdrawn"},
                                                                  {9, "Q8_1"},
                                                                  {16, "IQ2_XXS"},
                                                                  {17, "IQ2_XS"},
                                                                  {18, "IQ3_XXS"},
                                                                  {19, "IQ1_S"},
                                                                  {21, "IQ3_S"},
                                                                  {22, "IQ2_S"},
                                                                  {25, "I16"},
                                                                  {26, "I32"},
                                                                  {27, "I64"},
                                                                  {28, "F64"},
                                                                  {29, "IQ1_M"},
                                                                  {31, "Q4_0_4_4, withdrawn"},
                                                                  {32, "Q4_0_4_8, withdrawn"},
                                                                  {33, "Q4_0_8_8, withdrawn"},
                                                                  {34, "TQ1_0"},
                                                                  {35, "TQ2_0"},
                                                                  {36, "IQ4_NL_4_4, withdrawn"},
                                                                  {37, "IQ4_NL_4_8, withdrawn"},
                                                                  {38, "IQ4_NL_8_8, withdrawn"},
                                                                  {39, "MXFP4"},
                                                                  {40, "NVFP4"},
                                                                  {41, "Q1_0"},
                                                                  {42, "Q2_0"}};
  const auto found = names.find(id);
  return found == names.end() ? "unknown" : found->second;
}

class HeaderParser {
 public:
  HeaderParser(std::span<const std::byte> bytes, const std::string& file_name)
      : bytes_(bytes), reader_(bytes), file_(escape_for_display(file_name, 4096)) {}

  Result<GgufContents> parse() {
    SMELT_TRY(parse_preamble());
    SMELT_TRY(parse_metadata());
    SMELT_TRY(choose_alignment());
    SMELT_TRY(parse_tensor_table());
    SMELT_TRY(place_tensors());
    return std::move(out_);
  }

 private:
  struct TensorRecord {
    std::string_view name;
    uint64_t record_position = 0;  // in the file
    DType dtype = DType::f32;
    Layout layout = Layout::rows;
    Shape shape;
    uint64_t bytes = 0;
    uint64_t offset = 0;  // in the data section
  };

  Error error_at(const std::string& what, uint64_t position, const std::string& message) const {
    return input_error(fmt::format("{}: {} at byte {}: {}", file_, what, position, message));
  }
  Error truncated(const std::string& what, uint64_t position) const {
    return error_at(what, position,
                    fmt::format("the file ends at byte {}, inside it; the file is truncated", reader_.size()));
  }
  static std::string key_title(std::string_view key) { return fmt::format("key '{}'", escape_for_display(key)); }
  static std::string tensor_title(std::string_view name) {
    return fmt::format("tensor '{}'", escape_for_display(name));
  }

  Status parse_preamble();
  Status parse_metadata();
  Status parse_key(uint64_t number);
  Status refuse_duplicate_key(const std::string& key, uint64_t position) const;
  Status choose_alignment();
  Status parse_tensor_table();
  Result<TensorRecord> parse_tensor_record(uint64_t number);
  Status parse_tensor_shape(TensorRecord& record);
  Status place_tensors();
  Status check_rest(uint64_t end);
  Status place_tensor(const TensorRecord& record, const TensorRecord* previous, uint64_t expected_offset);
  // A length-prefixed name of 1 to `limit` bytes.
  Result<std::string_view> read_name(const std::string& what, uint64_t limit);

  std::span<const std::byte> bytes_;
  ByteReader reader_;
  std::string file_;
  GgufContents out_;
  uint64_t n_tensors_ = 0;
  uint64_t n_keys_ = 0;
  ValueBudget budget_;
  std::vector<uint64_t> key_positions_;  // of out_.metadata's entries
  std::vector<TensorRecord> records_;
};

Status HeaderParser::parse_preamble() {
  const auto magic = reader_.take(4);
  if (!magic)
    return input_error(fmt::format("{}: magic number at byte 0: the file has {} bytes; it is truncated or empty", file_,
                                   bytes_.size()));
  if (as_text(*magic) != kMagic) {
    const std::string advice = recognise_content(bytes_).advice;
    return input_error(
        fmt::format("{}: magic number at byte 0: not a GGUF file{}{}", file_, advice.empty() ? "" : ": ", advice));
  }
  const auto version = reader_.read<uint32_t>();
  if (!version) return truncated("header field 'version'", 4);
  if (*version != 2 && *version != 3) {
    const bool swapped = *version != 0 && (*version & 0xFFFF) == 0;
    return error_at("header field 'version'", 4,
                    swapped ? "the file is big-endian; convert it to little-endian first"
                            : fmt::format("version {} is not supported, only 2 and 3; convert the file again with a "
                                          "current tool",
                                          *version));
  }
  out_.version = *version;
  const auto n_tensors = reader_.read<uint64_t>();
  if (!n_tensors) return truncated("header field 'n_tensors'", 8);
  const auto n_keys = reader_.read<uint64_t>();
  if (!n_keys) return truncated("header field 'n_kv'", 16);
  n_tensors_ = *n_tensors;
  n_keys_ = *n_keys;
  if (n_tensors_ > kMaxTensors || n_tensors_ > reader_.remaining() / kMinTensorRecordBytes) {
    return error_at("header field 'n_tensors'", 8,
                    fmt::format("{} tensors cannot be in a file of {} bytes (limit {}); the file is damaged",
                                n_tensors_, bytes_.size(), kMaxTensors));
  }
  if (n_keys_ > kMaxKeys || n_keys_ > reader_.remaining() / kMinKeyRecordBytes) {
    return error_at("header field 'n_kv'", 16,
                    fmt::format("{} keys cannot be in a file of {} bytes (limit {}); the file is damaged", n_keys_,
                                bytes_.size(), kMaxKeys));
  }
  return {};
}

Result<std::string_view> HeaderParser::read_name(const std::string& what, uint64_t limit) {
  const uint64_t start = reader_.position();
  const auto length = reader_.read<uint64_t>();
  if (!length) return truncated(what, start);
  if (*length == 0) return error_at(what, start, "its name is empty; the file is damaged");
  if (*length > limit) {
    return error_at(what, start,
                    fmt::format("its name has {} bytes, the limit is {}; the file is damaged", *length, limit));
  }
  const auto text = reader_.take(*length);
  if (!text) return truncated(what, start);
  return as_text(*text);
}

Status HeaderParser::parse_metadata() {
  for (uint64_t i = 0; i < n_keys_; ++i) SMELT_TRY(parse_key(i));
  return {};
}

Status HeaderParser::parse_key(uint64_t number) {
  const uint64_t start = reader_.position();
  SMELT_ASSIGN(const std::string_view name, read_name(fmt::format("key number {}", number), kMaxKeyBytes));
  std::string key(name);
  SMELT_TRY(refuse_duplicate_key(key, start));
  const uint64_t value_position = reader_.position();
  auto value = read_gguf_value(reader_, budget_);
  if (!value) return error_at(key_title(key), value_position, value.error().message);
  if (reader_.position() > kMaxMetadataBytes) {
    return error_at(key_title(key), value_position,
                    fmt::format("the metadata is longer than {} bytes; the file is damaged", kMaxMetadataBytes));
  }
  value->place = {.line = 0, .position = value_position};
  out_.metadata.set(key, std::move(*value));
  key_positions_.push_back(start);
  return {};
}

Status HeaderParser::refuse_duplicate_key(const std::string& key, uint64_t position) const {
  if (!out_.metadata.contains(key)) return {};
  const auto& entries = out_.metadata.entries();
  const auto first =
      std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
  return error_at(key_title(key), position,
                  fmt::format("this key was already given at byte {}; the file is damaged",
                              key_positions_[static_cast<size_t>(first - entries.begin())]));
}

Status HeaderParser::choose_alignment() {
  const MetaValue* value = out_.metadata.find(kAlignmentKey);
  if (value == nullptr) return {};
  const auto& entries = out_.metadata.entries();
  const auto entry =
      std::find_if(entries.begin(), entries.end(), [](const auto& e) { return e.first == kAlignmentKey; });
  const uint64_t position = key_positions_[static_cast<size_t>(entry - entries.begin())];
  if (value->type != MetaType::u32) {
    return error_at(key_title(kAlignmentKey), position,
                    fmt::format("it is of type {}, must be uint32", meta_type_name(value->type)));
  }
  const uint64_t alignment = std::get<uint64_t>(value->value);
  if (alignment < kMinAlignment || alignment > kMaxAlignment || (alignment & (alignment - 1)) != 0) {
    return error_at(key_title(kAlignmentKey), position,
                    fmt::format("{} is not a power of two from {} to {}; the file is damaged", alignment, kMinAlignment,
                                kMaxAlignment));
  }
  out_.alignment = static_cast<uint32_t>(alignment);
  return {};
}

Status HeaderParser::parse_tensor_table() {
  std::unordered_map<std::string_view, uint64_t> seen;
  for (uint64_t i = 0; i < n_tensors_; ++i) {
    SMELT_ASSIGN(TensorRecord record, parse_tensor_record(i));
    const auto [earlier, inserted] = seen.emplace(record.name, record.record_position);
    if (!inserted) {
      return error_at(
          tensor_title(record.name), record.record_position,
          fmt::format("a tensor of this name was already given at byte {}; the file is damaged", earlier->second));
    }
    records_.push_back(record);
  }
  return {};
}

Result<HeaderParser::TensorRecord> HeaderParser::parse_tensor_record(uint64_t number) {
  TensorRecord record;
  record.record_position = reader_.position();
  SMELT_ASSIGN(record.name, read_name(fmt::format("tensor number {}", number), kMaxTensorNameBytes));
  SMELT_TRY(parse_tensor_shape(record));
  const auto offset = reader_.read<uint64_t>();
  if (!offset) return truncated(tensor_title(record.name), record.record_position);
  record.offset = *offset;
  return record;
}

Status HeaderParser::parse_tensor_shape(TensorRecord& record) {
  const std::string title = tensor_title(record.name);
  const uint64_t position = reader_.position();
  const auto n_dims = reader_.read<uint32_t>();
  if (!n_dims) return truncated(title, record.record_position);
  if (*n_dims > Shape::kMaxRank) {
    return error_at(
        title, position,
        fmt::format("it has {} dimensions, at most {} are possible; the file is damaged", *n_dims, Shape::kMaxRank));
  }
  std::array<uint64_t, Shape::kMaxRank> dims{};
  for (uint32_t i = 0; i < *n_dims; ++i) {
    const auto dim = reader_.read<uint64_t>();
    if (!dim) return truncated(title, record.record_position);
    dims[*n_dims - 1 - i] = *dim;
    if (*dim == 0)
      return error_at(title, position, fmt::format("dimension {} is 0; empty tensors are not supported", i));
  }
  const uint64_t type_position = reader_.position();
  const auto type = reader_.read<uint32_t>();
  if (!type) return truncated(title, record.record_position);
  const bool interleaved = *type >= kRows16Type;
  const auto dtype = find_dtype_by_ggml_id(interleaved ? *type - kRows16Type : *type);
  if (!dtype) {
    return error_at(
        title, type_position,
        fmt::format("its type is {} ({}), which is not supported; quantize the original model to another type", *type,
                    describe_foreign_type(*type)));
  }
  const auto shape = std::span(dims).first(*n_dims);
  const auto bytes = interleaved ? rows16_tensor_bytes(*dtype, shape) : tensor_bytes(*dtype, shape);
  if (!bytes) return error_at(title, position, bytes.error().message);
  record.dtype = *dtype;
  record.layout = interleaved ? Layout::rows16 : Layout::rows;
  record.bytes = *bytes;
  record.shape.rank = static_cast<int>(*n_dims);
  std::transform(dims.begin(), dims.end(), record.shape.dims.begin(),
                 [](uint64_t d) { return static_cast<int64_t>(d); });
  return {};
}

// Tensors lie one after another in the order of the table, each padded to the alignment. Asking for exactly that
// excludes overlaps, holes and wrapping sums in one comparison; llama.cpp asks for the same, so no usable file is lost.
Status HeaderParser::place_tensors() {
  const auto start = checked_round_up(reader_.position(), out_.alignment);
  out_.data_offset = *start;  // cannot overflow: position is at most the size of a file in memory
  uint64_t expected = 0;
  const TensorRecord* previous = nullptr;
  for (const TensorRecord& record : records_) {
    SMELT_TRY(place_tensor(record, previous, expected));
    const auto padded = checked_round_up(record.bytes, out_.alignment);
    const auto next = padded ? checked_add(expected, *padded) : std::nullopt;
    if (!next) {
      return error_at(tensor_title(record.name), record.record_position,
                      "the sizes of the tensors overflow; the file is damaged");
    }
    expected = *next;
    previous = &record;
  }
  return check_rest(records_.empty() ? reader_.position() : out_.data_offset + expected);
}

// What follows the last tensor is ignored with a note, unless it shows that n_tensors is too small: then the data would
// silently be read from the wrong place.
Status HeaderParser::check_rest(uint64_t end) {
  if (bytes_.size() <= end || (records_.empty() && bytes_.size() <= out_.data_offset)) return {};
  const uint64_t table_end = reader_.position();
  if (parse_tensor_record(n_tensors_).has_value()) {
    return error_at(
        "header field 'n_tensors'", 8,
        fmt::format("it is {}, but another tensor follows at byte {}; the file is damaged", n_tensors_, table_end));
  }
  log(LogLevel::note,
      fmt::format("{}: {} bytes after the last tensor, from byte {}, are ignored", file_, bytes_.size() - end, end));
  return {};
}

Status HeaderParser::place_tensor(const TensorRecord& record, const TensorRecord* previous, uint64_t expected_offset) {
  const std::string title = tensor_title(record.name);
  if (record.offset % out_.alignment != 0) {
    return error_at(title, record.record_position,
                    fmt::format("its data offset {} is not a multiple of the alignment {}; the file is damaged",
                                record.offset, out_.alignment));
  }
  const uint64_t data_bytes = bytes_.size() > out_.data_offset ? bytes_.size() - out_.data_offset : 0;
  if (!range_fits(record.offset, record.bytes, data_bytes)) {
    return error_at(
        title, record.record_position,
        fmt::format("its {} bytes at offset {} of the data end beyond the file's {} bytes; the file is truncated "
                    "or damaged",
                    record.bytes, record.offset, bytes_.size()));
  }
  if (record.offset != expected_offset) {
    const bool overlaps = record.offset < expected_offset && previous != nullptr;
    return error_at(title, record.record_position,
                    fmt::format("its data offset is {}, expected {}: it {} {}; the file is damaged", record.offset,
                                expected_offset, overlaps ? "overlaps or precedes" : "leaves a hole after",
                                previous != nullptr ? tensor_title(previous->name) : "the header"));
  }
  const uint64_t position = out_.data_offset + record.offset;
  out_.tensors.push_back({.name = std::string(record.name),
                          .view = {record.dtype, record.shape, bytes_.subspan(position, record.bytes), record.layout},
                          .file_index = 0,
                          .file_offset = position});
  return {};
}

}  // namespace

Result<GgufContents> parse_gguf(std::span<const std::byte> bytes, const std::string& file_name) {
  return with_memory_guard(file_name, [&] { return HeaderParser(bytes, file_name).parse(); });
}

}  // namespace smelt
