// Checkpoint itself, and the choice of a reader. Called wherever a model is opened; what the files hold is read by
// gguf_open.cc, hf_folder.cc and llama2c.cc.
#include "formats/checkpoint.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/text.h"
#include "formats/content.h"
#include "formats/gguf.h"
#include "formats/hf_folder.h"
#include "formats/llama2c.h"
#include "formats/memory_guard.h"

namespace smelt {

Checkpoint::Checkpoint(Parts parts)
    : path_(std::move(parts.path)),
      format_name_(std::move(parts.format_name)),
      dialect_(parts.dialect),
      metadata_(std::move(parts.metadata)),
      tensors_(std::move(parts.tensors)),
      attachments_(std::move(parts.attachments)),
      files_(std::move(parts.files)),
      buffers_(std::move(parts.buffers)),
      decoded_(std::move(parts.decoded)) {
  index_.reserve(tensors_.size());
  for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

namespace {

Result<Checkpoint> open_by_content(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return open_hf_folder(path);
  auto file = MappedFile::open(path);
  if (!file) return std::move(file).error();
  const std::string shown = escape_for_display(path, 4096);
  const Content content = recognise_content((*file)->bytes());
  if (content.kind == ContentKind::gguf) return open_gguf(path);
  if (content.kind == ContentKind::llama2c_ak42) return open_llama2c(path);
  if (!content.advice.empty()) return input_error(fmt::format("{}: {}", shown, content.advice));
  if (looks_like_llama2c((*file)->bytes()) || path.ends_with(".bin")) return open_llama2c(path);
  return input_error(
      fmt::format("{}: not a model file: the first bytes are \"{}\"; give a GGUF file, a Hugging Face folder, or a "
                  "llama2.c .bin file",
                  shown, escape_for_display((*file)->text().substr(0, 8))));
}

}  // namespace

Result<Checkpoint> Checkpoint::open(const std::string& path) {
  return with_memory_guard(path, [&] { return open_by_content(path); });
}

const TensorEntry* Checkpoint::find_tensor(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const Attachment* Checkpoint::find_attachment(std::string_view name) const {
  for (const Attachment& attachment : attachments_) {
    if (attachment.name == name) return &attachment;
  }
  return nullptr;
}

uint64_t Checkpoint::file_bytes() const {
  uint64_t sum = 0;
  for (const auto& file : files_) sum += file->size();
  return sum;
}

Status Checkpoint::prepare(const TensorEntry& tensor) const {
  if (decoded_ == nullptr || shows_zeros_) return {};
  return decoded_->decode(tensor.view.bytes.data()).with_context(path_);
}

void Checkpoint::release(const TensorEntry& tensor) const {
  if (decoded_ != nullptr && !shows_zeros_) decoded_->drop(tensor.view.bytes.data());
  if (tensor.file_index >= files_.size()) return;  // a tensor made in memory
  files_[tensor.file_index]->release_range(tensor.view.bytes.data(), tensor.view.bytes.size());
}

Result<Checkpoint> Checkpoint::without_packed_values() const {
  Checkpoint out = *this;
  if (decoded_ == nullptr) return out;
  for (TensorEntry& tensor : out.tensors_) {
    if (!decoded_->contains(tensor.view.bytes.data())) continue;
    SMELT_ASSIGN(tensor.view, decoded_->zeros_like(tensor.view));
  }
  out.shows_zeros_ = true;
  return out;
}

std::string Checkpoint::describe(const TensorEntry& tensor) const {
  const std::string& file = tensor.file_index < files_.size() ? files_[tensor.file_index]->path() : path_;
  return fmt::format("{}: tensor '{}' at byte {}", escape_for_display(file, 4096), escape_for_display(tensor.name),
                     tensor.file_offset);
}

}  // namespace smelt
