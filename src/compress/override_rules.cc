// PCRE2 behind a small face: compile with a length limit, match with limits on steps, depth and heap.
#include "compress/override_rules.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <array>

#include "base/text.h"

namespace smelt {
namespace {

constexpr size_t kMaxPatternBytes = 4096;
constexpr uint32_t kMaxMatchSteps = 100'000;
constexpr uint32_t kMaxDepth = 1'000;
constexpr uint32_t kMaxHeapKib = 1'024;

struct FreeCode {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
};
struct FreeData {
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
};
struct FreeContext {
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
};

std::string pcre2_message(int code) {
  std::array<PCRE2_UCHAR, 256> text{};
  pcre2_get_error_message(code, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

bool holds_weights(DType type) { return type != DType::q8_k && type != DType::i8; }

Error override_error(const std::string& pattern, const std::string& what) {
  return usage_error(fmt::format("override '{}': {}", escape_for_display(pattern), what));
}

}  // namespace

struct OverrideRules::Rule {
  std::string pattern;
  DType type = DType::f32;
  bool used = false;
  std::unique_ptr<pcre2_code, FreeCode> code;
  std::unique_ptr<pcre2_match_data, FreeData> data;
  std::unique_ptr<pcre2_match_context, FreeContext> limits;

  Status compile();
  Result<bool> matches(const std::string& name) const;
};

Status OverrideRules::Rule::compile() {
  if (pattern.empty()) return override_error(pattern, "the regular expression is empty; '.' matches every tensor");
  if (pattern.size() > kMaxPatternBytes)
    return override_error(pattern, fmt::format("longer than {} bytes", kMaxPatternBytes));
  if (!holds_weights(type))
    return override_error(pattern, fmt::format("{} is not a type for stored weights", dtype_name(type)));
  int code_number = 0;
  PCRE2_SIZE at = 0;
  code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_NEVER_BACKSLASH_C,
                           &code_number, &at, nullptr));
  if (code == nullptr)
    return override_error(pattern,
                          fmt::format("not a regular expression: {} at position {}", pcre2_message(code_number), at));
  data.reset(pcre2_match_data_create(1, nullptr));
  limits.reset(pcre2_match_context_create(nullptr));
  if (data == nullptr || limits == nullptr) return input_error("out of memory");
  pcre2_set_match_limit(limits.get(), kMaxMatchSteps);
  pcre2_set_depth_limit(limits.get(), kMaxDepth);
  pcre2_set_heap_limit(limits.get(), kMaxHeapKib);
  return {};
}

Result<bool> OverrideRules::Rule::matches(const std::string& name) const {
  const int found =
      pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(name.data()), name.size(), 0, 0, data.get(), limits.get());
  if (found >= 0) return true;
  if (found == PCRE2_ERROR_NOMATCH) return false;
  return override_error(pattern, fmt::format("gave up matching '{}' ({}); write it without nested repetition",
                                             escape_for_display(name), pcre2_message(found)));
}

OverrideRules::OverrideRules() = default;
OverrideRules::OverrideRules(OverrideRules&&) noexcept = default;
OverrideRules::~OverrideRules() = default;

Result<OverrideRules> OverrideRules::compile(const std::vector<std::pair<std::string, DType>>& overrides) {
  OverrideRules out;
  for (const auto& [pattern, type] : overrides) {
    auto rule = std::make_unique<Rule>();
    rule->pattern = pattern;
    rule->type = type;
    SMELT_TRY(rule->compile());
    out.rules_.push_back(std::move(rule));
  }
  return out;
}

Result<std::optional<DType>> OverrideRules::find(const std::string& tensor_name) {
  std::optional<DType> first;
  for (const auto& rule : rules_) {
    SMELT_ASSIGN(const bool matched, rule->matches(tensor_name));
    if (!matched) continue;
    rule->used = true;
    if (!first) first = rule->type;
  }
  return first;
}

Status OverrideRules::check_all_used(const std::vector<std::string>& tensor_names) const {
  for (const auto& rule : rules_) {
    if (rule->used) continue;
    const std::string example = tensor_names.empty() ? "blk.0.attn_q.weight" : tensor_names[tensor_names.size() / 2];
    return override_error(rule->pattern, fmt::format("matches no matrix of this model; names look like '{}' (norms and "
                                                     "other vectors always stay F32); see smelt inspect --tensors",
                                                     escape_for_display(example)));
  }
  return {};
}

Result<std::pair<std::string, DType>> parse_override(std::string_view text) {
  const size_t equals = text.rfind('=');
  if (equals == std::string_view::npos || equals == 0)
    return usage_error(
        fmt::format("override '{}': write it as regex=type, for example 'attn_v=Q6_K'", escape_for_display(text)));
  const std::string_view type_name = text.substr(equals + 1);
  const auto type = find_dtype(type_name);
  if (!type) {
    std::string known;
    for (const DTypeInfo& info : all_dtypes()) {
      if (holds_weights(info.dtype)) known += std::string(known.empty() ? "" : ", ") + info.name;
    }
    return usage_error(fmt::format("override '{}': unknown type '{}'; one of {}", escape_for_display(text),
                                   escape_for_display(type_name), known));
  }
  return std::pair(std::string(text.substr(0, equals)), *type);
}

}  // namespace smelt
