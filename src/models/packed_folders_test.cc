// Folders whose weights other tools packed (tests/golden/packed, made by make_packed_fixtures.py with those tools' own
// code): decoded they are what that code decodes, and the model computes what transformers computes with that.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "formats/hf_folder.h"
#include "formats/packed/unpack.h"
#include "formats/safetensors.h"
#include "models/canonical.h"
#include "models/model.h"
#include "models/test_forward.h"

namespace smelt {
namespace {

namespace fs = std::filesystem;

const fs::path kPacked = fs::path(SMELT_SOURCE_DIR) / "tests" / "golden" / "packed";
constexpr float kMaxError = 1e-4F;

std::vector<std::string> packed_cases() {
  std::vector<std::string> cases;
  for (const auto& entry : fs::directory_iterator(kPacked)) cases.push_back(entry.path().filename().string());
  std::sort(cases.begin(), cases.end());
  return cases;
}

class PackedFolder : public testing::TestWithParam<std::string> {
 protected:
  fs::path folder() const { return kPacked / GetParam(); }
  std::shared_ptr<const Checkpoint> open() const {
    auto checkpoint = Checkpoint::open(folder().string());
    EXPECT_TRUE(checkpoint) << checkpoint.error().message;
    return checkpoint ? std::make_shared<const Checkpoint>(std::move(*checkpoint)) : nullptr;
  }
};

std::vector<float> values_of(const TensorView& view) {
  std::vector<float> values(static_cast<size_t>(view.shape.values()));
  for (int64_t r = 0; r < view.rows(); ++r) view.decode_row_into(r, values.data() + r * view.columns());
  return values;
}

// As make_packed_fixtures.py's: of the values' bytes in order; -0 counts as 0.
std::string fnv1a(const std::vector<float>& values) {
  uint64_t state = 0xCBF29CE484222325U;
  for (const float value : values) {
    const auto bits = std::bit_cast<uint32_t>(value + 0.0F);
    for (int shift = 0; shift < 32; shift += 8) state = (state ^ (bits >> shift & 0xFFU)) * 0x100000001B3U;
  }
  return fmt::format("{:016x}", state);
}

TEST_P(PackedFolder, DecodesToWhatItsToolDecodesTo) {
  const auto checkpoint = open();
  ASSERT_NE(checkpoint, nullptr);
  const auto text = read_file((folder() / "decoded.json").string(), 1 << 20);
  ASSERT_TRUE(text) << text.error().message;
  const auto expected = nlohmann::json::parse(*text);
  ASSERT_EQ(expected.size(), 7U);
  for (const auto& [name, wanted] : expected.items()) {
    const TensorEntry* tensor = checkpoint->find_tensor(name);
    ASSERT_NE(tensor, nullptr) << name;
    EXPECT_EQ(tensor->view.dtype, find_dtype(wanted["dtype"].get<std::string>())) << name;
    const auto rows = wanted["shape"][0].get<int64_t>(), columns = wanted["shape"][1].get<int64_t>();
    ASSERT_EQ(tensor->view.rows(), rows) << name;
    ASSERT_EQ(tensor->view.columns(), columns) << name;
    for (int pass = 0; pass < 2; ++pass) {  // the second after its memory was given back
      ASSERT_TRUE(checkpoint->prepare(*tensor));
      const std::vector<float> values = values_of(tensor->view);
      for (size_t i = 0; i < wanted["first"].size(); ++i) EXPECT_EQ(values[i], wanted["first"][i].get<float>()) << name;
      EXPECT_EQ(fnv1a(values), wanted["fnv1a"].get<std::string>()) << name;
      checkpoint->release(*tensor);
    }
  }
}

TEST_P(PackedFolder, HasTheLogitsOfTheDecodedModel) {
  const auto checkpoint = open();
  ASSERT_NE(checkpoint, nullptr);
  const auto model = Model::load(checkpoint);
  ASSERT_TRUE(model) << model.error().message;
  const auto json = read_file((folder() / "golden.json").string(), 1 << 20);
  const auto bytes = read_file((folder() / "logits.f32").string(), 1 << 24);
  ASSERT_TRUE(json && bytes);
  const auto tokens = nlohmann::json::parse(*json)["tokens"].get<std::vector<TokenId>>();
  std::vector<float> wanted(bytes->size() / sizeof(float));
  std::memcpy(wanted.data(), bytes->data(), bytes->size());
  const auto n = static_cast<int64_t>(tokens.size());
  const std::vector<float> logits = TestRun(*model, n, 1).append(tokens, n);
  ASSERT_EQ(logits.size(), wanted.size());
  for (size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(logits[i], wanted[i], kMaxError) << i;
}

TEST_P(PackedFolder, IsAPlainModelInGgufsTerms) {
  const auto model = to_gguf_terms(open());
  ASSERT_TRUE(model) << model.error().message;
  for (const auto& [key, value] : model->metadata.entries()) {
    EXPECT_EQ(key.find("quantization_config"), std::string::npos) << key;
  }
  EXPECT_EQ(model->tensors.size(), 3U + 2 * 9);
}

// Faults of every kind in a folder that is otherwise whole: one line that names the tensor or the key.
struct Fault {
  const char* name;
  const char* folder;
  const char* wanted;  // in the message
  void (*change)(Checkpoint::Parts& parts, std::vector<RawTensor>& tensors);
};

RawTensor& find_raw(std::vector<RawTensor>& tensors, const std::string& suffix) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const RawTensor& t) { return t.name.ends_with(suffix); });
  EXPECT_NE(found, tensors.end()) << suffix;
  return *found;
}

void erase_raw(std::vector<RawTensor>& tensors, const std::string& suffix) {
  tensors.erase(tensors.begin() + (&find_raw(tensors, suffix) - tensors.data()));
}

void set_key(Checkpoint::Parts& parts, const char* key, MetaValue value) {
  parts.metadata.set(std::string("quantization_config.") + key, std::move(value));
}

// The groups of all inputs, too large; static, as raw tensors only point at their bytes.
std::span<const std::byte> bad_groups(size_t n) {
  static const std::vector<int32_t> groups(256, 99);
  return std::as_bytes(std::span(groups)).first(n);
}

const Fault kFaults[] = {
    {"MethodUnknown", "gptq_4bit", "'spqr', supported are gptq",
     [](auto& parts, auto&) { set_key(parts, "quant_method", MetaValue::of_string("spqr")); }},
    {"KeyUnknown", "gptq_4bit", "'quantization_config.dynamic.x' is not a setting that is known",
     [](auto& parts, auto&) { set_key(parts, "dynamic.x", MetaValue::of_i64(1)); }},
    {"BitsUnknown", "gptq_4bit", "is 5, wanted 2, 3, 4 or 8",
     [](auto& parts, auto&) { set_key(parts, "bits", MetaValue::of_i64(5)); }},
    {"BitsOfOthers", "gptq_4bit", "shape is ",
     [](auto& parts, auto&) { set_key(parts, "bits", MetaValue::of_i64(8)); }},
    {"GroupSizeZero", "gptq_4bit", "is 0, wanted -1 or at least 1",
     [](auto& parts, auto&) { set_key(parts, "group_size", MetaValue::of_i64(0)); }},
    {"GroupSizeOfOthers", "gptq_4bit", "the other tensors of its module want",
     [](auto& parts, auto&) { set_key(parts, "group_size", MetaValue::of_i64(16)); }},
    {"FormatUnknown", "gptq_4bit", "is marlin, wanted gptq or gptq_v2",
     [](auto& parts, auto&) { set_key(parts, "checkpoint_format", MetaValue::of_string("marlin")); }},
    {"ScalesMissing", "gptq_4bit", "q_proj.scales', which belongs to it, is missing",
     [](auto&, auto& tensors) { erase_raw(tensors, "layers.1.self_attn.q_proj.scales"); }},
    {"GroupsMissing", "gptq_act_order", "its g_idx is missing",
     [](auto&, auto& tensors) { erase_raw(tensors, "layers.0.self_attn.q_proj.g_idx"); }},
    {"GroupOutOfRange", "gptq_act_order", "entry 0 is 99, but there are 2 groups",
     [](auto&, auto& tensors) {
       RawTensor& groups = find_raw(tensors, "layers.0.self_attn.q_proj.g_idx");
       groups.bytes = bad_groups(groups.bytes.size());
     }},
    {"ZerosOfAnotherShape", "gptq_4bit", "qzeros' at byte",
     [](auto&, auto& tensors) {
       find_raw(tensors, "layers.0.mlp.up_proj.qzeros").shape = {8, 1};
     }},
    {"CodesOfAnotherType", "gptq_4bit", "type is F32, wanted I32",
     [](auto&, auto& tensors) { find_raw(tensors, "layers.0.mlp.up_proj.qweight").type = StorageType::f32; }},
    {"CodesNoMatrix", "awq_gemm", "is not a matrix",
     [](auto&, auto& tensors) { find_raw(tensors, "layers.0.mlp.up_proj.qweight").shape = {32 * 8}; }},
    {"TensorTwice", "awq_gemm", "is there besides",
     [](auto&, auto& tensors) { find_raw(tensors, "model.norm.weight").name = "model.layers.0.mlp.up_proj.weight"; }},
    {"AwqVersion", "awq_gemm", "is marlin, wanted gemm or gemv",
     [](auto& parts, auto&) { set_key(parts, "version", MetaValue::of_string("marlin")); }},
    {"AwqOtherVersion", "awq_gemm", "shape is ",
     [](auto& parts, auto&) { set_key(parts, "version", MetaValue::of_string("gemv")); }},
    {"AwqBits", "awq_gemm", "is 3, wanted 4", [](auto& parts, auto&) { set_key(parts, "bits", MetaValue::of_i64(3)); }},
    {"SomethingLeft", "awq_gemm", "type I32 is not supported",
     [](auto&, auto& tensors) { find_raw(tensors, "layers.0.mlp.up_proj.qweight").name = "left.over"; }},
    {"NothingPacked", "awq_gemm", "no tensor is packed so",
     [](auto&, auto& tensors) {
       std::erase_if(tensors, [](const RawTensor& t) { return t.name.find("proj.") != std::string::npos; });
     }},
    {"BnbStateMissing", "bnb_nf4", "type U8 is not supported",
     [](auto&, auto& tensors) { erase_raw(tensors, "layers.0.mlp.up_proj.weight.quant_state.bitsandbytes__nf4"); }},
    {"BnbAbsmaxMissing", "bnb_nf4", "up_proj.weight.absmax', which belongs to it, is missing",
     [](auto&, auto& tensors) { erase_raw(tensors, "layers.0.mlp.up_proj.weight.absmax"); }},
    {"BnbStateNoJson", "bnb_nf4", "up_proj.weight.quant_state.bitsandbytes__nf4",
     [](auto&, auto& tensors) {
       RawTensor& state = find_raw(tensors, "layers.0.mlp.up_proj.weight.quant_state.bitsandbytes__nf4");
       state.bytes = state.bytes.first(9);
     }},
    {"BnbNestedMissing", "bnb_nf4_nested", "nested_absmax', which belongs to it, is missing",
     [](auto&, auto& tensors) { erase_raw(tensors, "layers.0.mlp.up_proj.weight.nested_absmax"); }},
    {"BnbScbMissing", "bnb_int8", "type I8 has no scale",
     [](auto&, auto& tensors) {
       erase_raw(tensors, "layers.0.mlp.up_proj.SCB");
       erase_raw(tensors, "layers.0.mlp.up_proj.weight_format");
     }},
    {"CtFormat", "ct_int4_group", "is marlin-24, supported are",
     [](auto& parts, auto&) { set_key(parts, "format", MetaValue::of_string("marlin-24")); }},
    {"CtBits", "ct_int4_group", "fit no 'num_bits'",
     [](auto& parts, auto&) { set_key(parts, "config_groups.group_0.weights.num_bits", MetaValue::of_i64(8)); }},
    {"CtSparse", "ct_int4_group", "wanted dense",
     [](auto& parts, auto&) { set_key(parts, "sparsity_config.format", MetaValue::of_string("sparse-24-bitmask")); }},
    {"CtShapeMissing", "ct_int4_group", "weight_shape', which belongs to it, is missing",
     [](auto&, auto& tensors) { erase_raw(tensors, "layers.0.mlp.up_proj.weight_shape"); }},
    {"Fp8ScaleMissing", "fp8_blocks", "weight_scale', which belongs to it, is missing",
     [](auto&, auto& tensors) { erase_raw(tensors, "layers.0.mlp.up_proj.weight_scale_inv"); }},
    {"Fp8OtherBlocks", "fp8_blocks", "the other tensors of its module want",
     [](auto& parts, auto&) {
       set_key(parts, "weight_block_size", {MetaType::array, MetaArray{MetaType::i64, std::vector<int64_t>{8, 8}}});
     }},
    {"BitnetNorms", "bitnet_packed", "'quantization_config.use_rms_norm'",
     [](auto& parts, auto&) { set_key(parts, "use_rms_norm", MetaValue::of_bool(true)); }},
    {"BitnetClass", "bitnet_packed", "wanted bitlinear or autobitlinear",
     [](auto& parts, auto&) { set_key(parts, "linear_class", MetaValue::of_string("linear")); }},
    {"BitnetScaleMissing", "bitnet_packed", "weight_scale', which belongs to it, is missing",
     [](auto&, auto& tensors) { erase_raw(tensors, "layers.0.mlp.up_proj.weight_scale"); }},
};

class PackedFault : public testing::TestWithParam<Fault> {};

TEST_P(PackedFault, IsRefusedInOneLine) {
  const fs::path folder = kPacked / GetParam().folder;
  const auto file = MappedFile::open((folder / "model.safetensors").string());
  ASSERT_TRUE(file);
  auto tensors = parse_raw_safetensors((*file)->bytes(), "model.safetensors");
  const auto json = read_file((folder / "config.json").string(), 1 << 20);
  ASSERT_TRUE(tensors && json);
  auto config = parse_json_metadata(*json, "config.json");
  ASSERT_TRUE(config);
  Checkpoint::Parts parts{.path = "damaged", .dialect = Dialect::hugging_face, .metadata = std::move(*config)};
  parts.files.push_back(*file);
  GetParam().change(parts, *tensors);
  const Status unpacked = packed::unpack(parts, std::move(*tensors));
  std::string message = unpacked ? "" : unpacked.error().message;
  if (unpacked) {  // what the forms do not want is left to the family
    const auto model = Model::load(std::make_shared<const Checkpoint>(std::move(parts)));
    ASSERT_FALSE(model);
    message = model.error().message;
  }
  EXPECT_NE(message.find(GetParam().wanted), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(All, PackedFault, testing::ValuesIn(kFaults), [](const auto& one) { return one.param.name; });

INSTANTIATE_TEST_SUITE_P(All, PackedFolder, testing::ValuesIn(packed_cases()),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace smelt
