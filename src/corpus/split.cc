#include "corpus/split.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "base/text.h"

namespace smelt {
namespace {

constexpr uint64_t kShares = 1 << 20;

Result<std::set<std::string>> names_of(const TextFiles& part, const std::vector<std::string>& patterns,
                                       const std::string& data_folder) {
  TextFiles files = part;
  files.patterns = patterns;
  SMELT_ASSIGN(const std::vector<std::string> names, find_text_files(files, data_folder));
  return std::set<std::string>(names.begin(), names.end());
}

Status check_inside(const std::set<std::string>& all, const std::set<std::string>& some) {
  for (const std::string& name : some) {
    if (all.contains(name)) continue;
    return input_error(
        fmt::format("{}: is held out or left out of files that do not have it", escape_for_display(name, 4096)));
  }
  return {};
}

Status visit_part(const CorpusPart& part, const Corpus& corpus, const JobControl& job,
                  const std::function<Status(const Document&, Side)>& visit) {
  SMELT_ASSIGN(const auto all, names_of(part.files, part.files.patterns, corpus.data_folder));
  SMELT_ASSIGN(const auto held_out, names_of(part.files, part.held_out, corpus.data_folder));
  SMELT_ASSIGN(const auto left_out, names_of(part.files, part.left_out, corpus.data_folder));
  SMELT_TRY(check_inside(all, held_out));
  SMELT_TRY(check_inside(all, left_out));
  TextFiles read = part.files;
  read.patterns.clear();
  for (const std::string& name : all)
    if (!left_out.contains(name)) read.patterns.push_back(glob_literal(name));
  const auto share = static_cast<uint64_t>(corpus.held_out_share * static_cast<double>(kShares));
  return for_each_document(read, corpus.data_folder, job, [&](const Document& document) {
    const bool is_held_out = held_out.contains(document.file) || hash_bytes(document.text) % kShares < share;
    return visit(document, is_held_out ? Side::held_out : Side::training);
  });
}

}  // namespace

Status for_each_split_document(const Corpus& corpus, const JobControl& job,
                               const std::function<Status(const Document&, Side)>& visit) {
  for (const CorpusPart& part : corpus.parts) SMELT_TRY(visit_part(part, corpus, job, visit));
  return {};
}

}  // namespace smelt
