// GPTQ (Frantar et al., arXiv 2210.17323) as AutoGPTQ and GPTQModel write it. A module has
//
//   qweight  I32 [ceil(inputs * bits / 32)][outputs]   codes, packed along the inputs
//   qzeros   I32 [groups][ceil(outputs * bits / 32)]   zero points, packed along the outputs; those of v1 are less one
//   scales   F16 [groups][outputs]
//   g_idx    I32 [inputs]                              the group of each input; without it inputs follow one another
//
// and W[o][i] = scale[g(i)][o] * (code[i][o] - zero[g(i)][o]). Facts from GPTQModel's TorchLinear and
// convert_gptq_v1_to_v2_format_module (Apache-2.0). Modules without qweight are not quantized.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "formats/packed/packed_bits.h"
#include "formats/packed/packed_form.h"

namespace smelt::packed {

extern const Form gptq_form;

namespace {

struct Settings {
  int64_t bits = 4;
  int64_t group_size = -1;  // -1: one group
  bool is_v1 = true;
  bool act_order = false;
};

class GptqDecoder final : public RowDecoder {
 public:
  struct Data {
    PackedBits codes;        // stride: outputs
    const std::byte* zeros;  // words of all groups
    FloatTensor scales;
    const std::byte* groups;  // g_idx, or null
    int64_t group_size, n_groups, outputs, inputs;
    bool is_v1;
  };
  explicit GptqDecoder(const Data& data) : d_(data) {}

  void decode_rows_into(int64_t first, int64_t n, float* out) const override {
    std::vector<float> scales(static_cast<size_t>(d_.n_groups * n));
    std::vector<float> zeros(scales.size());
    for (int64_t g = 0; g < d_.n_groups; ++g) {
      for (int64_t r = 0; r < n; ++r) {
        scales[static_cast<size_t>(g * n + r)] = d_.scales[g * d_.outputs + first + r];
        zeros[static_cast<size_t>(g * n + r)] = static_cast<float>(zero_point(g, first + r));
      }
    }
    for (int64_t i = 0; i < d_.inputs; ++i) {
      const auto group = static_cast<size_t>(group_of(i) * n);
      for (int64_t r = 0; r < n; ++r) {
        PackedBits column = d_.codes;
        column.words += (first + r) * 4;
        const size_t at = group + static_cast<size_t>(r);
        out[r * d_.inputs + i] = scales[at] * (static_cast<float>(column[i]) - zeros[at]);
      }
    }
  }

 private:
  int64_t group_of(int64_t input) const {
    return d_.groups == nullptr ? input / d_.group_size : load_little_endian<int32_t>(d_.groups + input * 4);
  }
  // v1 is made v2 by adding one in each field of a word, with carries from field to field; 3 bits cross the words, and
  // are taken each alone.
  int64_t zero_point(int64_t group, int64_t output) const {
    const int bits = d_.codes.bits;
    const PackedBits row = {d_.zeros + group * words_for(d_.outputs, bits) * 4, 1, bits};
    const uint32_t mask = (1U << bits) - 1;
    if (!d_.is_v1) return row[output];
    if (bits == 3) return (row[output] + 1) & mask;
    const int64_t per_word = 32 / bits;
    const uint32_t ones = 0xffffffffU / mask;
    const uint32_t word = load_word(row.words, output / per_word) + ones;
    return (word >> (output % per_word * bits)) & mask;
  }

  Data d_;
};

constexpr std::string_view kKeys[] = {
    "bits", "group_size", "desc_act", "act_group_aware", "sym", "lm_head", "checkpoint_format", "format", "method",
    "pack_dtype", "is_marlin_format",
    // How the codes were found; they are read all the same.
    "damp_percent", "damp_auto_increment", "static_groups", "true_sequential", "model_name_or_path",
    "model_file_base_name", "meta.", "quantizer", "dataset", "tokenizer", "model_seqlen", "block_name_to_quantize",
    "module_name_preceding_first_block", "batch_size", "pad_token_id", "mse", "offload_to_disk", "offload_to_disk_path",
    "modules_in_block_to_quantize", "pack_impl", "hyb_act",
    // How other programs run them.
    "use_cuda_fp16", "use_exllama", "disable_exllama", "exllama_config.", "max_input_length", "cache_block_outputs",
    "backend"};

Result<Settings> read_settings(const Folder& folder) {
  SMELT_TRY(folder.check_keys(kKeys));
  Settings s;
  SMELT_ASSIGN(const auto bits, folder.find_int("bits"));
  s.bits = bits.value_or(4);
  if (s.bits != 2 && s.bits != 3 && s.bits != 4 && s.bits != 8) {
    return folder.bad_value("bits", std::to_string(s.bits), "wanted 2, 3, 4 or 8");
  }
  SMELT_ASSIGN(const auto group_size, folder.find_int("group_size"));
  s.group_size = group_size.value_or(128);
  if (s.group_size != -1 && s.group_size < 1) {
    return folder.bad_value("group_size", std::to_string(s.group_size), "wanted -1 or at least 1");
  }
  for (const char* key : {"checkpoint_format", "format"}) {
    SMELT_ASSIGN(const std::string format, folder.find_string(key, s.is_v1 ? "gptq" : "gptq_v2"));
    if (format != "gptq" && format != "gptq_v2") return folder.bad_value(key, format, "wanted gptq or gptq_v2");
    s.is_v1 = format == "gptq";
  }
  SMELT_ASSIGN(const std::string method, folder.find_string("method", "gptq"));
  if (method != "gptq") return folder.bad_value("method", method, "wanted gptq");
  SMELT_ASSIGN(const std::string word, folder.find_string("pack_dtype", "int32"));
  if (word != "int32") return folder.bad_value("pack_dtype", word, "wanted int32");
  SMELT_ASSIGN(const bool is_marlin, folder.find_bool("is_marlin_format", false));
  if (is_marlin) return folder.bad_value("is_marlin_format", "true", "whose order of codes is not supported");
  SMELT_ASSIGN(s.act_order, folder.find_bool("desc_act", false));
  return s;
}

class Reader {
 public:
  Reader(Folder& folder, const Settings& settings) : folder_(folder), s_(settings) {}

  Status read(const std::string& module, const RawTensor& qweight) {
    SMELT_ASSIGN(const RawTensor* scales, folder_.take(module + ".scales", qweight));
    SMELT_ASSIGN(const RawTensor* qzeros, folder_.take(module + ".qzeros", qweight));
    const RawTensor* g_idx = folder_.take(module + ".g_idx");
    folder_.take(qweight.name);
    SMELT_ASSIGN(const int64_t inputs, count_inputs(qweight, g_idx));
    const int64_t outputs = qweight.shape[1];
    const int64_t group_size = s_.group_size == -1 ? inputs : s_.group_size;
    const int64_t n_groups = (inputs - 1) / group_size + 1;
    SMELT_TRY(folder_.check_type(*scales, kFloats));
    SMELT_TRY(folder_.check_shape(*scales, {n_groups, outputs}));
    SMELT_TRY(folder_.check_type(*qzeros, {StorageType::i32}));
    SMELT_TRY(folder_.check_shape(*qzeros, {n_groups, words_for(outputs, s_.bits)}));
    if (g_idx != nullptr) SMELT_TRY(check_groups(*g_idx, n_groups));
    const GptqDecoder::Data data = {.codes = {qweight.bytes.data(), outputs, static_cast<int>(s_.bits)},
                                    .zeros = qzeros->bytes.data(),
                                    .scales = FloatTensor(*scales),
                                    .groups = g_idx == nullptr ? nullptr : g_idx->bytes.data(),
                                    .group_size = group_size,
                                    .n_groups = n_groups,
                                    .outputs = outputs,
                                    .inputs = inputs,
                                    .is_v1 = s_.is_v1};
    return folder_.add({.name = module + ".weight",
                        .dtype = data.scales.dtype(),
                        .shape = {outputs, inputs},
                        .decoder = std::make_unique<GptqDecoder>(data)},
                       qweight);
  }

 private:
  Result<int64_t> count_inputs(const RawTensor& qweight, const RawTensor* g_idx) const {
    SMELT_TRY(folder_.check_type(qweight, {StorageType::i32}));
    if (qweight.shape.rank != 2) return folder_.error(qweight, "is not a matrix");
    const int64_t rows = qweight.shape[0];
    const int64_t bits = s_.bits;
    if (g_idx == nullptr) {
      if (s_.act_order) return folder_.error(qweight, "'desc_act' is true, but its g_idx is missing");
      if (rows * 32 % bits != 0) {
        return folder_.error(qweight, fmt::format("{} rows do not hold whole numbers of {} bits", rows, bits));
      }
      return rows * 32 / bits;
    }
    SMELT_TRY(folder_.check_type(*g_idx, {StorageType::i32}));
    const int64_t inputs = g_idx->shape.values();
    if (g_idx->shape.rank == 1 && words_for(inputs, bits) == rows) return inputs;
    return folder_.error(*g_idx, fmt::format("shape is {}, but the qweight of its module has {} rows of {} bits a "
                                             "number",
                                             g_idx->shape.to_string(), rows, bits));
  }

  Status check_groups(const RawTensor& g_idx, int64_t n_groups) const {
    for (int64_t i = 0; i < g_idx.shape.values(); ++i) {
      const auto group = load_little_endian<int32_t>(g_idx.bytes.data() + i * 4);
      if (group >= 0 && group < n_groups) continue;
      return folder_.error(
          g_idx, fmt::format("entry {} is {}, but there are {} groups; the file is damaged", i, group, n_groups));
    }
    return {};
  }

  Folder& folder_;
  const Settings& s_;
};

Result<std::string> read_gptq(Folder& folder) {
  SMELT_ASSIGN(const Settings settings, read_settings(folder));
  Reader reader(folder, settings);
  for (const RawTensor& tensor : folder.tensors()) {
    const auto module = without_suffix(tensor.name, ".qweight");
    if (module) SMELT_TRY(reader.read(*module, tensor));
  }
  return fmt::format("GPTQ{}, {} bits, {}{}", settings.is_v1 ? "" : " v2", settings.bits,
                     settings.group_size == -1 ? "one group" : fmt::format("groups of {}", settings.group_size),
                     settings.act_order ? ", act-order" : "");
}

}  // namespace

extern const Form gptq_form = {.method = "gptq", .read = read_gptq};

}  // namespace smelt::packed
