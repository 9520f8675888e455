// GgufWriter: header first, then the tensors' data in the declared order, streamed through an AtomicFile. Called by
// compress/ (quantize, convert). Keys that describe the file's own layout (alignment, split numbers) are written anew.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/checked.h"
#include "base/text.h"
#include "formats/gguf.h"
#include "formats/gguf_format.h"
#include "formats/gguf_values.h"
#include "tensor/rows16.h"

namespace smelt {
namespace {

using namespace gguf;

struct Slot {
  std::string name;
  uint64_t begin = 0, end = 0;  // in the data section; what lies between slots is padding
};

struct Plan {
  uint64_t alignment = kDefaultAlignment;
  std::string header;  // padded to the alignment
  std::vector<Slot> slots;
  uint64_t file_bytes = 0;
};

bool describes_layout(const std::string& key) {
  return key == kAlignmentKey || key == kSplitNumberKey || key == kSplitCountKey || key == kSplitTensorsKey;
}

Error tensor_error(const std::string& name, const std::string& message) {
  return input_error(fmt::format("tensor '{}': {}", escape_for_display(name), message));
}

bool is_interleaved(const TensorDeclaration& tensor) { return tensor.layout == Layout::rows16; }

Result<std::vector<Slot>> lay_out(const std::vector<TensorDeclaration>& tensors, uint64_t alignment) {
  std::vector<Slot> slots;
  std::unordered_set<std::string> names;
  uint64_t offset = 0;
  for (const TensorDeclaration& tensor : tensors) {
    if (tensor.name.empty() || tensor.name.size() > kMaxWrittenTensorNameBytes) {
      return tensor_error(tensor.name, fmt::format("GGUF readers take names of 1 to {} bytes, this one has {}",
                                                   kMaxWrittenTensorNameBytes, tensor.name.size()));
    }
    if (!names.insert(tensor.name).second) return tensor_error(tensor.name, "declared twice");
    std::array<uint64_t, Shape::kMaxRank> dims{};
    for (int i = 0; i < tensor.shape.rank; ++i) dims[static_cast<size_t>(i)] = static_cast<uint64_t>(tensor.shape[i]);
    const auto shape = std::span(dims).first(static_cast<size_t>(tensor.shape.rank));
    auto bytes = is_interleaved(tensor) ? rows16_tensor_bytes(tensor.dtype, shape) : tensor_bytes(tensor.dtype, shape);
    if (!bytes) return tensor_error(tensor.name, bytes.error().message);
    const auto end = checked_add(offset, *bytes);
    const auto next = end ? checked_round_up(*end, alignment) : std::nullopt;
    if (!next) return tensor_error(tensor.name, "the sizes of the tensors overflow");
    slots.push_back({tensor.name, offset, *end});
    offset = *next;
  }
  return slots;
}

Status write_keys(const Metadata& metadata, uint64_t alignment, ByteWriter& writer) {
  const bool writes_alignment = alignment != kDefaultAlignment;
  uint64_t n_keys = writes_alignment ? 1 : 0;
  for (const auto& [key, value] : metadata.entries()) n_keys += describes_layout(key) ? 0 : 1;
  writer.put(n_keys);
  if (writes_alignment) {
    writer.put_string(kAlignmentKey);
    SMELT_TRY(write_gguf_value(MetaValue::of_u32(static_cast<uint32_t>(alignment)), writer));
  }
  for (const auto& [key, value] : metadata.entries()) {
    if (describes_layout(key)) continue;
    if (key.empty() || key.size() > kMaxKeyBytes) {
      return input_error(fmt::format("key '{}': GGUF keys have 1 to {} bytes", escape_for_display(key), kMaxKeyBytes));
    }
    writer.put_string(key);
    SMELT_TRY(write_gguf_value(value, writer).with_context(fmt::format("key '{}'", escape_for_display(key))));
  }
  return {};
}

Result<Plan> make_plan(const Metadata& metadata, const std::vector<TensorDeclaration>& tensors) {
  Plan plan;
  if (std::any_of(tensors.begin(), tensors.end(), is_interleaved)) plan.alignment = kRows16Alignment;
  SMELT_ASSIGN(plan.slots, lay_out(tensors, plan.alignment));
  ByteWriter writer;
  writer.put_text(kMagic);
  writer.put(kWrittenVersion);
  writer.put(static_cast<uint64_t>(tensors.size()));
  SMELT_TRY(write_keys(metadata, plan.alignment, writer));
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Shape& shape = tensors[i].shape;
    writer.put_string(tensors[i].name);
    writer.put(static_cast<uint32_t>(shape.rank));
    for (int d = shape.rank - 1; d >= 0; --d) writer.put(static_cast<uint64_t>(shape[d]));
    writer.put(dtype_info(tensors[i].dtype).ggml_id + (is_interleaved(tensors[i]) ? kRows16Type : 0));
    writer.put(plan.slots[i].begin);
  }
  writer.pad_to_multiple(plan.alignment);
  plan.header = writer.take();
  const uint64_t data_end = plan.slots.empty() ? 0 : *checked_round_up(plan.slots.back().end, plan.alignment);
  const auto total = checked_add<uint64_t>(plan.header.size(), data_end);
  if (!total) return input_error("the sizes of the tensors overflow");
  plan.file_bytes = *total;
  return plan;
}

}  // namespace

struct GgufWriter::State {
  AtomicFile file;
  Plan plan;
  size_t current = 0;  // slot

  uint64_t data_position() const { return file.size() - plan.header.size(); }
};

GgufWriter::GgufWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
GgufWriter::GgufWriter(GgufWriter&&) noexcept = default;
GgufWriter::~GgufWriter() = default;

Result<GgufWriter> GgufWriter::create(const std::string& path, const Metadata& metadata,
                                      const std::vector<TensorDeclaration>& tensors, Overwrite overwrite) {
  SMELT_ASSIGN(Plan plan, make_plan(metadata, tensors).with_context(escape_for_display(path, 4096)));
  SMELT_ASSIGN(AtomicFile file, AtomicFile::create(path, overwrite));
  SMELT_TRY(file.write(std::string_view(plan.header)));
  return GgufWriter(std::make_unique<State>(State{std::move(file), std::move(plan)}));
}

Status GgufWriter::write(std::span<const std::byte> bytes) {
  if (state_->current >= state_->plan.slots.size()) return input_error("internal: data after the last declared tensor");
  const Slot& slot = state_->plan.slots[state_->current];
  if (bytes.size() > slot.end - state_->data_position()) {
    return tensor_error(slot.name,
                        fmt::format("internal: more than its {} declared bytes were written", slot.end - slot.begin));
  }
  return state_->file.write(bytes);
}

Status GgufWriter::next_tensor() {
  if (state_->current >= state_->plan.slots.size()) return input_error("internal: no tensor is left");
  const Slot& slot = state_->plan.slots[state_->current];
  if (state_->data_position() != slot.end) {
    return tensor_error(slot.name, fmt::format("internal: {} of {} declared bytes were written",
                                               state_->data_position() - slot.begin, slot.end - slot.begin));
  }
  ++state_->current;
  return state_->file.pad_to(state_->plan.header.size() + *checked_round_up(slot.end, state_->plan.alignment));
}

Status GgufWriter::commit() {
  if (state_->current + 1 == state_->plan.slots.size()) SMELT_TRY(next_tensor());
  if (state_->current != state_->plan.slots.size()) {
    return input_error(
        fmt::format("internal: {} of {} tensors were written", state_->current, state_->plan.slots.size()));
  }
  return state_->file.commit();
}

uint64_t GgufWriter::size() const { return state_->plan.file_bytes; }

Result<uint64_t> gguf_file_bytes(const Metadata& metadata, const std::vector<TensorDeclaration>& tensors) {
  SMELT_ASSIGN(const Plan plan, make_plan(metadata, tensors));
  return plan.file_bytes;
}

}  // namespace smelt
