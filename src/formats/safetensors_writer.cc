// SafetensorsWriter: header first, then the data in the declared order, streamed through an AtomicFile. Called by
// compress/ when it writes Hugging Face folders. The format is pictured in safetensors.cc.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/checked.h"
#include "base/text.h"
#include "formats/byte_writer.h"
#include "formats/safetensors.h"

namespace smelt {
namespace {

struct Slot {
  std::string name;
  uint64_t begin = 0, end = 0;  // in the data section
};

Error tensor_error(const std::string& name, const std::string& message) {
  return input_error(fmt::format("tensor '{}': {}", escape_for_display(name), message));
}

Result<Slot> place(const TensorDeclaration& tensor, uint64_t begin) {
  if (std::find(kSafetensorsDTypes.begin(), kSafetensorsDTypes.end(), tensor.dtype) == kSafetensorsDTypes.end()) {
    return tensor_error(tensor.name, fmt::format("safetensors has no type {}; write a GGUF file, or convert to F16",
                                                 dtype_name(tensor.dtype)));
  }
  if (!is_valid_utf8(tensor.name)) return tensor_error(tensor.name, "the name is not UTF-8, as safetensors asks");
  std::vector<uint64_t> dims;
  for (int i = 0; i < tensor.shape.rank; ++i) dims.push_back(static_cast<uint64_t>(tensor.shape[i]));
  auto bytes = tensor_bytes(tensor.dtype, dims);
  if (!bytes) return tensor_error(tensor.name, bytes.error().message);
  if (begin % dtype_info(tensor.dtype).block_bytes != 0) {
    return tensor_error(tensor.name, "internal: not aligned; declare tensors of wider types first");
  }
  const auto end = checked_add(begin, *bytes);
  if (!end) return tensor_error(tensor.name, "the sizes of the tensors overflow");
  return Slot{tensor.name, begin, *end};
}

Result<std::vector<Slot>> lay_out(const std::vector<TensorDeclaration>& tensors) {
  std::vector<Slot> slots;
  std::unordered_set<std::string> names = {"__metadata__"};
  for (const TensorDeclaration& tensor : tensors) {
    if (!names.insert(tensor.name).second) return tensor_error(tensor.name, "declared twice, or a reserved name");
    SMELT_ASSIGN(Slot slot, place(tensor, slots.empty() ? 0 : slots.back().end));
    slots.push_back(std::move(slot));
  }
  return slots;
}

std::string quote(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Length and JSON, padded so that the data begins at a multiple of 8.
std::string format_header(const std::vector<TensorDeclaration>& tensors, const std::vector<Slot>& slots,
                          const std::vector<std::pair<std::string, std::string>>& metadata) {
  std::vector<std::string> fields;
  if (!metadata.empty()) {
    std::vector<std::string> pairs;
    for (const auto& [key, value] : metadata) pairs.push_back(fmt::format("{}:{}", quote(key), quote(value)));
    fields.push_back(fmt::format("\"__metadata__\":{{{}}}", fmt::join(pairs, ",")));
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Shape& shape = tensors[i].shape;
    fields.push_back(fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                                 quote(tensors[i].name), dtype_name(tensors[i].dtype),
                                 fmt::join(shape.dims.begin(), shape.dims.begin() + shape.rank, ","), slots[i].begin,
                                 slots[i].end));
  }
  std::string json = fmt::format("{{{}}}", fmt::join(fields, ","));
  json.resize((json.size() + 7) / 8 * 8, ' ');
  ByteWriter writer;
  writer.put_string(json);
  return writer.take();
}

}  // namespace

struct SafetensorsWriter::State {
  AtomicFile file;
  std::vector<Slot> slots;
  uint64_t header_bytes = 0;
  size_t current = 0;  // slot

  uint64_t data_position() const { return file.size() - header_bytes; }
};

SafetensorsWriter::SafetensorsWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
SafetensorsWriter::SafetensorsWriter(SafetensorsWriter&&) noexcept = default;
SafetensorsWriter::~SafetensorsWriter() = default;

Result<SafetensorsWriter> SafetensorsWriter::create(const std::string& path,
                                                    const std::vector<TensorDeclaration>& tensors,
                                                    const std::vector<std::pair<std::string, std::string>>& metadata,
                                                    Overwrite overwrite) {
  SMELT_ASSIGN(std::vector<Slot> slots, lay_out(tensors).with_context(escape_for_display(path, 4096)));
  const std::string header = format_header(tensors, slots, metadata);
  SMELT_ASSIGN(AtomicFile file, AtomicFile::create(path, overwrite));
  SMELT_TRY(file.write(std::string_view(header)));
  return SafetensorsWriter(std::make_unique<State>(State{std::move(file), std::move(slots), header.size()}));
}

Status SafetensorsWriter::write(std::span<const std::byte> bytes) {
  if (state_->current >= state_->slots.size()) return input_error("internal: data after the last declared tensor");
  const Slot& slot = state_->slots[state_->current];
  if (bytes.size() > slot.end - state_->data_position()) {
    return tensor_error(slot.name,
                        fmt::format("internal: more than its {} declared bytes were written", slot.end - slot.begin));
  }
  return state_->file.write(bytes);
}

Status SafetensorsWriter::next_tensor() {
  if (state_->current >= state_->slots.size()) return input_error("internal: no tensor is left");
  const Slot& slot = state_->slots[state_->current];
  if (state_->data_position() != slot.end) {
    return tensor_error(slot.name, fmt::format("internal: {} of {} declared bytes were written",
                                               state_->data_position() - slot.begin, slot.end - slot.begin));
  }
  ++state_->current;
  return {};
}

Status SafetensorsWriter::commit() {
  if (state_->current + 1 == state_->slots.size()) SMELT_TRY(next_tensor());
  if (state_->current != state_->slots.size()) {
    return input_error(fmt::format("internal: {} of {} tensors were written", state_->current, state_->slots.size()));
  }
  return state_->file.commit();
}

uint64_t SafetensorsWriter::size() const {
  return state_->header_bytes + (state_->slots.empty() ? 0 : state_->slots.back().end);
}

}  // namespace smelt
