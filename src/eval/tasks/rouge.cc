// Words, n-grams and the longest common subsequence.
#include "eval/tasks/rouge.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace smelt {
namespace {

using Words = std::vector<std::string>;

// Python's lower() makes ASCII letters of two others: İ (i and a combining dot) and the Kelvin sign.
std::string lower(std::string_view text) {
  constexpr std::string_view kDottedI = "\xc4\xb0", kKelvin = "\xe2\x84\xaa";
  std::string out;
  while (!text.empty()) {
    size_t n = 1;
    if (text.starts_with(kDottedI)) {
      out += "i\xcc\x87";
      n = kDottedI.size();
    } else if (text.starts_with(kKelvin)) {
      out += 'k';
      n = kKelvin.size();
    } else {
      const char c = text.front();
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    text.remove_prefix(n);
  }
  return out;
}

Words words_of(std::string_view text) {
  Words out;
  bool inside = false;
  for (const char c : lower(text)) {
    const bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (is_word && !inside) out.emplace_back();
    if (is_word) out.back() += c;
    inside = is_word;
  }
  return out;
}

RougeScore score_of(int64_t common, int64_t n_target, int64_t n_prediction) {
  RougeScore out;
  out.precision = static_cast<double>(common) / static_cast<double>(std::max<int64_t>(n_prediction, 1));
  out.recall = static_cast<double>(common) / static_cast<double>(std::max<int64_t>(n_target, 1));
  const double both = out.precision + out.recall;
  out.f = both > 0 ? 2 * out.precision * out.recall / both : 0;
  return out;
}

std::map<std::string, int64_t> ngrams(const Words& words, size_t n) {
  std::map<std::string, int64_t> out;
  for (size_t i = 0; i + n <= words.size(); ++i) {
    std::string gram;
    for (size_t j = i; j < i + n; ++j) gram += words[j] + " ";
    ++out[gram];
  }
  return out;
}

RougeScore rouge_n(const Words& target, const Words& prediction, size_t n) {
  const auto wanted = ngrams(target, n), found = ngrams(prediction, n);
  int64_t common = 0, n_wanted = 0, n_found = 0;
  for (const auto& [gram, count] : found) n_found += count;
  for (const auto& [gram, count] : wanted) {
    n_wanted += count;
    const auto same = found.find(gram);
    if (same != found.end()) common += std::min(count, same->second);
  }
  return score_of(common, n_wanted, n_found);
}

int64_t longest_common_subsequence(const Words& a, const Words& b) {
  std::vector<int64_t> row(b.size() + 1, 0);
  for (const std::string& word : a) {
    int64_t diagonal = 0;  // the row before, one column before
    for (size_t j = 1; j <= b.size(); ++j) {
      const int64_t above = row[j];
      row[j] = word == b[j - 1] ? diagonal + 1 : std::max(above, row[j - 1]);
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

RougeScores rouge(std::string_view target, std::string_view prediction) {
  const Words wanted = words_of(target), found = words_of(prediction);
  RougeScores out;
  out.rouge1 = rouge_n(wanted, found, 1);
  out.rouge2 = rouge_n(wanted, found, 2);
  if (!wanted.empty() && !found.empty())
    out.rouge_l = score_of(longest_common_subsequence(wanted, found), std::ssize(wanted), std::ssize(found));
  return out;
}

RougeScores best_rouge(const std::vector<std::string>& targets, std::string_view prediction) {
  RougeScores best;
  bool first = true;
  for (const std::string& target : targets) {
    const RougeScores each = rouge(target, prediction);
    for (const auto member : {&RougeScores::rouge1, &RougeScores::rouge2, &RougeScores::rouge_l})
      if (first || (each.*member).f > (best.*member).f) best.*member = each.*member;
    first = false;
  }
  return best;
}

}  // namespace smelt
