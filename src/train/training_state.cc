#include "train/training_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "base/text.h"

namespace smelt {
namespace {

constexpr char kMagic[9] = "SMELTCKP";
constexpr size_t kKept = 2;

struct Header {
  char magic[8];
  TrainingProgress progress;
  uint64_t n_values, n_random;
};

// Writes what it hashes. Pieces are multiples of 8 bytes long but for the last ones, which the hash pads alike when it
// is read (Hasher::add by piece).
class HashedWriter {
 public:
  explicit HashedWriter(AtomicFile& file) : file_(file) {}
  Status write(std::span<const std::byte> bytes) {
    hasher_.add(bytes);
    return file_.write(bytes);
  }
  Status finish() {
    const uint64_t hash = hasher_.value();
    SMELT_TRY(file_.write(std::as_bytes(std::span(&hash, 1))));
    return file_.commit();
  }

 private:
  AtomicFile& file_;
  Hasher hasher_;
};

bool is_checkpoint(const std::string& name) { return name.starts_with("step-") && name.ends_with(".checkpoint"); }

// The parts of a file that is whole.
struct Parts {
  Header header;
  std::span<const std::byte> buffers[3];
  std::span<const std::byte> random;
};

std::optional<Parts> read_parts(std::span<const std::byte> bytes) {
  Parts parts;
  if (bytes.size() < sizeof(Header) + 8) return std::nullopt;
  std::memcpy(&parts.header, bytes.data(), sizeof(Header));
  const uint64_t rest = bytes.size() - sizeof(Header) - 8;
  const Header& header = parts.header;
  if (std::memcmp(header.magic, kMagic, 8) != 0 || header.n_random > rest || header.n_values > rest / 12 ||
      header.n_values * 12 + header.n_random != rest)
    return std::nullopt;
  Hasher hasher;
  hasher.add(bytes.first(sizeof(Header)));
  size_t at = sizeof(Header);
  for (auto& buffer : parts.buffers) {
    buffer = bytes.subspan(at, header.n_values * 4);
    hasher.add(buffer);
    at += buffer.size();
  }
  parts.random = bytes.subspan(at, header.n_random);
  hasher.add(parts.random);
  uint64_t hash = 0;
  std::memcpy(&hash, bytes.data() + bytes.size() - 8, 8);
  if (hash != hasher.value()) return std::nullopt;
  return parts;
}

}  // namespace

Status TrainingCheckpoints::save(const TrainingProgress& progress, const TrainingBuffers& buffers,
                                 std::span<const std::byte> random) const {
  Header header{.magic = {}, .progress = progress, .n_values = buffers.values.size(), .n_random = random.size()};
  std::memcpy(header.magic, kMagic, 8);
  const std::string name = fmt::format("step-{:09}.checkpoint", progress.step);
  SMELT_ASSIGN(AtomicFile file, AtomicFile::create(path(name), Overwrite::replace));
  HashedWriter writer(file);
  SMELT_TRY(writer.write(std::as_bytes(std::span(&header, 1))));
  for (const std::span<float> part : {buffers.values, buffers.first_moments, buffers.second_moments})
    SMELT_TRY(writer.write(std::as_bytes(part)));
  SMELT_TRY(writer.write(random));
  SMELT_TRY(writer.finish());
  SMELT_TRY(write_file(path(kCheckpointMarker), name + "\n", Overwrite::replace));
  remove_old();
  return {};
}

Result<std::optional<TrainingCheckpoints::Loaded>> TrainingCheckpoints::load(uint64_t key,
                                                                             const TrainingBuffers& buffers) const {
  for (const std::string& name : names()) {
    const auto file = MappedFile::open(path(name));
    const auto parts = file ? read_parts((*file)->bytes()) : std::nullopt;
    if (!parts) {
      log(LogLevel::warning, fmt::format("{}: is damaged; going on from the one before", path(name)));
      continue;
    }
    const TrainingProgress& progress = parts->header.progress;
    if (progress.key != key || parts->header.n_values != buffers.values.size())
      return input_error(
          fmt::format("{}: is of another configuration or data; go on with those, or begin anew with "
                      "--force",
                      escape_for_display(path(name), 4096)));
    const std::span<float> targets[] = {buffers.values, buffers.first_moments, buffers.second_moments};
    for (size_t i = 0; i < 3; ++i) std::memcpy(targets[i].data(), parts->buffers[i].data(), parts->buffers[i].size());
    return std::optional(Loaded{progress, {parts->random.begin(), parts->random.end()}});
  }
  return std::optional<Loaded>();
}

std::vector<std::string> TrainingCheckpoints::names() const {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
    const std::string name = entry.path().filename().string();
    if (is_checkpoint(name)) found.push_back(name);
  }
  std::sort(found.rbegin(), found.rend());
  // Without the marker a file may be whole, but nothing says that it is the newest; it is looked at all the same, last.
  if (auto marked = read_file(path(kCheckpointMarker), 4096)) {
    while (marked->ends_with('\n')) marked->pop_back();
    std::stable_partition(found.begin(), found.end(), [&](const std::string& name) { return name == *marked; });
  }
  return found;
}

void TrainingCheckpoints::remove_old() const {
  std::vector<std::string> all = names();
  for (size_t i = kKept; i < all.size(); ++i) {
    std::error_code ignored;
    std::filesystem::remove(path(all[i]), ignored);
  }
}

void TrainingCheckpoints::remove_all() const {
  std::error_code ignored;
  for (const std::string& name : names()) std::filesystem::remove(path(name), ignored);
  std::filesystem::remove(path(kCheckpointMarker), ignored);
}

}  // namespace smelt
