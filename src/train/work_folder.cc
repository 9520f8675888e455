#include "train/work_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "base/text.h"
#include "train/training_state.h"

namespace smelt {
namespace {

constexpr const char* kKeyFile = "run.key";
constexpr std::array<const char*, 6> kFiles = {"tokenizer.json", "training.tokens", "held-out.tokens",
                                               "log.jsonl",      "log.csv",         kKeyFile};

}  // namespace

Result<WorkFolder> WorkFolder::open(const std::string& output, uint64_t key, Start start) {
  std::string path = output;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  WorkFolder folder(path + ".work", key);
  const std::string shown = escape_for_display(folder.path_, 4096);
  const bool has_checkpoint = std::filesystem::exists(folder.file(kCheckpointMarker));
  if (start == Start::fresh && has_checkpoint)
    return input_error(
        fmt::format("{}: holds a run that was cut short; --resume goes on with it, --force begins anew", shown));
  if (start != Start::resume) folder.remove();
  const std::string text = fmt::format("{:016x}\n", key);
  if (const auto found = read_file(folder.file(kKeyFile), 64)) {
    if (*found == text) return folder;
    return input_error(
        fmt::format("{}: is of another configuration; give that one, or begin anew with --force", shown));
  }
  std::error_code code;
  std::filesystem::create_directories(folder.path_, code);
  if (code) return input_error(fmt::format("{}: {}", shown, code.message()));
  SMELT_TRY(write_file(folder.file(kKeyFile), text, Overwrite::replace));
  return folder;
}

void WorkFolder::remove() const {
  std::error_code ignored;
  TrainingCheckpoints(path_).remove_all();
  // Temporaries of a run that was killed lie there, too.
  for (std::filesystem::directory_iterator at(path_, ignored), end; !ignored && at != end; at.increment(ignored)) {
    const std::string name = at->path().filename().string();
    const bool is_ours = std::any_of(kFiles.begin(), kFiles.end(), [&](const char* file) { return name == file; });
    if (is_ours || name.ends_with(".tmp")) std::filesystem::remove(at->path(), ignored);
  }
  std::filesystem::remove(path_, ignored);
}

}  // namespace smelt
