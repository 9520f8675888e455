// The first bytes of files that people give by mistake, and what to do about each. Called by Checkpoint::open and by
// the readers when the magic number is not theirs.
#include "formats/content.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "formats/byte_reader.h"

namespace smelt {
namespace {

using namespace std::string_view_literals;

struct Signature {
  size_t offset;
  std::string_view bytes;
  const char* advice;
};

constexpr const char* kOldGgml =
    "it is a model of llama.cpp from before GGUF (ggml, ggmf or ggjt); fetch a newer file of this model, or convert "
    "it with llama.cpp's convert_llama_ggml_to_gguf.py";
constexpr const char* kPickle =
    "it is a PyTorch pickle, which can run code when it is read and is never opened; use the model's safetensors "
    "files, "
    "or save it as such with save_pretrained(..., safe_serialization=True)";
constexpr const char* kPacked = "it is a compressed file; unpack it first";

constexpr std::array kSignatures = {
    Signature{0, "FUGG"sv, "it is a byte-swapped (big-endian) GGUF file; convert it to little-endian first"},
    Signature{0, "tjgg"sv, kOldGgml},
    Signature{0, "fmgg"sv, kOldGgml},
    Signature{0, "lmgg"sv, kOldGgml},
    Signature{0, "algg"sv, "it is a LoRA adapter in llama.cpp's old form, not a model"},
    Signature{0, "PK\x03\x04"sv,
              "it is a zip archive, probably a PyTorch pickle (pytorch_model.bin, .pt, .pth), which can "
              "run code when it is read and is never opened; use the model's safetensors files"},
    Signature{0, "\x80\x02"sv, kPickle},
    Signature{0, "\x80\x03"sv, kPickle},
    Signature{0, "\x80\x04"sv, kPickle},
    Signature{0, "\x80\x05"sv, kPickle},
    Signature{0, "\x1f\x8b"sv, kPacked},
    Signature{0, "\x28\xb5\x2f\xfd"sv, kPacked},
    Signature{0,
              "\xfd"
              "7zXZ"sv,
              kPacked},
    Signature{0, "BZh"sv, kPacked},
    Signature{0, "7z\xbc\xaf"sv, kPacked},
    Signature{0, "\x89HDF"sv, "it is an HDF5 file (Keras); no reader for it exists here"},
    Signature{4, "TFL3"sv, "it is a TensorFlow Lite file; no reader for it exists here"},
    Signature{0,
              "\x7f"
              "ELF"sv,
              "it is a program, not a model"},
};

std::string_view skip_spaces(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  return text;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view lower_case_prefix) {
  return text.size() >= lower_case_prefix.size() &&
         std::equal(lower_case_prefix.begin(), lower_case_prefix.end(), text.begin(),
                    [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

const char* advise_on_text(std::string_view head) {
  if (head.starts_with("version https://git-lfs")) return "it is a Git LFS pointer; run git lfs pull";
  const std::string_view text = skip_spaces(head);
  if (starts_with_ignoring_case(text, "<!doctype") || starts_with_ignoring_case(text, "<html") ||
      starts_with_ignoring_case(text, "<?xml") || starts_with_ignoring_case(text, "<head")) {
    return "it is a web page, probably an error message saved by a download; fetch the file again";
  }
  if (text.starts_with("{") || text.starts_with("[")) {
    return "it is a JSON file; for a Hugging Face model give the folder that holds config.json";
  }
  return nullptr;
}

// A u64 header length that fits the file, then '{'.
bool looks_like_safetensors(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  const auto header_bytes = reader.read<uint64_t>();
  return header_bytes && *header_bytes >= 2 && *header_bytes <= reader.remaining() && bytes[8] == std::byte{'{'};
}

}  // namespace

Content recognise_content(std::span<const std::byte> bytes) {
  const std::string_view head = as_text(bytes.first(std::min<size_t>(bytes.size(), 512)));
  if (bytes.empty()) return {ContentKind::known_other, "it is empty; fetch or write it again"};
  if (head.starts_with("GGUF")) return {ContentKind::gguf, ""};
  if (head.starts_with("24ka")) return {ContentKind::llama2c_ak42, ""};  // 0x616b3432 as little-endian bytes
  for (const Signature& s : kSignatures) {
    if (head.size() > s.offset && head.substr(s.offset).starts_with(s.bytes))
      return {ContentKind::known_other, s.advice};
  }
  if (looks_like_safetensors(bytes)) {
    return {ContentKind::safetensors,
            "it is one safetensors file, which lacks the model's configuration; give the folder that holds it and "
            "config.json"};
  }
  if (const char* advice = advise_on_text(head)) return {ContentKind::known_other, advice};
  return {};
}

}  // namespace smelt
