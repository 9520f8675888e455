// open_hf_folder: configuration, weights and small files of a Hugging Face model folder. Called by Checkpoint::open.
// The names of shards come from a file, so they are held to plain names, and links must not lead out of the model.
#include "formats/hf_folder.h"

#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/log.h"
#include "base/text.h"
#include "formats/packed/unpack.h"
#include "formats/safetensors.h"

namespace smelt {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = uint64_t{16} << 20;
constexpr uint64_t kMaxIndexBytes = uint64_t{64} << 20;
constexpr uint64_t kMaxAttachmentBytes = uint64_t{128} << 20;  // the largest tokenizer.json known has 33 MB
constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";
constexpr const char* kWeightMap = "weight_map.";

constexpr std::array kAttachmentNames = {"tokenizer.json",
                                         "tokenizer.model",
                                         "tokenizer_config.json",
                                         "special_tokens_map.json",
                                         "added_tokens.json",
                                         "vocab.json",
                                         "merges.txt",
                                         "vocab.txt",
                                         "generation_config.json",
                                         "chat_template.jinja",
                                         "chat_template.json",
                                         "smelt_metadata.json",
                                         "modules.json",
                                         "1_Pooling/config.json",
                                         "sentence_bert_config.json",
                                         "README.md"};
// Licence texts go by many names: all files that begin so.
constexpr std::array kLicencePrefixes = {"LICENSE", "LICENCE", "NOTICE", "USE_POLICY", "COPYING"};
constexpr std::array kPickles = {"pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"};

const dirent* next_entry(DIR* folder) { return folder == nullptr ? nullptr : ::readdir(folder); }

class FolderReader {
 public:
  explicit FolderReader(const std::string& path) : path_(path), shown_(escape_for_display(path, 4096)) {}

  Result<Checkpoint> read() {
    parts_.path = path_;
    SMELT_TRY(read_config());
    if (exists(kSingleFile)) {
      SMELT_TRY(read_shard(kSingleFile));
    } else if (exists(kIndexFile)) {
      SMELT_TRY(read_indexed());
    } else {
      return no_weights();
    }
    SMELT_TRY(packed::unpack(parts_, std::move(tensors_)));
    SMELT_TRY(read_attachments());
    parts_.format_name = "Hugging Face folder";
    parts_.dialect = Dialect::hugging_face;
    return Checkpoint(std::move(parts_));
  }

 private:
  using ShardTensors = std::map<std::string, std::vector<std::string>>;  // by shard name

  std::string full(const std::string& name) const { return (fs::path(path_) / name).string(); }
  bool exists(const std::string& name) const {
    std::error_code error;
    return fs::exists(fs::symlink_status(full(name), error));
  }
  bool is_file(const std::string& name) const {
    std::error_code ignored;
    return fs::is_regular_file(full(name), ignored);
  }
  Error error(const std::string& message) const { return input_error(fmt::format("{}: {}", shown_, message)); }

  Status check_inside(const std::string& name) const;
  Result<std::string> read_text(const std::string& name, uint64_t limit) const;
  Status read_config();
  Status merge_json(const std::string& name, const std::string& prefix, bool scalars_only);
  Status read_shard(const std::string& name);
  Status read_indexed();
  Status check_shard_name(const std::string& shard, const std::string& tensor) const;
  Result<ShardTensors> read_index() const;
  Status check_against_index(const ShardTensors& expected) const;
  Status read_attachments();
  std::vector<std::string> attachment_names() const;
  Error no_weights() const;

  const std::string& path_;
  std::string shown_;
  Checkpoint::Parts parts_;
  std::vector<RawTensor> tensors_;
  std::unordered_map<std::string, size_t> tensor_places_;  // in tensors_
};

// Links may stay inside the folder, or lead to the store of the Hugging Face cache beside it
// (models--x/snapshots/REVISION/file -> models--x/blobs/HASH), which is how downloaded models usually lie on disk.
Status FolderReader::check_inside(const std::string& name) const {
  std::error_code no_folder;
  std::error_code no_file;
  const fs::path folder = fs::canonical(path_, no_folder);
  const fs::path file = fs::canonical(full(name), no_file);
  if (no_folder || no_file)
    return error(fmt::format("{}: {}", escape_for_display(name), (no_folder ? no_folder : no_file).message()));
  std::vector<fs::path> roots = {folder};
  if (folder.parent_path().filename() == "snapshots") roots.push_back(folder.parent_path().parent_path() / "blobs");
  for (const fs::path& root : roots) {
    if (std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first == root.end()) return {};
  }
  return error(fmt::format("{}: is a link that leads out of the model's folder, to {}; copy the file into the folder",
                           escape_for_display(name), escape_for_display(file.string(), 4096)));
}

Result<std::string> FolderReader::read_text(const std::string& name, uint64_t limit) const {
  SMELT_TRY(check_inside(name));
  return read_file(full(name), limit);
}

Status FolderReader::read_config() {
  if (!exists("config.json")) {
    return error(
        "config.json is missing; give the folder of a Hugging Face model, or a GGUF file in it by its own path");
  }
  SMELT_TRY(merge_json("config.json", "", false));
  if (parts_.metadata.contains("auto_map.AutoModelForCausalLM") || parts_.metadata.contains("auto_map.AutoConfig")) {
    log(LogLevel::note,
        fmt::format("{}: config.json: key 'auto_map' names code of the model's own; it is not run", shown_));
  }
  SMELT_TRY(merge_json("generation_config.json", "generation_config.", false));
  return merge_json("tokenizer_config.json", "tokenizer_config.", true);
}

// Of tokenizer_config.json only plain values are of use, and special tokens, which may be {"content": "</s>", …}.
bool is_plain(const std::string& key, const MetaValue& value) {
  return value.type != MetaType::array && (key.find('.') == std::string::npos || key.ends_with("_token.content"));
}

Status FolderReader::merge_json(const std::string& name, const std::string& prefix, bool scalars_only) {
  if (!exists(name)) return {};
  SMELT_ASSIGN(const std::string text, read_text(name, kMaxConfigBytes));
  SMELT_ASSIGN(const Metadata parsed, parse_json_metadata(text, full(name)));
  for (const auto& [key, value] : parsed.entries()) {
    if (!scalars_only || is_plain(key, value)) parts_.metadata.set(prefix + key, value);
  }
  return {};
}

Status FolderReader::read_shard(const std::string& name) {
  SMELT_TRY(check_inside(name));
  SMELT_ASSIGN(auto file, MappedFile::open(full(name)));
  SMELT_ASSIGN(std::vector<RawTensor> tensors, parse_raw_safetensors(file->bytes(), full(name)));
  const auto file_index = static_cast<uint32_t>(parts_.files.size());
  for (RawTensor& tensor : tensors) {
    const auto [earlier, inserted] = tensor_places_.emplace(tensor.name, tensors_.size());
    if (!inserted) {
      const RawTensor& first = tensors_[earlier->second];
      return input_error(
          fmt::format("{}: tensor '{}' at byte {}: {} has a tensor of this name too, at byte {}; fetch the model again",
                      escape_for_display(full(name), 4096), escape_for_display(tensor.name), tensor.file_offset,
                      escape_for_display(parts_.files[first.file_index]->path(), 4096), first.file_offset));
    }
    tensor.file_index = file_index;
    tensors_.push_back(std::move(tensor));
  }
  parts_.files.push_back(std::move(file));
  return {};
}

Status FolderReader::check_shard_name(const std::string& shard, const std::string& tensor) const {
  const bool plain = !shard.empty() && shard.size() <= 255 && shard.front() != '.' && shard.ends_with(".safetensors") &&
                     shard.find_first_of(std::string_view("/\\:\0", 4)) == std::string::npos;
  if (plain) return {};
  return error(fmt::format(
      "{}: tensor '{}': shard name '{}' is not the plain name of a .safetensors file in this folder; it is not "
      "opened",
      kIndexFile, escape_for_display(tensor), escape_for_display(shard)));
}

Result<FolderReader::ShardTensors> FolderReader::read_index() const {
  SMELT_ASSIGN(const std::string text, read_text(kIndexFile, kMaxIndexBytes));
  SMELT_ASSIGN(const Metadata index, parse_json_metadata(text, full(kIndexFile)));
  ShardTensors shards;
  for (const auto& [key, value] : index.entries()) {
    if (!key.starts_with(kWeightMap)) continue;
    const std::string tensor = key.substr(std::string_view(kWeightMap).size());
    const auto* shard = std::get_if<std::string>(&value.value);
    if (shard == nullptr) {
      return error(fmt::format("{}: tensor '{}': the shard name is of type {}, must be string", kIndexFile,
                               escape_for_display(tensor), meta_type_name(value.type)));
    }
    SMELT_TRY(check_shard_name(*shard, tensor));
    shards[*shard].push_back(tensor);
  }
  if (shards.empty())
    return error(fmt::format("{}: key 'weight_map' is missing or empty; fetch the file again", kIndexFile));
  return shards;
}

Status FolderReader::read_indexed() {
  SMELT_ASSIGN(const ShardTensors shards, read_index());
  for (const auto& [shard, tensors] : shards) {
    if (!exists(shard)) {
      return error(fmt::format("{}: shard '{}' with {} tensors ('{}', …) is missing; fetch it", kIndexFile,
                               escape_for_display(shard), tensors.size(), escape_for_display(tensors.front())));
    }
    SMELT_TRY(read_shard(shard));
  }
  return check_against_index(shards);
}

Status FolderReader::check_against_index(const ShardTensors& expected) const {
  size_t n_expected = 0;
  for (const auto& [shard, tensors] : expected) {
    n_expected += tensors.size();
    for (const std::string& name : tensors) {
      const auto place = tensor_places_.find(name);
      if (place == tensor_places_.end()) {
        return error(fmt::format("{}: tensor '{}' is not in shard '{}' nor in another; fetch the model again",
                                 kIndexFile, escape_for_display(name), escape_for_display(shard)));
      }
      const std::string& found = parts_.files[tensors_[place->second].file_index]->path();
      if (found != full(shard)) {
        return error(fmt::format("{}: tensor '{}' must be in shard '{}', but is in {}; fetch the model again",
                                 kIndexFile, escape_for_display(name), escape_for_display(shard),
                                 escape_for_display(found, 4096)));
      }
    }
  }
  if (n_expected < tensors_.size()) {
    log(LogLevel::note,
        fmt::format("{}: {} tensors of the shards are not in {}", shown_, tensors_.size() - n_expected, kIndexFile));
  }
  return {};
}

std::vector<std::string> FolderReader::attachment_names() const {
  std::vector<std::string> names(kAttachmentNames.begin(), kAttachmentNames.end());
  // Not directory_iterator: libstdc++'s ends the program if memory runs out in it.
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path_.c_str()), ::closedir);
  for (const dirent* entry = next_entry(folder.get()); entry != nullptr; entry = next_entry(folder.get())) {
    const std::string_view name = entry->d_name;
    const bool licence = std::any_of(kLicencePrefixes.begin(), kLicencePrefixes.end(),
                                     [&](const char* prefix) { return name.starts_with(prefix); });
    if (licence && is_file(std::string(name))) names.emplace_back(name);
  }
  std::sort(names.begin() + kAttachmentNames.size(), names.end());  // the order of a folder is arbitrary
  return names;
}

Status FolderReader::read_attachments() {
  for (const std::string& name : attachment_names()) {
    if (!exists(name)) continue;
    SMELT_ASSIGN(std::string bytes, read_text(name, kMaxAttachmentBytes));
    parts_.attachments.push_back({name, std::move(bytes)});
  }
  return {};
}

Error FolderReader::no_weights() const {
  for (const char* pickle : kPickles) {
    if (!exists(pickle)) continue;
    return error(fmt::format(
        "{} is a PyTorch pickle, which can run code when it is read and is never opened; use the model's safetensors "
        "files, or save it as such with save_pretrained(..., safe_serialization=True)",
        pickle));
  }
  return error(fmt::format("neither {} nor {} is here; fetch the model's weights", kSingleFile, kIndexFile));
}

}  // namespace

Result<Checkpoint> open_hf_folder(const std::string& path) { return FolderReader(path).read(); }

}  // namespace smelt
