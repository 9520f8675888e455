// Readers and writers of importance matrices.
#include "formats/imatrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/mapped_file.h"
#include "base/text.h"
#include "formats/byte_reader.h"
#include "formats/gguf.h"

namespace smelt {
namespace {

constexpr std::string_view kSumsSuffix = ".in_sum2", kCountsSuffix = ".counts";
constexpr const char* kDatasetsKey = "imatrix.datasets";
constexpr const char* kChunkCountKey = "imatrix.chunk_count";
constexpr const char* kChunkSizeKey = "imatrix.chunk_size";

Error damaged(const std::string& file, std::string_view name, const std::string& what) {
  return input_error(fmt::format("{}: importances of '{}': {}; make the file again with 'smelt imatrix'",
                                 escape_for_display(file, 4096), escape_for_display(name), what));
}

Status check_entry(const ImatrixEntry& entry, const std::string& file) {
  const auto is_bad = [](float x) { return !(x >= 0) || !std::isfinite(x); };
  const auto at = std::find_if(entry.sums.begin(), entry.sums.end(), is_bad);
  if (at != entry.sums.end()) {
    const auto i = static_cast<int64_t>(at - entry.sums.begin());
    return damaged(file, entry.name,
                   fmt::format("the sum of column {} is {}", i % std::max<int64_t>(1, entry.n_columns), *at));
  }
  const auto count = std::find_if(entry.counts.begin(), entry.counts.end(), is_bad);
  if (count != entry.counts.end()) return damaged(file, entry.name, fmt::format("a count of tokens is {}", *count));
  return {};
}

std::vector<float> values_of(const TensorView& view) {
  std::vector<float> out(static_cast<size_t>(view.shape.values()));
  for (int64_t r = 0; r < view.rows(); ++r) view.decode_row_into(r, out.data() + r * view.columns());
  return out;
}

// GGUF
// -------------------------------------------------------------------------------------------------------------------

Result<ImatrixEntry> gguf_entry(const GgufContents& contents, const TensorEntry& sums, const std::string& file) {
  ImatrixEntry entry;
  entry.name = sums.name.substr(0, sums.name.size() - kSumsSuffix.size());
  const std::string counts_name = entry.name + std::string(kCountsSuffix);
  const auto counts = std::find_if(contents.tensors.begin(), contents.tensors.end(),
                                   [&](const TensorEntry& t) { return t.name == counts_name; });
  if (counts == contents.tensors.end())
    return damaged(file, entry.name, fmt::format("there is no tensor '{}'", escape_for_display(counts_name)));
  if (sums.view.dtype != DType::f32 || counts->view.dtype != DType::f32)
    return damaged(file, entry.name, "sums and counts are to be F32");
  if (counts->view.shape.values() != sums.view.rows())
    return damaged(file, entry.name,
                   fmt::format("{} counts for {} matrices", counts->view.shape.values(), sums.view.rows()));
  entry.n_columns = sums.view.columns();
  entry.sums = values_of(sums.view);
  entry.counts = values_of(counts->view);
  SMELT_TRY(check_entry(entry, file));
  return entry;
}

Result<Imatrix> parse_gguf_form(std::span<const std::byte> bytes, const std::string& file) {
  SMELT_ASSIGN(const GgufContents contents, parse_gguf(bytes, file));
  Imatrix out;
  for (const TensorEntry& tensor : contents.tensors) {
    if (!tensor.name.ends_with(kSumsSuffix)) continue;
    SMELT_ASSIGN(ImatrixEntry entry, gguf_entry(contents, tensor, file));
    out.entries.push_back(std::move(entry));
  }
  if (out.entries.empty())
    return input_error(fmt::format("{}: a GGUF file without tensors named '….in_sum2': it is no importance matrix",
                                   escape_for_display(file, 4096)));
  if (contents.metadata.contains(kDatasetsKey)) {
    SMELT_ASSIGN(const auto* names, contents.metadata.find_strings(kDatasetsKey).with_context(file));
    if (names != nullptr) out.datasets = *names;
  }
  SMELT_ASSIGN(const auto n_chunks, contents.metadata.find_uint(kChunkCountKey).with_context(file));
  SMELT_ASSIGN(const auto chunk_size, contents.metadata.find_uint(kChunkSizeKey).with_context(file));
  out.n_chunks = static_cast<uint32_t>(std::min<uint64_t>(n_chunks.value_or(0), UINT32_MAX));
  out.chunk_size = static_cast<uint32_t>(std::min<uint64_t>(chunk_size.value_or(0), UINT32_MAX));
  return out;
}

Status write_floats(GgufWriter& writer, const std::vector<float>& values) {
  return writer.write(std::as_bytes(std::span(values)));
}

Status save_gguf_form(const Imatrix& imatrix, const std::string& path, Overwrite overwrite) {
  Metadata metadata;
  metadata.set("general.type", MetaValue::of_string("imatrix"));
  metadata.set(kDatasetsKey, MetaValue::of_strings(imatrix.datasets));
  metadata.set(kChunkCountKey, MetaValue::of_u32(imatrix.n_chunks));
  metadata.set(kChunkSizeKey, MetaValue::of_u32(imatrix.chunk_size));
  std::vector<TensorDeclaration> tensors;
  for (const ImatrixEntry& entry : imatrix.entries) {
    tensors.push_back({entry.name + std::string(kSumsSuffix), DType::f32, {entry.n_matrices(), entry.n_columns}});
    tensors.push_back({entry.name + std::string(kCountsSuffix), DType::f32, {entry.n_matrices(), 1}});
  }
  SMELT_ASSIGN(GgufWriter writer, GgufWriter::create(path, metadata, tensors, overwrite));
  for (size_t i = 0; i < imatrix.entries.size(); ++i) {
    if (i > 0) SMELT_TRY(writer.next_tensor());
    SMELT_TRY(write_floats(writer, imatrix.entries[i].sums));
    SMELT_TRY(writer.next_tensor());
    SMELT_TRY(write_floats(writer, imatrix.entries[i].counts));
  }
  return writer.commit();
}

// The older form
// -------------------------------------------------------------------------------------------------------------------

class LegacyReader {
 public:
  LegacyReader(std::span<const std::byte> bytes, const std::string& file) : reader_(bytes), file_(file) {}

  Result<Imatrix> run() {
    Imatrix out;
    SMELT_ASSIGN(const int64_t n_entries, number("number of entries"));
    if (n_entries < 1 || n_entries > static_cast<int64_t>(reader_.remaining() / kLeastEntry))
      return fault(fmt::format("{} entries, which is no importance matrix", n_entries));
    for (int64_t i = 0; i < n_entries; ++i) {
      SMELT_ASSIGN(ImatrixEntry entry, read_entry());
      if (out.find(entry.name) != nullptr) return damaged(file_, entry.name, "they are there twice");
      out.entries.push_back(std::move(entry));
    }
    if (reader_.remaining() == 0) return out;  // files of before March 2024 end here
    SMELT_ASSIGN(const int64_t n_chunks, number("number of chunks"));
    SMELT_ASSIGN(std::string dataset, text("name of the text"));
    out.n_chunks = static_cast<uint32_t>(std::max<int64_t>(0, n_chunks));
    if (!dataset.empty()) out.datasets.push_back(std::move(dataset));
    return out;
  }

 private:
  static constexpr uint64_t kLeastEntry = 12;  // bytes

  Error fault(const std::string& what) const {
    return input_error(fmt::format("{}: at byte {}: {}", escape_for_display(file_, 4096), reader_.position(), what));
  }
  Result<int64_t> number(const char* what) {
    const auto value = reader_.read<int32_t>();
    if (!value) return fault(fmt::format("the file ends before the {}; it is truncated", what));
    return int64_t{*value};
  }
  Result<std::string> text(const char* what) {
    SMELT_ASSIGN(const int64_t length, number(what));
    const auto raw = length < 0 ? std::nullopt : reader_.take(static_cast<uint64_t>(length));
    if (!raw) return fault(fmt::format("the {} has {} bytes, {} are left", what, length, reader_.remaining()));
    return std::string(as_text(*raw));
  }
  Result<ImatrixEntry> read_entry() {
    ImatrixEntry entry;
    SMELT_ASSIGN(entry.name, text("name of an entry"));
    SMELT_ASSIGN(const int64_t n_calls, number("number of calls"));
    SMELT_ASSIGN(const int64_t n_values, number("number of values"));
    const auto raw = n_values < 1 ? std::nullopt : reader_.take(static_cast<uint64_t>(n_values) * sizeof(float));
    if (!raw) return fault(fmt::format("{} values, {} bytes are left", n_values, reader_.remaining()));
    entry.n_columns = n_values;  // experts are not told apart: the caller, who knows the shape, splits them
    for (int64_t i = 0; i < n_values; ++i)
      entry.sums.push_back(load_little_endian<float>(raw->data() + static_cast<size_t>(i) * sizeof(float)));
    entry.counts = {static_cast<float>(std::max<int64_t>(1, n_calls))};
    SMELT_TRY(check_entry(entry, file_));
    return entry;
  }

  ByteReader reader_;
  const std::string& file_;
};

void append_number(std::string& out, int64_t value) {
  const auto number = static_cast<uint32_t>(static_cast<int32_t>(value));
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(static_cast<uint8_t>(number >> (8 * i))));
}

void append_text(std::string& out, const std::string& text) {
  append_number(out, std::ssize(text));
  out += text;
}

std::string format_legacy(const Imatrix& imatrix) {
  std::string out;
  const auto n_calls = static_cast<float>(std::max<uint32_t>(1, imatrix.n_chunks));
  append_number(out, std::ssize(imatrix.entries));
  for (const ImatrixEntry& entry : imatrix.entries) {
    append_text(out, entry.name);
    append_number(out, static_cast<int64_t>(n_calls));
    append_number(out, std::ssize(entry.sums));
    std::vector<float> means(static_cast<size_t>(entry.n_columns));
    for (int64_t m = 0; m < entry.n_matrices(); ++m) {
      entry.means_into(m, means.data());
      for (float& mean : means) mean *= n_calls;
      out.append(reinterpret_cast<const char*>(means.data()), means.size() * sizeof(float));
    }
  }
  append_number(out, imatrix.n_chunks);
  append_text(out, imatrix.datasets.empty() ? "" : imatrix.datasets.front());
  return out;
}

}  // namespace

bool ImatrixEntry::means_into(int64_t matrix, float* out) const {
  const float count = counts[static_cast<size_t>(matrix)];
  const float* from = sums.data() + matrix * n_columns;
  for (int64_t i = 0; i < n_columns; ++i) out[i] = count > 0 ? from[i] / count : 1.0F;
  return count > 0;
}

const ImatrixEntry* Imatrix::find(std::string_view name) const {
  const auto at = std::find_if(entries.begin(), entries.end(), [&](const ImatrixEntry& e) { return e.name == name; });
  return at == entries.end() ? nullptr : &*at;
}

Result<Imatrix> parse_imatrix(std::span<const std::byte> bytes, const std::string& file_name) {
  if (as_text(bytes).starts_with("GGUF")) return parse_gguf_form(bytes, file_name);
  return LegacyReader(bytes, file_name).run();
}

Result<Imatrix> load_imatrix(const std::string& path) {
  SMELT_ASSIGN(const auto file, MappedFile::open(path));
  return parse_imatrix(file->bytes(), path);
}

Status save_imatrix(const Imatrix& imatrix, const std::string& path, Overwrite overwrite) {
  if (path.ends_with(".dat")) return write_file(path, format_legacy(imatrix), overwrite);
  return save_gguf_form(imatrix, path, overwrite);
}

}  // namespace smelt
