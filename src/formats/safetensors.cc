// parse_safetensors. A file is:
//
//   0  u64 n        length of the header
//   8  JSON object  {"__metadata__": {text: text}, NAME: {"dtype": "F16", "shape": [2, 3], "data_offsets": [begin,
//   end]}, …}
//                   followed by spaces up to n
//   8+n             the data, which the tensors cover exactly: no holes, no overlaps, nothing after it
//
// Source: huggingface/safetensors README (Apache-2.0). Called by hf_folder.cc;
// the writer is safetensors_writer.cc.
#include "formats/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/checked.h"
#include "base/json_walk.h"
#include "base/text.h"
#include "formats/byte_reader.h"
#include "formats/content.h"
#include "formats/memory_guard.h"

namespace smelt {
namespace {

constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr uint64_t kLengthBytes = 8;
constexpr int kHeaderDepth = 4;  // one more than good files have, so that the field is named in errors

constexpr const char* kMetadataKey = "__metadata__";

Error unsupported_type(const std::string& file, const std::string& tensor, uint64_t position, std::string_view type) {
  return input_error(
      fmt::format("{}: tensor '{}' at byte {}: field 'dtype': type {} is not supported, only F32, F16, BF16 and I8; "
                  "convert the model to one of them",
                  escape_for_display(file, 4096), escape_for_display(tensor), position, escape_for_display(type)));
}

struct Declared {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> dims;
  std::vector<uint64_t> offsets;
  bool has_shape = false, has_offsets = false;
};

// Collects the tensors of the header. States by nesting: 1 the names, 2 a tensor's fields, 3 its numbers.
class HeaderVisitor : public JsonVisitor {
 public:
  Status begin_object() override {
    if (++depth_ > 2 || in_array_) return field_error("an object");
    if (depth_ == 2 && !in_metadata_) {
      tensors_.emplace_back();
      tensors_.back().name = name_;
    }
    return {};
  }
  Status end_object() override {
    if (depth_-- == 1) return {};
    field_.clear();
    if (std::exchange(in_metadata_, false)) return {};
    return check_complete(tensors_.back());
  }
  Status begin_array() override {
    if (in_array_ || depth_ != 2 || in_metadata_) return field_error("an array");
    Declared& tensor = tensors_.back();
    if (field_ == "shape") {
      numbers_ = &tensor.dims;
      tensor.has_shape = true;
    } else if (field_ == "data_offsets") {
      numbers_ = &tensor.offsets;
      tensor.has_offsets = true;
    } else {
      return field_error("an array");
    }
    in_array_ = true;
    return {};
  }
  Status end_array() override {
    in_array_ = false;
    return {};
  }
  Status key(std::string name, uint64_t /*offset*/) override {
    if (depth_ == 1) {
      name_ = std::move(name);
      in_metadata_ = name_ == kMetadataKey;
      return {};
    }
    field_ = std::move(name);
    if (in_metadata_ || field_ == "dtype" || field_ == "shape" || field_ == "data_offsets") return {};
    return input_error(fmt::format("{}: unknown field '{}' (dtype, shape and data_offsets exist)", title(),
                                   escape_for_display(field_)));
  }
  Status scalar(JsonScalar value) override {
    if (depth_ == 2 && in_metadata_)
      return std::holds_alternative<std::string>(value) ? Status() : field_error("no text");
    if (in_array_) return add_number(value);
    if (depth_ != 2 || field_ != "dtype") return field_error("a single value");
    auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return field_error("no text");
    tensors_.back().dtype = std::move(*text);
    return {};
  }

  std::vector<Declared> take() { return std::move(tensors_); }

 private:
  std::string title() const {
    return depth_ == 0 || name_.empty() ? std::string("header") : fmt::format("tensor '{}'", escape_for_display(name_));
  }
  Error field_error(const char* found) const {
    const char* wanted = depth_ == 0                ? "an object of tensors"
                         : depth_ == 1              ? "an object"
                         : in_metadata_             ? "a text"
                         : field_ == "dtype"        ? "a text"
                         : field_ == "shape"        ? "an array of whole numbers"
                         : field_ == "data_offsets" ? "an array of two whole numbers"
                                                    : "nothing more";
    const std::string field = field_.empty() ? "" : fmt::format(" field '{}'", escape_for_display(field_));
    return input_error(fmt::format("{}{} is {}, must be {}", title(), field, found, wanted));
  }
  Status add_number(const JsonScalar& value) {
    const auto* number = std::get_if<uint64_t>(&value);
    if (number == nullptr) return field_error("not a whole number of at least 0");
    const size_t limit = field_ == "shape" ? Shape::kMaxRank : 2;
    if (numbers_->size() == limit) {
      return input_error(fmt::format("{} field '{}' has more than {} numbers", title(), field_, limit));
    }
    numbers_->push_back(*number);
    return {};
  }
  Status check_complete(const Declared& tensor) const {
    const char* missing = tensor.dtype.empty()  ? "dtype"
                          : !tensor.has_shape   ? "shape"
                          : !tensor.has_offsets ? "data_offsets"
                                                : nullptr;
    if (missing != nullptr)
      return input_error(fmt::format("tensor '{}': field '{}' is missing", escape_for_display(tensor.name), missing));
    if (tensor.offsets.size() == 2) return {};
    return input_error(
        fmt::format("tensor '{}': field 'data_offsets' must have two numbers", escape_for_display(tensor.name)));
  }

  std::vector<Declared> tensors_;
  std::string name_, field_;
  std::vector<uint64_t>* numbers_ = nullptr;
  int depth_ = 0;
  bool in_array_ = false;
  bool in_metadata_ = false;
};

class FileParser {
 public:
  FileParser(std::span<const std::byte> bytes, const std::string& file_name) : bytes_(bytes), file_(file_name) {}

  Result<std::vector<RawTensor>> parse() {
    SMELT_ASSIGN(const std::string_view header, find_header());
    HeaderVisitor visitor;
    SMELT_TRY(walk_json({.text = header, .file_name = file_, .byte_offset = kLengthBytes, .max_depth = kHeaderDepth},
                        visitor));
    data_start_ = kLengthBytes + header.size();
    std::vector<RawTensor> tensors;
    for (const Declared& declared : visitor.take()) {
      SMELT_ASSIGN(RawTensor tensor, make_tensor(declared));
      tensors.push_back(std::move(tensor));
    }
    SMELT_TRY(check_coverage(tensors));
    return tensors;
  }

 private:
  Error error(const std::string& message) const {
    return input_error(fmt::format("{}: {}", escape_for_display(file_, 4096), message));
  }
  Error tensor_error(const std::string& name, uint64_t position, const std::string& message) const {
    return error(fmt::format("tensor '{}' at byte {}: {}", escape_for_display(name), position, message));
  }
  Result<std::string_view> find_header() const;
  Result<RawTensor> make_tensor(const Declared& declared) const;
  Result<StorageType> resolve_type(const Declared& declared) const;
  Status check_coverage(const std::vector<RawTensor>& tensors) const;

  std::span<const std::byte> bytes_;
  const std::string& file_;
  uint64_t data_start_ = 0;
};

Result<std::string_view> FileParser::find_header() const {
  ByteReader reader(bytes_);
  const auto length = reader.read<uint64_t>();
  if (!length) {
    return error(
        fmt::format("header length at byte 0: the file has {} bytes; it is truncated or empty", bytes_.size()));
  }
  const std::string advice = [&] {
    const Content content = recognise_content(bytes_);
    return content.kind == ContentKind::safetensors ? std::string() : content.advice;
  }();
  if (!advice.empty()) return error(fmt::format("header length at byte 0: not a safetensors file: {}", advice));
  if (*length < 2 || *length > kMaxHeaderBytes) {
    return error(
        fmt::format("header length at byte 0: it is {}, must be 2 to {}; this is no safetensors file, or a damaged one",
                    *length, kMaxHeaderBytes));
  }
  const auto header = reader.take(*length);
  if (!header) {
    return error(
        fmt::format("header length at byte 0: the header has {} bytes, the file ends at byte {}; the file is truncated",
                    *length, bytes_.size()));
  }
  if ((*header)[0] != std::byte{'{'})
    return error("header at byte 8: must begin with '{'; this is no safetensors file, or a damaged one");
  return as_text(*header);
}

Result<StorageType> FileParser::resolve_type(const Declared& declared) const {
  if (const auto type = find_storage_type(declared.dtype)) return *type;
  return unsupported_type(file_, declared.name, data_start_ + declared.offsets[0], declared.dtype);
}

// The bytes of a tensor of this type, or an error that says what is wrong with the shape.
Result<uint64_t> raw_bytes(StorageType type, std::span<const uint64_t> dims) {
  SMELT_ASSIGN(const uint64_t values, tensor_bytes(DType::i8, dims));
  const auto bytes = checked_mul(values, storage_bytes(type));
  if (!bytes || *bytes > INT64_MAX) return input_error("the number of bytes overflows 64 bits");
  return *bytes;
}

Result<RawTensor> FileParser::make_tensor(const Declared& declared) const {
  const uint64_t data_bytes = bytes_.size() - data_start_;
  const uint64_t begin = declared.offsets[0];
  const uint64_t end = declared.offsets[1];
  if (begin > end || end > data_bytes) {
    return error(fmt::format(
        "tensor '{}': field 'data_offsets': [{}, {}] is not a range inside the {} data bytes from byte {}; the "
        "file is truncated or damaged",
        escape_for_display(declared.name), begin, end, data_bytes, data_start_));
  }
  const uint64_t position = data_start_ + begin;
  SMELT_ASSIGN(const StorageType type, resolve_type(declared));
  if (std::find(declared.dims.begin(), declared.dims.end(), uint64_t{0}) != declared.dims.end()) {
    return tensor_error(declared.name, position, "field 'shape': a dimension is 0; empty tensors are not supported");
  }
  const auto bytes = raw_bytes(type, declared.dims);
  if (!bytes) return tensor_error(declared.name, position, "field 'shape': " + bytes.error().message);
  if (*bytes != end - begin) {
    return tensor_error(declared.name, position,
                        fmt::format("field 'data_offsets': the range has {} bytes, dtype and shape ask for {}; "
                                    "the file is damaged",
                                    end - begin, *bytes));
  }
  RawTensor tensor{.name = declared.name, .type = type, .shape = {}, .bytes = bytes_.subspan(position, *bytes)};
  tensor.file_offset = position;
  tensor.shape.rank = static_cast<int>(declared.dims.size());
  std::transform(declared.dims.begin(), declared.dims.end(), tensor.shape.dims.begin(),
                 [](uint64_t d) { return static_cast<int64_t>(d); });
  return tensor;
}

Status FileParser::check_coverage(const std::vector<RawTensor>& tensors) const {
  std::vector<const RawTensor*> sorted;
  for (const RawTensor& tensor : tensors) sorted.push_back(&tensor);
  std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->file_offset < b->file_offset; });
  uint64_t end = data_start_;
  const RawTensor* previous = nullptr;
  for (const RawTensor* tensor : sorted) {
    if (tensor->file_offset != end) {
      return tensor_error(
          tensor->name, tensor->file_offset,
          fmt::format(
              "field 'data_offsets': it {} {}, which ends at byte {}; the file is damaged",
              tensor->file_offset < end ? "overlaps" : "leaves a hole after",
              previous == nullptr ? "the header" : fmt::format("tensor '{}'", escape_for_display(previous->name)),
              end));
    }
    end += tensor->bytes.size();
    previous = tensor;
  }
  if (end == bytes_.size()) return {};
  return error(
      fmt::format("data at byte {}: {} bytes belong to no tensor; the file is damaged", end, bytes_.size() - end));
}

}  // namespace

Result<std::vector<RawTensor>> parse_raw_safetensors(std::span<const std::byte> bytes, const std::string& file_name) {
  return with_memory_guard(file_name, [&] { return FileParser(bytes, file_name).parse(); });
}

Result<TensorEntry> plain_tensor(const RawTensor& raw, const std::string& file_name) {
  const auto dtype = plain_dtype(raw.type);
  if (!dtype) return unsupported_type(file_name, raw.name, raw.file_offset, storage_name(raw.type));
  return TensorEntry{.name = raw.name,
                     .view = {.dtype = *dtype, .shape = raw.shape, .bytes = raw.bytes},
                     .file_index = raw.file_index,
                     .file_offset = raw.file_offset};
}

Result<std::vector<TensorEntry>> parse_safetensors(std::span<const std::byte> bytes, const std::string& file_name) {
  SMELT_ASSIGN(const std::vector<RawTensor> raw, parse_raw_safetensors(bytes, file_name));
  std::vector<TensorEntry> tensors;
  for (const RawTensor& one : raw) {
    SMELT_ASSIGN(TensorEntry tensor, plain_tensor(one, file_name));
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace smelt
