// BitNet b1.58 (Ma et al., arXiv 2402.17764) as transformers keeps it ("quant_method": "bitnet"). By "linear_class" and
// "quantization_mode" a module has
//
//   packed                U8 [ceil(rows / 4)][columns]: bits 2 k and 2 k + 1 of row r are those of row r + k * (rows /
//   4), less
//                         one, with weight_scale: "bitlinear" divides by it, "autobitlinear" multiplies
//   autobitlinear offline weight in floats, which weight_scale multiplies
//   autobitlinear online  weight in floats, made ternary here as there: round(w / s) * s of s = mean |w|, in [-1, 1] *
//   s
//
// Facts from transformers' integrations/bitnet.py (Apache-2.0). Activations are not rounded here.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "formats/packed/scaled_codes.h"

namespace smelt::packed {

extern const Form bitnet_form;

namespace {

constexpr int64_t kPerByte = 4;

class TernaryDecoder final : public RowDecoder {
 public:
  TernaryDecoder(const RawTensor& packed, float scale)
      : codes_(packed.bytes.data()), shape_(packed.shape), scale_(scale) {}
  void decode_rows_into(int64_t first, int64_t n, float* out) const override {
    for (int64_t r = first; r < first + n; ++r) {
      const std::byte* codes = codes_ + r % shape_[0] * shape_[1];
      const auto shift = static_cast<int>(2 * (r / shape_[0]));
      for (int64_t c = 0; c < shape_[1]; ++c) {
        *out++ = static_cast<float>(((static_cast<int>(codes[c]) >> shift) & 3) - 1) * scale_;
      }
    }
  }

 private:
  const std::byte* codes_;
  Shape shape_;
  float scale_;
};

// Floats times a scale, or made ternary by one.
class FloatDecoder final : public RowDecoder {
 public:
  FloatDecoder(const RawTensor& weight, float scale, bool is_rounded)
      : values_(weight), columns_(weight.shape[1]), scale_(scale), is_rounded_(is_rounded) {}
  void decode_rows_into(int64_t first, int64_t n, float* out) const override {
    for (int64_t i = 0; i < n * columns_; ++i) out[i] = number(values_[first * columns_ + i]);
  }

 private:
  float number(float value) const {
    return is_rounded_ ? std::clamp(std::nearbyint(value * scale_), -1.0F, 1.0F) / scale_ : value * scale_;
  }
  FloatTensor values_;
  int64_t columns_;
  float scale_;
  bool is_rounded_;
};

// One over the mean magnitude.
float inverse_mean(const RawTensor& weight) {
  const FloatTensor values(weight);
  double sum = 0;
  const int64_t n = weight.shape.values();
  for (int64_t i = 0; i < n; ++i) sum += std::fabs(values[i]);
  return 1.0F / std::max(static_cast<float>(sum / static_cast<double>(n)), 1e-5F);
}

struct Settings {
  bool is_auto = false, is_online = false;
};

constexpr std::string_view kKeys[] = {"modules_to_not_convert", "linear_class", "quantization_mode", "use_rms_norm",
                                      "rms_norm_eps"};

Result<Settings> read_settings(const Folder& folder) {
  SMELT_TRY(folder.check_keys(kKeys));
  SMELT_ASSIGN(const std::string linear_class, folder.find_string("linear_class", "bitlinear"));
  if (linear_class != "bitlinear" && linear_class != "autobitlinear") {
    return folder.bad_value("linear_class", linear_class, "wanted bitlinear or autobitlinear");
  }
  SMELT_ASSIGN(const std::string mode, folder.find_string("quantization_mode", "offline"));
  if (mode != "online" && mode != "offline") {
    return folder.bad_value("quantization_mode", mode, "wanted online or offline");
  }
  SMELT_ASSIGN(const bool has_norms, folder.find_bool("use_rms_norm", false));
  if (has_norms) return folder.bad_value("use_rms_norm", "true", "but a norm before each matrix is not supported");
  return Settings{linear_class == "autobitlinear", linear_class == "autobitlinear" && mode == "online"};
}

class Reader {
 public:
  Reader(Folder& folder, const Settings& settings) : folder_(folder), s_(settings) {}

  Status read(const std::string& module, const RawTensor& weight) {
    if (weight.shape.rank != 2) return folder_.error(weight, "is not a matrix");
    float scale = 1;
    DType dtype = DType::f32;  // what is divided by a scale of 16 bits does not fit in 16 bits
    if (!s_.is_online) {
      SMELT_ASSIGN(const RawTensor* scales, folder_.take(module + ".weight_scale", weight));
      SMELT_TRY(folder_.check_type(*scales, kFloats));
      if (scales->shape.values() != 1) return folder_.error(*scales, "is not one number");
      scale = FloatTensor(*scales)[0];
      if (s_.is_auto && weight.type == StorageType::u8) dtype = FloatTensor(*scales).dtype();
    }
    folder_.take(weight.name);
    if (weight.type == StorageType::u8) return add_packed(weight, s_.is_auto ? scale : 1.0F / scale, dtype);
    SMELT_TRY(folder_.check_type(weight, kFloats));
    scale = s_.is_online ? inverse_mean(weight) : scale;
    return folder_.add({.name = weight.name,
                        .dtype = s_.is_online ? FloatTensor(weight).dtype() : dtype,
                        .shape = weight.shape,
                        .decoder = std::make_unique<FloatDecoder>(weight, scale, s_.is_online)},
                       weight);
  }

 private:
  Status add_packed(const RawTensor& weight, float scale, DType dtype) {
    if (s_.is_online) return folder_.error(weight, "is packed, but 'quantization_mode' is online");
    if (weight.shape[0] > INT64_MAX / kPerByte / weight.shape[1]) return folder_.error(weight, "is too large");
    return folder_.add({.name = weight.name,
                        .dtype = dtype,
                        .shape = {weight.shape[0] * kPerByte, weight.shape[1]},
                        .decoder = std::make_unique<TernaryDecoder>(weight, scale)},
                       weight);
  }

  Folder& folder_;
  const Settings& s_;
};

// Online, nothing in the folder says which layers are ternary: all linear ones but the head and those listed.
Result<bool> is_converted(const Folder& folder, const std::string& module) {
  const std::string_view name = module;
  if (name == "lm_head" || name.find("embed") != std::string_view::npos ||
      name.find("norm") != std::string_view::npos) {
    return false;
  }
  SMELT_ASSIGN(const auto* listed, folder.metadata().find_strings(std::string(kPrefix) + "modules_to_not_convert"));
  if (listed == nullptr) return true;
  return std::none_of(listed->begin(), listed->end(), [&](const std::string& part) {
    return name == part || name.starts_with(part + ".") || name.ends_with("." + part) ||
           name.find("." + part + ".") != std::string_view::npos;
  });
}

Result<std::string> read_bitnet(Folder& folder) {
  SMELT_ASSIGN(const Settings settings, read_settings(folder));
  Reader reader(folder, settings);
  for (const RawTensor& tensor : folder.tensors()) {
    const auto module = without_suffix(tensor.name, ".weight");
    if (!module || tensor.shape.rank != 2) continue;
    SMELT_ASSIGN(const bool is_listed, is_converted(folder, *module));
    const bool has_scale = folder.find(*module + ".weight_scale") != nullptr;
    const bool is_its =
        tensor.type == StorageType::u8 || (settings.is_auto && (settings.is_online ? is_listed : has_scale));
    if (is_its) SMELT_TRY(reader.read(*module, tensor));
  }
  return fmt::format("BitNet, {}{}", settings.is_auto ? "autobitlinear" : "bitlinear",
                     settings.is_online ? " online" : "");
}

}  // namespace

extern const Form bitnet_form = {.method = "bitnet", .read = read_bitnet};

}  // namespace smelt::packed
