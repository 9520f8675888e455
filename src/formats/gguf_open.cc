// open_gguf: maps a GGUF file, or all parts of a split set from its first one, and joins them into one Checkpoint.
// Called by Checkpoint::open. The parsing itself is in gguf_reader.cc.
#include <fmt/format.h>

#include <unordered_map>

#include "base/text.h"
#include "formats/gguf.h"
#include "formats/gguf_format.h"

namespace smelt {
namespace {

using namespace gguf;

struct Part {
  std::shared_ptr<const MappedFile> file;
  GgufContents contents;
};

struct SplitNumbers {
  uint64_t number = 0;
  uint64_t count = 1;
  std::optional<uint64_t> n_tensors;  // of all parts together
};

Result<Part> open_part(const std::string& path) {
  SMELT_ASSIGN(auto file, MappedFile::open(path));
  SMELT_ASSIGN(GgufContents contents, parse_gguf(file->bytes(), path));
  return Part{std::move(file), std::move(contents)};
}

Result<SplitNumbers> read_split_numbers(const Metadata& metadata, const std::string& path) {
  SplitNumbers numbers;
  auto count = metadata.find_uint(kSplitCountKey);
  auto number = metadata.find_uint(kSplitNumberKey);
  auto n_tensors = metadata.find_uint(kSplitTensorsKey);
  for (const auto* field : {&count, &number, &n_tensors}) {
    if (!*field) return input_error(fmt::format("{}: {}", escape_for_display(path, 4096), field->error().message));
  }
  numbers.count = count->value_or(1);
  numbers.number = number->value_or(0);
  numbers.n_tensors = *n_tensors;
  return numbers;
}

// "DIR/NAME" of "DIR/NAME-00001-of-00003.gguf", or nothing if the path does not end so.
std::optional<std::string> split_prefix(const std::string& path, uint64_t count) {
  const std::string ending = fmt::format("-00001-of-{:05}.gguf", count);
  if (!path.ends_with(ending)) return std::nullopt;
  return path.substr(0, path.size() - ending.size());
}

Status check_part(const Part& part, const std::string& path, uint64_t number, const SplitNumbers& first) {
  SMELT_ASSIGN(const SplitNumbers own, read_split_numbers(part.contents.metadata, path));
  if (own.number == number && own.count == first.count) return {};
  return input_error(
      fmt::format("{}: {}: this is part {} of {}, but by its name it must be part {} of {}; rename the "
                  "files as they were or fetch them again",
                  escape_for_display(path, 4096), part.contents.metadata.title(kSplitNumberKey), own.number + 1,
                  own.count, number + 1, first.count));
}

Result<std::vector<Part>> open_other_parts(const std::string& path, const SplitNumbers& first) {
  const auto prefix = split_prefix(path, first.count);
  if (first.number != 0 || !prefix) {
    return input_error(
        fmt::format("{}: key '{}': this is part {} of {}; give the first part, whose name must end in "
                    "-00001-of-{:05}.gguf",
                    escape_for_display(path, 4096), kSplitNumberKey, first.number + 1, first.count, first.count));
  }
  std::vector<Part> parts;
  for (uint64_t i = 1; i < first.count; ++i) {
    const std::string part_path = fmt::format("{}-{:05}-of-{:05}.gguf", *prefix, i + 1, first.count);
    SMELT_ASSIGN(Part part, open_part(part_path).with_context(
                                fmt::format("{}: part {} of {}", escape_for_display(path, 4096), i + 1, first.count)));
    SMELT_TRY(check_part(part, part_path, i, first));
    parts.push_back(std::move(part));
  }
  return parts;
}

Status add_tensors(Part part, Checkpoint::Parts& out, std::unordered_map<std::string, uint32_t>& seen) {
  const auto file_index = static_cast<uint32_t>(out.files.size());
  for (TensorEntry& tensor : part.contents.tensors) {
    const auto [earlier, inserted] = seen.emplace(tensor.name, file_index);
    if (!inserted) {
      return input_error(
          fmt::format("{}: tensor '{}' at byte {}: {} has a tensor of this name too; fetch the parts again",
                      escape_for_display(part.file->path(), 4096), escape_for_display(tensor.name), tensor.file_offset,
                      escape_for_display(out.files[earlier->second]->path(), 4096)));
    }
    tensor.file_index = file_index;
    out.tensors.push_back(std::move(tensor));
  }
  out.files.push_back(std::move(part.file));
  return {};
}

}  // namespace

Result<Checkpoint> open_gguf(const std::string& path) {
  SMELT_ASSIGN(Part first, open_part(path));
  SMELT_ASSIGN(const SplitNumbers split, read_split_numbers(first.contents.metadata, path));
  std::vector<Part> others;
  if (split.count > 1) {
    SMELT_ASSIGN(others, open_other_parts(path, split));
  }
  Checkpoint::Parts parts{.path = path, .format_name = fmt::format("GGUF v{}", first.contents.version)};
  parts.metadata = std::move(first.contents.metadata);
  for (const char* key : {kSplitNumberKey, kSplitCountKey, kSplitTensorsKey}) parts.metadata.erase(key);
  std::unordered_map<std::string, uint32_t> seen;
  SMELT_TRY(add_tensors(std::move(first), parts, seen));
  for (Part& part : others) SMELT_TRY(add_tensors(std::move(part), parts, seen));
  if (split.count > 1 && split.n_tensors && *split.n_tensors != parts.tensors.size()) {
    return input_error(fmt::format("{}: key '{}': the parts have {} tensors, {} are announced; fetch the parts again",
                                   escape_for_display(path, 4096), kSplitTensorsKey, parts.tensors.size(),
                                   *split.n_tensors));
  }
  return Checkpoint(std::move(parts));
}

}  // namespace smelt
