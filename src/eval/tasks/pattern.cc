// PCRE2 behind a small face.
#include "eval/tasks/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>

#include "base/text.h"

namespace smelt {
namespace {

constexpr size_t kMaxPatternBytes = 4096;
constexpr uint32_t kMaxMatchSteps = 1'000'000, kMaxDepth = 10'000, kMaxHeapKib = 16 << 10;

}  // namespace

struct Pattern::Compiled {
  pcre2_code* code = nullptr;
  pcre2_match_context* limits = nullptr;
  uint32_t n_groups = 0;
  Compiled() = default;
  Compiled(const Compiled&) = delete;
  Compiled& operator=(const Compiled&) = delete;
  ~Compiled() {
    pcre2_code_free(code);
    pcre2_match_context_free(limits);
  }
};

Result<Pattern> Pattern::compile(const std::string& pattern) {
  if (pattern.size() > kMaxPatternBytes)
    return input_error(fmt::format("a regular expression of more than {} bytes", kMaxPatternBytes));
  const auto compiled = std::make_shared<Compiled>();
  int number = 0;
  PCRE2_SIZE at = 0;
  const uint32_t options =
      PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOTALL | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  compiled->code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &number, &at, nullptr);
  if (compiled->code == nullptr) {
    std::array<PCRE2_UCHAR, 256> text{};
    pcre2_get_error_message(number, text.data(), text.size());
    return input_error(
        fmt::format("not a regular expression: {} at position {}", reinterpret_cast<const char*>(text.data()), at));
  }
  pcre2_pattern_info(compiled->code, PCRE2_INFO_CAPTURECOUNT, &compiled->n_groups);
  compiled->limits = pcre2_match_context_create(nullptr);
  if (compiled->limits == nullptr) return input_error("out of memory");
  pcre2_set_match_limit(compiled->limits, kMaxMatchSteps);
  pcre2_set_depth_limit(compiled->limits, kMaxDepth);
  pcre2_set_heap_limit(compiled->limits, kMaxHeapKib);
  return Pattern(compiled);
}

std::optional<std::string> Pattern::find(std::string_view text, Which which) const {
  struct FreeData {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  const std::unique_ptr<pcre2_match_data, FreeData> data(
      pcre2_match_data_create_from_pattern(compiled_->code, nullptr));
  std::optional<std::string> out;
  for (size_t begin = 0; data != nullptr && begin <= text.size();) {
    const int n = pcre2_match(compiled_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), begin, 0,
                              data.get(), compiled_->limits);
    if (n < 0) break;
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data.get());
    const size_t group = compiled_->n_groups > 0 ? 1 : 0;
    if (ends[2 * group] != PCRE2_UNSET && ends[2 * group] <= ends[2 * group + 1])
      out = std::string(text.substr(ends[2 * group], ends[2 * group + 1] - ends[2 * group]));
    if (which == Which::first && out) break;
    begin = std::max(ends[1], begin + 1);
  }
  return out;
}

}  // namespace smelt
