// AWQ (Lin et al., arXiv 2306.00978) as AutoAWQ writes it: 4-bit codes, eight in a 32-bit word. A module has
//
//   version "gemm"   qweight I32 [inputs][outputs / 8]    qzeros I32 [groups][outputs / 8]   scales F16
//   [groups][outputs]
//                    field j of word c is that of output 8 c + kOrder[j]
//   version "gemv"   qweight I32 [outputs][inputs / 8]    qzeros I32 [outputs][width]        scales F16 [outputs][8
//   width]
//                    in their own order; only the first `groups` zero points and scales of a row are used
//
// and W[o][i] = scale[i / group][o] * (code[i][o] - zero[i / group][o]). Facts from AutoAWQ's WQLinear_GEMM,
// WQLinear_GEMV and packing_utils (MIT). Modules without qweight are not quantized.
#include <fmt/format.h>

#include <array>

#include "formats/packed/packed_bits.h"
#include "formats/packed/packed_form.h"

namespace smelt::packed {

extern const Form awq_form;

namespace {

constexpr int64_t kPerWord = 8;
constexpr std::array<int, kPerWord> kField = {0, 4, 1, 5, 2, 6, 3, 7};  // of output o % 8 in gemm's words

// A table of 4-bit numbers: [rows][words].
struct Codes {
  const std::byte* words = nullptr;
  int64_t row_words = 0;
  bool is_reordered = false;

  float at(int64_t row, int64_t column) const {
    const auto place = static_cast<size_t>(column % kPerWord);
    const int field = is_reordered ? kField[place] : static_cast<int>(place);
    return static_cast<float>((load_word(words, row * row_words + column / kPerWord) >> (4 * field)) & 15U);
  }
};

struct Tables {
  Codes codes, zeros;
  FloatTensor scales;
  int64_t scale_columns = 0;
  int64_t group_size = 1, inputs = 0;
  bool is_gemv = false;  // outputs are rows of all tables, not columns
};

class AwqDecoder final : public RowDecoder {
 public:
  explicit AwqDecoder(const Tables& tables) : t_(tables) {}

  void decode_rows_into(int64_t first, int64_t n, float* out) const override {
    for (int64_t i = 0; i < t_.inputs; ++i) {
      const int64_t group = i / t_.group_size;
      for (int64_t r = 0; r < n; ++r) out[r * t_.inputs + i] = value(first + r, i, group);
    }
  }

 private:
  float value(int64_t output, int64_t input, int64_t group) const {
    if (t_.is_gemv) {
      return t_.scales[output * t_.scale_columns + group] * (t_.codes.at(output, input) - t_.zeros.at(output, group));
    }
    return t_.scales[group * t_.scale_columns + output] * (t_.codes.at(input, output) - t_.zeros.at(group, output));
  }

  Tables t_;
};

struct Settings {
  int64_t group_size = 128;  // -1: one group
  bool is_gemv = false;
};

constexpr std::string_view kKeys[] = {"bits", "w_bit", "group_size", "q_group_size", "zero_point", "version",
                                      "modules_to_not_convert",
                                      // How other programs run them.
                                      "backend", "do_fuse", "fuse_max_seq_len", "modules_to_fuse.", "exllama_config."};

Result<Settings> read_settings(const Folder& folder) {
  SMELT_TRY(folder.check_keys(kKeys));
  Settings s;
  for (const char* key : {"bits", "w_bit"}) {
    SMELT_ASSIGN(const auto bits, folder.find_int(key));
    if (bits.value_or(4) != 4) return folder.bad_value(key, std::to_string(*bits), "wanted 4");
  }
  for (const char* key : {"q_group_size", "group_size"}) {
    SMELT_ASSIGN(const auto size, folder.find_int(key));
    s.group_size = size.value_or(s.group_size);
    if (s.group_size != -1 && s.group_size < 1) {
      return folder.bad_value(key, std::to_string(s.group_size), "wanted -1 or at least 1");
    }
  }
  SMELT_ASSIGN(const bool has_zeros, folder.find_bool("zero_point", true));
  if (!has_zeros) return folder.bad_value("zero_point", "false", "wanted true");
  SMELT_ASSIGN(const std::string version, folder.find_string("version", "gemm"));
  const bool is_gemm = version == "gemm" || version == "GEMM";
  s.is_gemv = version == "gemv" || version == "GEMV";
  if (!is_gemm && !s.is_gemv) return folder.bad_value("version", version, "wanted gemm or gemv");
  return s;
}

class Reader {
 public:
  Reader(Folder& folder, const Settings& settings) : folder_(folder), s_(settings) {}

  Status read(const std::string& module, const RawTensor& qweight) {
    SMELT_ASSIGN(const RawTensor* scales, folder_.take(module + ".scales", qweight));
    SMELT_ASSIGN(const RawTensor* qzeros, folder_.take(module + ".qzeros", qweight));
    folder_.take(qweight.name);
    SMELT_TRY(folder_.check_type(qweight, {StorageType::i32}));
    SMELT_TRY(folder_.check_type(*qzeros, {StorageType::i32}));
    SMELT_TRY(folder_.check_type(*scales, kFloats));
    if (qweight.shape.rank != 2) return folder_.error(qweight, "is not a matrix");
    const int64_t packed = qweight.shape[1] * kPerWord;
    const int64_t outputs = s_.is_gemv ? qweight.shape[0] : packed;
    const int64_t inputs = s_.is_gemv ? packed : qweight.shape[0];
    const int64_t group_size = s_.group_size == -1 ? inputs : s_.group_size;
    const int64_t n_groups = (inputs - 1) / group_size + 1;
    SMELT_TRY(s_.is_gemv ? check_gemv(*scales, *qzeros, outputs, n_groups)
                         : check_gemm(*scales, *qzeros, outputs, n_groups));
    const Tables tables = {.codes = {qweight.bytes.data(), qweight.shape[1], !s_.is_gemv},
                           .zeros = {qzeros->bytes.data(), qzeros->shape[1], !s_.is_gemv},
                           .scales = FloatTensor(*scales),
                           .scale_columns = scales->shape[1],
                           .group_size = group_size,
                           .inputs = inputs,
                           .is_gemv = s_.is_gemv};
    return folder_.add({.name = module + ".weight",
                        .dtype = tables.scales.dtype(),
                        .shape = {outputs, inputs},
                        .decoder = std::make_unique<AwqDecoder>(tables)},
                       qweight);
  }

 private:
  Status check_gemm(const RawTensor& scales, const RawTensor& qzeros, int64_t outputs, int64_t n_groups) const {
    SMELT_TRY(folder_.check_shape(scales, {n_groups, outputs}));
    return folder_.check_shape(qzeros, {n_groups, outputs / kPerWord});
  }
  Status check_gemv(const RawTensor& scales, const RawTensor& qzeros, int64_t outputs, int64_t n_groups) const {
    const int64_t width = qzeros.shape.rank == 2 ? qzeros.shape[1] : 0;
    if (width < (n_groups + kPerWord - 1) / kPerWord || qzeros.shape[0] != outputs) {
      return folder_.error(qzeros, fmt::format("shape is {}, wanted {} rows of {} zero points or more",
                                               qzeros.shape.to_string(), outputs, n_groups));
    }
    return folder_.check_shape(scales, {outputs, width * kPerWord});
  }

  Folder& folder_;
  const Settings& s_;
};

Result<std::string> read_awq(Folder& folder) {
  SMELT_ASSIGN(const Settings settings, read_settings(folder));
  Reader reader(folder, settings);
  for (const RawTensor& tensor : folder.tensors()) {
    const auto module = without_suffix(tensor.name, ".qweight");
    if (module) SMELT_TRY(reader.read(*module, tensor));
  }
  return fmt::format("AWQ {}, 4 bits, {}", settings.is_gemv ? "gemv" : "gemm",
                     settings.group_size == -1 ? "one group" : fmt::format("groups of {}", settings.group_size));
}

}  // namespace

extern const Form awq_form = {.method = "awq", .read = read_awq};

}  // namespace smelt::packed
