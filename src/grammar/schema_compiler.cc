// JSON Schema to a grammar. Every goal (schema_goal.h) becomes one rule; what is written for it is a part of the values
// that are valid, never more: keys in the order of the schema, no keys that it does not name, compact form.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/text.h"
#include "grammar/grammar.h"
#include "grammar/json_grammar.h"
#include "grammar/regex.h"
#include "grammar/schema_goal.h"
#include "grammar/schema_values.h"

namespace smelt {
namespace {

constexpr size_t kMaxGoals = 5'000;
constexpr size_t kMaxExprs = 100'000;
constexpr size_t kMaxNamed = 200;
constexpr int64_t kMaxPropertyRules = 20'000;
constexpr int kMaxDigits = 9;  // behind the point, of bounds

using Plain = std::vector<const JsonValue*>;

const JsonValue* find(const JsonValue& schema, std::string_view keyword) { return SchemaTree::find(schema, keyword); }

// A bound as a whole number of 10^-digits, rounded down or up; nothing if it is out of range.
std::optional<int64_t> scaled(const JsonValue& number, int digits, bool up) {
  const double factor = std::pow(10.0, digits);
  if (const int64_t* integer = number.integer()) {
    int64_t out = 0;
    if (__builtin_mul_overflow(*integer, static_cast<int64_t>(factor), &out) || std::abs(out) > 900'000'000'000'000'000)
      return std::nullopt;
    return out;
  }
  const double exact = *number.number() * factor;
  const double nearest = std::round(exact);
  if (!(std::abs(exact) < 9e15)) return std::nullopt;
  // The nearest decimal, where the number is one of so many digits: 0.1 is a tenth, though no double is.
  if (nearest / factor == *number.number()) return static_cast<int64_t>(nearest);
  return static_cast<int64_t>(up ? std::ceil(exact) : std::floor(exact));
}

int digits_of(const JsonValue& number) {
  if (number.integer() != nullptr) return 0;
  for (int digits = 0; digits <= kMaxDigits; ++digits) {
    const double factor = std::pow(10.0, digits);
    if (std::round(*number.number() * factor) / factor == *number.number()) return digits;
  }
  return kMaxDigits + 1;
}

class SchemaCompiler {
 public:
  explicit SchemaCompiler(const SchemaTree& tree) : tree_(tree), goals_(tree) {}

  Result<Grammar> compile() {
    SMELT_ASSIGN(out_.grammar.root, rule_of(make_goal({{&tree_.root(), GoalPart::Kind::whole}}), tree_.root()));
    while (!open_.empty()) {
      const Open next = open_.back();
      open_.pop_back();
      SMELT_ASSIGN(const ExprId body, goal(next.goal));
      out_.grammar.define(next.rule, body);
      if (grammar().n_exprs() > kMaxExprs) return input_error("the schema is too large for a grammar");
    }
    return std::move(out_.grammar);
  }

 private:
  struct Open {
    Goal goal;
    RuleId rule;
  };

  Grammar& grammar() { return out_.grammar; }

  Result<RuleId> rule_of(Goal wanted, const JsonValue& place) {
    const auto [known, is_new] = rules_.try_emplace(wanted, -1);
    if (!is_new) return known->second;
    if (rules_.size() > kMaxGoals)
      return tree_.error(place, "anyOf", fmt::format("combinations of schemas: more than {}", kMaxGoals));
    const JsonValue& named = wanted.empty() ? place : *wanted.front().schema;
    // Finding the place takes a walk through the document; beyond some, it is told in errors of this file only.
    const bool told = !wanted.empty() && rules_.size() <= kMaxNamed;
    known->second = grammar().add_rule(told ? tree_.pointer_of(named) : "a part of the schema");
    open_.push_back({std::move(wanted), known->second});
    return known->second;
  }
  Result<ExprId> call(Goal wanted, const JsonValue& place) {
    SMELT_ASSIGN(const RuleId rule, rule_of(std::move(wanted), place));
    return grammar().call(rule);
  }

  Result<ExprId> goal(const Goal& wanted) {
    SMELT_ASSIGN(const FlatGoal flat, goals_.flatten(wanted));
    if (flat.impossible) return grammar().nothing();
    if (!flat.choices.empty()) return choose(flat);
    SMELT_ASSIGN(const auto values, goals_.listed_values(flat.plain));
    if (values) return listed(flat.plain, *values);
    return by_type(flat.plain);
  }

  // The first anyOf or oneOf decided in each way, the others left to the goals that this makes.
  Result<ExprId> choose(const FlatGoal& flat) {
    const GoalPart group = flat.choices.front();
    const bool only_one = group.kind == GoalPart::Kind::one_of;
    std::vector<GoalPart> rest;
    for (const JsonValue* schema : flat.plain) rest.push_back({schema, GoalPart::Kind::plain});
    rest.insert(rest.end(), flat.choices.begin() + 1, flat.choices.end());
    std::vector<Goal> branches;
    for (const JsonValue& branch : *find(*group.schema, only_one ? "oneOf" : "anyOf")->array()) {
      std::vector<GoalPart> parts = rest;
      parts.push_back({&branch, GoalPart::Kind::whole});
      branches.push_back(make_goal(std::move(parts)));
    }
    if (only_one) SMELT_TRY(check_exclusive(*group.schema, branches));
    std::vector<ExprId> choices;
    for (Goal& branch : branches) {
      SMELT_ASSIGN(const ExprId one, call(std::move(branch), *group.schema));
      choices.push_back(one);
    }
    return grammar().choice(std::move(choices));
  }

  Status check_exclusive(const JsonValue& schema, const std::vector<Goal>& branches) {
    constexpr size_t kMaxBranches = 200;
    if (branches.size() > kMaxBranches)
      return tree_.error(schema, "oneOf", fmt::format("more than {} branches", kMaxBranches));
    for (size_t i = 0; i < branches.size(); ++i) {
      for (size_t j = 0; j < branches.size(); ++j) {
        if (i == j) continue;
        SMELT_ASSIGN(const bool excluded, goals_.excludes(branches[i], branches[j]));
        if (excluded) continue;
        return tree_.error(
            schema, "oneOf",
            fmt::format("a value of branch {} might be valid for branch {} too; tell them apart by type, by "
                        "a required property with const or enum, or use anyOf",
                        i, j));
      }
    }
    return {};
  }

  Result<ExprId> listed(const Plain& plain, const Plain& values) {
    std::vector<ExprId> choices;
    for (const JsonValue* value : values) {
      auto text = format_json_value(*value);
      if (!text) return tree_.error(*plain.front(), "enum", text.error().message);
      choices.push_back(grammar().text(*text));
    }
    return grammar().choice(std::move(choices));
  }

  Result<ExprId> by_type(const Plain& plain) {
    const uint8_t types = GoalReader::written_types(plain);
    std::vector<ExprId> choices;
    const auto add = [&](uint8_t bits, auto make) -> Status {
      if ((types & bits) == 0) return {};
      SMELT_ASSIGN(const ExprId expr, make());
      choices.push_back(expr);
      return {};
    };
    SMELT_TRY(add(kNull, [&]() -> Result<ExprId> { return grammar().text("null"); }));
    SMELT_TRY(add(kBoolean, [&]() -> Result<ExprId> {
      return grammar().choice({grammar().text("true"), grammar().text("false")});
    }));
    SMELT_TRY(add(kWhole | kFraction, [&] { return number(plain, (types & kFraction) != 0); }));
    SMELT_TRY(add(kString, [&] { return string(plain); }));
    SMELT_TRY(add(kArray, [&] { return array(plain); }));
    SMELT_TRY(add(kObject, [&] { return object(plain); }));
    return grammar().choice(std::move(choices));
  }

  // --- numbers ---

  static constexpr const char* kBounds[] = {"minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"};

  Result<ExprId> number(const Plain& plain, bool fractions) {
    SMELT_ASSIGN(const int64_t step, common_step(plain));
    if (step > 0) fractions = false;  // multiples of a whole number are whole
    int digits = 0;
    double greatest = 1;
    bool bounded = false;
    for (const JsonValue* schema : plain) {
      for (const char* keyword : kBounds) {
        const JsonValue* bound = find(*schema, keyword);
        if (bound == nullptr) continue;
        bounded = true;
        digits = std::max(digits, digits_of(*bound));
        greatest = std::max(greatest, std::abs(*bound->number()));
      }
    }
    if (!bounded && fractions) return add_any_number(grammar());
    // 15 digits in all, so that no number is read as its neighbour beyond an exclusive bound.
    const int room = 15 - static_cast<int>(std::ceil(std::log10(greatest)));
    if (fractions && digits > std::min(kMaxDigits, std::max(room, 0)))
      return tree_.error(*plain.front(), "minimum, maximum", "bounds of so many digits are not supported");
    if (fractions) digits = std::max(digits, std::clamp(room, 0, 6));
    SMELT_ASSIGN(const ScaledBounds bounds, bounds_of(plain, fractions ? digits : 0));
    if (fractions) return add_decimals(grammar(), bounds, digits);
    if (step <= 1) return add_integers(grammar(), bounds);
    return multiples(*plain.front(), bounds, step);
  }

  Result<int64_t> common_step(const Plain& plain) {
    int64_t step = 0;
    for (const JsonValue* schema : plain) {
      const JsonValue* each = find(*schema, "multipleOf");
      if (each == nullptr) continue;
      const double number = *each->number();
      if (number <= 0) return tree_.error(*schema, "multipleOf", "must be above 0");
      if (std::floor(number) != number || number > 1e6)
        return tree_.error(*schema, "multipleOf", "is supported for whole numbers up to 1000000 only");
      step = step == 0 ? static_cast<int64_t>(number) : std::lcm(step, static_cast<int64_t>(number));
      if (step > 1'000'000) return tree_.error(*schema, "multipleOf", "the common multiple is too large");
    }
    return step;
  }

  Result<ScaledBounds> bounds_of(const Plain& plain, int digits) {
    ScaledBounds out;
    for (const JsonValue* schema : plain) {
      for (const char* keyword : kBounds) {
        const JsonValue* bound = find(*schema, keyword);
        if (bound == nullptr) continue;
        const bool least = std::string_view(keyword).ends_with("inimum");
        const auto rounded = scaled(*bound, digits, least);
        if (!rounded) return tree_.error(*schema, keyword, "bounds of this size are not supported");
        int64_t value = *rounded;
        const bool met = static_cast<double>(value) / std::pow(10.0, digits) == *bound->number();
        if (std::string_view(keyword).starts_with("exclusive") && met) value += least ? 1 : -1;
        std::optional<int64_t>& target = least ? out.least : out.most;
        target = !target ? value : least ? std::max(*target, value) : std::min(*target, value);
      }
    }
    return out;
  }

  // Few are listed; of many, those numbers whose digits pass an automaton of remainders.
  Result<ExprId> multiples(const JsonValue& schema, const ScaledBounds& bounds, int64_t step) {
    constexpr int64_t kMaxListed = 1000;
    if (bounds.least && bounds.most && (*bounds.most - *bounds.least) / step < kMaxListed) {
      std::vector<ExprId> choices;
      int64_t value = *bounds.least / step * step;
      if (value < *bounds.least) value += step;
      for (; value <= *bounds.most; value += step) choices.push_back(grammar().text(std::to_string(value)));
      return grammar().choice(std::move(choices));
    }
    Grammar plain_numbers;
    const ExprId numbers = add_integers(plain_numbers, bounds);
    auto dfa = CodeDfa::from_expr(plain_numbers, numbers);
    if (dfa) dfa = CodeDfa::both(*dfa, CodeDfa::multiples_of(step));
    if (!dfa) return tree_.error(schema, "multipleOf", dfa.error().message);
    return dfa->add_to(grammar(), "multipleOf", [this](CodeSet set) { return grammar().chars(std::move(set)); });
  }

  // --- strings ---

  Result<ExprId> string(const Plain& plain) {
    const int64_t min = GoalReader::greatest_count(plain, "minLength");
    const int64_t max = GoalReader::least_count(plain, "maxLength");
    Grammar patterns;
    std::vector<ExprId> exprs;
    const JsonValue* place = nullptr;
    const char* keyword = "pattern";
    for (const JsonValue* schema : plain) {
      SMELT_ASSIGN(const bool any, add_patterns(*schema, patterns, exprs, keyword));
      if (any) place = schema;
    }
    const bool bounded = min > 0 || max >= 0;
    if (max >= 0 && max < min) return grammar().nothing();
    if (exprs.empty() && !bounded) return out_.any_string();
    if (exprs.empty()) return out_.quoted(grammar().repeat(out_.any_string_char(), min, max));
    if (exprs.size() == 1 && !bounded) return out_.quoted(out_.in_string(patterns, exprs.front()));
    auto dfa = CodeDfa::from_expr(patterns, exprs.front());
    for (size_t i = 1; dfa && i < exprs.size(); ++i) {
      auto next = CodeDfa::from_expr(patterns, exprs[i]);
      dfa = next ? CodeDfa::both(*dfa, *next) : std::move(next);
    }
    if (dfa && bounded) dfa = CodeDfa::both(*dfa, CodeDfa::of_length(min, max));
    if (!dfa) return tree_.error(*place, keyword, dfa.error().message);
    return out_.quoted(dfa->add_to(grammar(), keyword, [this](const CodeSet& set) { return out_.string_chars(set); }));
  }

  Result<bool> add_patterns(const JsonValue& schema, Grammar& patterns, std::vector<ExprId>& exprs,
                            const char*& keyword) {
    bool any = false;
    if (const JsonValue* pattern = find(schema, "pattern")) {
      auto expr = add_regex(patterns, *pattern->text(), RegexMatch::search);
      if (!expr) return tree_.error(schema, "pattern", expr.error().message);
      exprs.push_back(*expr);
      any = true;
    }
    if (const JsonValue* format = find(schema, "format")) {
      const char* pattern = format_pattern(*format->text());
      if (pattern == nullptr)
        return tree_.error(
            schema, "format",
            fmt::format("'{}' is not supported; known are {}", escape_for_display(*format->text()), format_names()));
      SMELT_ASSIGN(const ExprId expr, add_regex(patterns, pattern, RegexMatch::whole));
      exprs.push_back(expr);
      keyword = "format";
      any = true;
    }
    return any;
  }

  // --- arrays ---

  Result<ExprId> array(const Plain& plain) {
    const int64_t min = GoalReader::greatest_count(plain, "minItems");
    int64_t max = GoalReader::least_count(plain, "maxItems");
    for (const JsonValue* schema : plain) {
      const JsonValue* unique = find(*schema, "uniqueItems");
      if (unique == nullptr || !std::get<bool>(unique->value) || (max >= 0 && max <= 1)) continue;
      return tree_.error(*schema, "uniqueItems", "is not supported for arrays of more than one item");
    }
    if (max >= 0 && max < min) return grammar().nothing();
    const auto n_prefix = static_cast<int64_t>(GoalReader::n_prefix_items(plain));
    static const JsonValue kAny;
    const JsonValue& place = plain.empty() ? kAny : *plain.front();
    std::vector<ExprId> parts = {grammar().text("[")};
    SMELT_ASSIGN(const ExprId rest, further_items(plain, place, {n_prefix, min, max}));
    SMELT_ASSIGN(const ExprId items, prefix_items(plain, place, {n_prefix, min, max}, rest));
    parts.push_back(items);
    parts.push_back(grammar().text("]"));
    return grammar().sequence(std::move(parts));
  }

  struct ItemCounts {
    int64_t n_prefix, min, max;
  };

  // From behind: each of the first items with what may follow it.
  Result<ExprId> prefix_items(const Plain& plain, const JsonValue& place, ItemCounts counts, ExprId rest) {
    ExprId after = rest;
    for (int64_t i = counts.n_prefix - 1; i >= 0; --i) {
      if (counts.max >= 0 && i >= counts.max) {
        after = grammar().empty();
        continue;
      }
      SMELT_ASSIGN(ExprId item, call(GoalReader::item(plain, static_cast<size_t>(i)), place));
      if (i > 0) item = grammar().sequence({out_.comma(), item});
      ExprId with_rest = grammar().sequence({item, after});
      if (i >= counts.min) with_rest = grammar().repeat(with_rest, 0, 1);
      const RuleId rule = grammar().add_rule("prefixItems");  // keeps expressions shallow
      grammar().define(rule, with_rest);
      after = grammar().call(rule);
    }
    return after;
  }

  Result<ExprId> further_items(const Plain& plain, const JsonValue& place, ItemCounts counts) {
    const int64_t min = std::max<int64_t>(counts.min - counts.n_prefix, 0);
    const int64_t max = counts.max < 0 ? -1 : std::max<int64_t>(counts.max - counts.n_prefix, 0);
    if (max == 0) return grammar().empty();
    SMELT_ASSIGN(const ExprId item, call(GoalReader::item(plain, static_cast<size_t>(counts.n_prefix)), place));
    const ExprId next = grammar().sequence({out_.comma(), item});
    if (counts.n_prefix > 0) return grammar().repeat(next, min, max);
    const ExprId some =
        grammar().sequence({item, grammar().repeat(next, std::max<int64_t>(min - 1, 0), max < 0 ? -1 : max - 1)});
    return min > 0 ? some : grammar().repeat(some, 0, 1);
  }

  // --- objects ---

  struct Members {
    std::vector<ExprId> pairs;  // "key": value
    std::vector<bool> required;
    ExprId further = -1;  // of keys that are not named
    int64_t min, max;
  };

  Result<ExprId> object(const Plain& plain) {
    static const JsonValue kAny;
    const JsonValue& place = plain.empty() ? kAny : *plain.front();
    Members members{.pairs = {},
                    .required = {},
                    .min = GoalReader::greatest_count(plain, "minProperties"),
                    .max = GoalReader::least_count(plain, "maxProperties")};
    const std::vector<std::string> names = GoalReader::property_names(plain);
    for (const std::string& name : names) {
      SMELT_ASSIGN(const ExprId value, call(GoalReader::property(plain, name), place));
      members.pairs.push_back(grammar().sequence({grammar().text(quote_json(name)), out_.colon(), value}));
      members.required.push_back(GoalReader::is_required(plain, name));
    }
    if (auto further = GoalReader::further_properties(plain)) {
      SMELT_ASSIGN(const ExprId value, call(std::move(*further), place));
      ExprId key = out_.any_string();
      if (!names.empty())
        key = out_.quoted(CodeDfa::none_of(names).add_to(
            grammar(), "additionalProperties", [this](const CodeSet& set) { return out_.string_chars(set); }));
      members.further = grammar().sequence({key, out_.colon(), value});
    }
    SMELT_TRY(check_counts(place, members));
    return grammar().sequence({grammar().text("{"), member_rules(members), grammar().text("}")});
  }

  Status check_counts(const JsonValue& place, const Members& members) {
    const auto n = static_cast<int64_t>(members.pairs.size());
    // Further keys may be equal, and then count once.
    if (members.further >= 0 && members.min > n + 1)
      return tree_.error(place, "minProperties", "cannot be promised for keys that are not named in properties");
    const int64_t cap = std::max<int64_t>({1, members.min, members.max});
    if ((n + 1) * std::min(cap, n + 1) <= kMaxPropertyRules) return {};
    return tree_.error(place, "properties", "too many to count them");
  }

  // A rule for each place in the list of keys and number of keys written; each ends with the call of the next.
  ExprId member_rules(const Members& members) {
    const auto n = static_cast<int64_t>(members.pairs.size());
    const int64_t cap = std::min(n + 1, std::max<int64_t>({1, members.min, members.max}));  // more are all alike
    std::vector<ExprId> next;  // for the place behind, by number of keys
    for (int64_t count = 0; count <= cap; ++count) next.push_back(further_members(members, count, n));
    for (int64_t at = n - 1; at >= 0; --at) {
      std::vector<ExprId> here;
      for (int64_t count = 0; count <= std::min(at, cap); ++count) {
        const auto index = static_cast<size_t>(at);
        std::vector<ExprId> choices;
        if (members.max < 0 || count < members.max) {
          const ExprId pair = members.pairs[index];
          const ExprId after = next[static_cast<size_t>(std::min(count + 1, cap))];
          choices.push_back(count == 0 ? grammar().sequence({pair, after})
                                       : grammar().sequence({out_.comma(), pair, after}));
        }
        if (!members.required[index]) choices.push_back(next[static_cast<size_t>(count)]);
        const RuleId rule = grammar().add_rule("properties");
        grammar().define(rule, grammar().choice(std::move(choices)));
        here.push_back(grammar().call(rule));
      }
      next = std::move(here);
    }
    return next.front();
  }

  ExprId further_members(const Members& members, int64_t count, int64_t n_named) {
    const int64_t missing = members.min - count;
    if (members.further < 0 || (members.max >= 0 && count >= members.max))
      return missing > 0 ? grammar().nothing() : grammar().empty();
    if (missing > 1) return grammar().nothing();
    const int64_t min = std::max<int64_t>(missing, 0);
    // Where counts beyond the cap were thrown together, no maximum was given.
    const int64_t max = members.max < 0 ? -1 : members.max - std::min(count, n_named);
    const ExprId next = grammar().sequence({out_.comma(), members.further});
    if (count > 0) return grammar().repeat(next, min, max);
    const ExprId some = grammar().sequence({members.further, grammar().repeat(next, 0, max < 0 ? -1 : max - 1)});
    return min > 0 ? some : grammar().repeat(some, 0, 1);
  }

  const SchemaTree& tree_;
  GoalReader goals_;
  JsonGrammar out_;
  std::map<Goal, RuleId> rules_;
  std::vector<Open> open_;
};

}  // namespace

Result<Grammar> parse_json_schema(std::string_view json, const std::string& file_name) {
  SMELT_ASSIGN(const SchemaTree tree, SchemaTree::parse(json, file_name));
  return SchemaCompiler(tree).compile().with_context(escape_for_display(file_name, 4096));
}

}  // namespace smelt
