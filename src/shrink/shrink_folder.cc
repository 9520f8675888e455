#include "shrink/shrink_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <system_error>

#include "base/hash.h"
#include "base/mapped_file.h"
#include "base/text.h"

namespace smelt {
namespace {

constexpr std::array<std::string_view, 5> kFiles = {"costs.txt", "source.gguf", "trial.gguf", "calibration.ref",
                                                    "held-out.ref"};
constexpr std::string_view kTensorMagic = "SMELTRT1";

// magic | key | type | losses | bytes; then the hash of all that.
struct TensorHeader {
  char magic[8];
  uint64_t key;
  uint64_t type;
  double diagonal, chosen;
};

uint64_t checked_hash(const TensorHeader& header, std::span<const std::byte> bytes) {
  Hasher hasher;
  hasher.add(std::as_bytes(std::span(&header, 1)));
  hasher.add(bytes);
  return hasher.value();
}

Status save_tensor(const std::string& path, uint64_t key, const RoundedTensor& rounded) {
  TensorHeader header{.magic = {},
                      .key = key,
                      .type = static_cast<uint64_t>(rounded.tensor.dtype),
                      .diagonal = rounded.loss.diagonal,
                      .chosen = rounded.loss.chosen};
  std::memcpy(header.magic, kTensorMagic.data(), sizeof(header.magic));
  SMELT_ASSIGN(AtomicFile file, AtomicFile::create(path, Overwrite::replace));
  SMELT_TRY(file.write(std::as_bytes(std::span(&header, 1))));
  SMELT_TRY(file.write(*rounded.tensor.bytes));
  const uint64_t hash = checked_hash(header, *rounded.tensor.bytes);
  SMELT_TRY(file.write(std::as_bytes(std::span(&hash, 1))));
  return file.commit();
}

std::optional<RoundedTensor> load_tensor(const std::string& path, uint64_t key, DType type) {
  const auto file = MappedFile::open(path);
  if (!file) return std::nullopt;
  const std::span<const std::byte> bytes = (*file)->bytes();
  TensorHeader header;
  uint64_t hash = 0;
  if (bytes.size() < sizeof(header) + sizeof(hash)) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof(header));
  std::memcpy(&hash, bytes.data() + bytes.size() - sizeof(hash), sizeof(hash));
  const auto data = bytes.subspan(sizeof(header), bytes.size() - sizeof(header) - sizeof(hash));
  const bool is_right = std::memcmp(header.magic, kTensorMagic.data(), sizeof(header.magic)) == 0 &&
                        header.key == key && header.type == static_cast<uint64_t>(type) &&
                        hash == checked_hash(header, data);
  if (!is_right) return std::nullopt;
  return RoundedTensor{{type, std::make_shared<const std::vector<std::byte>>(data.begin(), data.end())},
                       {header.diagonal, header.chosen}};
}

}  // namespace

Result<ShrinkFolder> ShrinkFolder::open(const std::string& path, bool resume) {
  std::error_code code;
  if (!resume) ShrinkFolder(path).remove();
  std::filesystem::create_directories(path, code);
  if (code) return input_error(fmt::format("{}: {}", escape_for_display(path, 4096), code.message()));
  return ShrinkFolder(path);
}

// Nothing but files of a shrink: who knows what else somebody keeps there.
void ShrinkFolder::remove() {
  std::error_code ignored;
  for (std::filesystem::directory_iterator at(path_, ignored), end; !ignored && at != end; at.increment(ignored)) {
    const std::string name = at->path().filename().string();
    const bool is_tensor = name.starts_with("tensor-") && name.ends_with(".bin");
    const bool is_ours = is_tensor || std::find(kFiles.begin(), kFiles.end(), name) != kFiles.end();
    if (is_ours) std::filesystem::remove(at->path(), ignored);
  }
  std::filesystem::remove(path_, ignored);
}

RoundedTensorStore ShrinkFolder::tensors(uint64_t key) const {
  const auto path = [folder = path_](size_t index) { return fmt::format("{}/tensor-{}.bin", folder, index); };
  return {.find = [=](size_t index, DType type) { return load_tensor(path(index), key, type); },
          .save = [=](size_t index, const RoundedTensor& rounded) { return save_tensor(path(index), key, rounded); }};
}

// One line a tensor, numbers in hexadecimal floating point so that they come back as they were.
Status ShrinkFolder::save_costs(uint64_t key, const std::vector<TensorCost>& costs) const {
  std::string text = fmt::format("smelt-costs 1 {} {}\n", key, costs.size());
  for (const TensorCost& cost : costs) {
    text += fmt::format("{} {} {:a} {}", cost.index, cost.is_measured ? 1 : 0, cost.sensitivity, cost.types.size());
    for (const TypeCost& type : cost.types)
      text += fmt::format(" {} {} {:a}", dtype_name(type.type), type.bytes, type.loss);
    text += "\n";
  }
  return write_file(file("costs.txt"), text, Overwrite::replace);
}

std::optional<std::vector<TensorCost>> ShrinkFolder::load_costs(uint64_t key) const {
  const auto text = read_file(file("costs.txt"), uint64_t{64} << 20);
  if (!text) return std::nullopt;
  std::istringstream in(*text);
  std::string magic, number, name;
  int version = 0, measured = 0;
  uint64_t found = 0;
  size_t n = 0, n_types = 0;
  if (!(in >> magic >> version >> found >> n) || magic != "smelt-costs" || version != 1 || found != key ||
      n > (1u << 24))
    return std::nullopt;
  std::vector<TensorCost> costs(n);
  for (TensorCost& cost : costs) {
    if (!(in >> cost.index >> measured >> number >> n_types) || n_types > 64) return std::nullopt;
    cost.is_measured = measured != 0;
    cost.sensitivity = std::strtod(number.c_str(), nullptr);
    for (size_t t = 0; t < n_types; ++t) {
      TypeCost type;
      if (!(in >> name >> type.bytes >> number)) return std::nullopt;
      const auto dtype = find_dtype(name);
      if (!dtype) return std::nullopt;
      type.type = *dtype;
      type.loss = std::strtod(number.c_str(), nullptr);
      cost.types.push_back(type);
    }
  }
  return costs;
}

}  // namespace smelt
