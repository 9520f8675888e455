// The story of repacking: declare all tensors as they are, in the other layout; stream each through, 16 rows at a time.
#include "compress/repack_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "compress/gguf_output.h"
#include "formats/gguf.h"
#include "tensor/rows16.h"

namespace smelt {
namespace {

constexpr int64_t kGroupsAtOnce = 64;  // between looks at the cancel token

// The embedding is multiplied only where it is the head as well.
bool is_only_looked_up(const Checkpoint& checkpoint, const TensorEntry& tensor) {
  return tensor.name == "token_embd.weight" && checkpoint.find_tensor("output.weight") != nullptr;
}

Layout target_layout(const Checkpoint& checkpoint, const TensorEntry& tensor, Layout wanted) {
  const bool possible = has_rows16(tensor.view.dtype) && tensor.view.shape.rank == 2;
  return possible && !is_only_looked_up(checkpoint, tensor) ? wanted : Layout::rows;
}

Result<std::vector<TensorDeclaration>> declare(const Checkpoint& checkpoint, Layout layout) {
  std::vector<TensorDeclaration> out;
  bool changes = false;
  for (const TensorEntry& tensor : checkpoint.tensors()) {
    const Layout to = target_layout(checkpoint, tensor, layout);
    changes = changes || to != tensor.view.layout;
    out.push_back({tensor.name, tensor.view.dtype, tensor.view.shape, to});
  }
  if (changes) return out;
  return input_error(fmt::format("{}: has no matrix to lay out anew; {}", escape_for_display(checkpoint.path(), 4096),
                                 layout == Layout::rows16
                                     ? "it is packed already, or not quantized: smelt quantize makes it so"
                                     : "it is in the stock layout already"));
}

// One tensor in its new layout, to the writer.
class TensorRepacker {
 public:
  TensorRepacker(const TensorView& from, Layout to, GgufWriter& writer) : from_(from), to_(to), writer_(writer) {
    rows_.resize(static_cast<uint64_t>(kRows16) * from.row_size());
    if (to == Layout::rows16) group_.resize(rows16_bytes(from.dtype, kRows16, from.columns()));
  }

  Status run(const JobControl& job) {
    const int64_t n_groups = (from_.rows() + kRows16 - 1) / kRows16;
    for (int64_t g = 0; g < n_groups; ++g) {
      if (g % kGroupsAtOnce == 0 && job.cancelled()) return cancelled_error();
      SMELT_TRY(write_group(g * kRows16));
    }
    return {};
  }

 private:
  Status write_group(int64_t first) {
    const int64_t n = std::min(kRows16, from_.rows() - first);
    const uint64_t row_size = from_.row_size();
    for (int64_t r = 0; r < n; ++r) from_.copy_row_into(first + r, rows_.data() + static_cast<uint64_t>(r) * row_size);
    if (to_ == Layout::rows) return writer_.write(std::span(rows_).first(static_cast<uint64_t>(n) * row_size));
    pack_rows16(from_.dtype, rows_.data(), n, from_.columns(), group_.data());
    return writer_.write(group_);
  }

  const TensorView& from_;
  Layout to_;
  GgufWriter& writer_;
  std::vector<std::byte> rows_, group_;
};

Status write_tensors(const Checkpoint& checkpoint, const std::vector<TensorDeclaration>& declared, GgufWriter& writer,
                     const JobControl& job) {
  uint64_t done = 0;
  for (size_t i = 0; i < declared.size(); ++i) {
    const TensorEntry& tensor = checkpoint.tensors()[i];
    if (i > 0) SMELT_TRY(writer.next_tensor());
    SMELT_TRY(TensorRepacker(tensor.view, declared[i].layout, writer).run(job));
    done += tensor.view.bytes.size();
    job.update("repack", done >> 10, checkpoint.file_bytes() >> 10, "KiB");
    checkpoint.release(tensor);
  }
  return {};
}

}  // namespace

Result<ConvertReport> repack_model(const std::string& input, const std::string& output, Layout layout,
                                   Overwrite overwrite, const JobControl& job) {
  SMELT_ASSIGN(const Checkpoint checkpoint, Checkpoint::open(input));
  SMELT_TRY(refuse_same_file(checkpoint, input, output));
  if (!output.ends_with(".gguf")) {
    return usage_error(
        fmt::format("{}: only GGUF files have a layout; name it *.gguf", escape_for_display(output, 4096)));
  }
  if (!checkpoint.format_name().starts_with("GGUF")) {
    return input_error(fmt::format("{}: is a {}; only GGUF files are laid out anew, smelt quantize makes one",
                                   escape_for_display(input, 4096), checkpoint.format_name()));
  }
  SMELT_ASSIGN(const std::vector<TensorDeclaration> declared, declare(checkpoint, layout));
  SMELT_ASSIGN(GgufWriter writer, GgufWriter::create(output, checkpoint.metadata(), declared, overwrite));
  SMELT_TRY(write_tensors(checkpoint, declared, writer, job));
  const uint64_t bytes = writer.size();
  SMELT_TRY(writer.commit());
  return ConvertReport{declared.size(), checkpoint.file_bytes(), bytes};
}

}  // namespace smelt
