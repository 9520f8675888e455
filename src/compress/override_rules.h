// The --override list of quantize: regular expressions on tensor names (PCRE2, found anywhere in the name) with the
// type that matching tensors get. Called by quantize_plan.cc and, for its syntax, by the command line.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tensor/dtype.h"

namespace smelt {

// "regex=type": the last '=' separates. The regex itself is compiled later, by OverrideRules.
Result<std::pair<std::string, DType>> parse_override(std::string_view text);

class OverrideRules {
 public:
  // A regex that does not compile, or a type that cannot hold weights, is a usage error that names it.
  static Result<OverrideRules> compile(const std::vector<std::pair<std::string, DType>>& overrides);

  // The type of the first rule that matches. Matching is bounded: a regex that backtracks without end is a usage error.
  Result<std::optional<DType>> find(const std::string& tensor_name);
  // A usage error naming the first rule that no name has matched so far.
  Status check_all_used(const std::vector<std::string>& tensor_names) const;

  OverrideRules(OverrideRules&&) noexcept;
  ~OverrideRules();

 private:
  struct Rule;
  OverrideRules();
  std::vector<std::unique_ptr<Rule>> rules_;
};

}  // namespace smelt
