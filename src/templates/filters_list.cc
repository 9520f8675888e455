// Filters over lists and dictionaries.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "templates/filters.h"

namespace smelt::jinja {
namespace {

// What values are sorted and told apart by: strings without their case unless case_sensitive.
Result<Value> sort_key(Runtime& runtime, const Value& value, bool case_sensitive) {
  if (case_sensitive || value.find_text() == nullptr) return value;
  return runtime.filter("lower", value, {});
}

struct Keyed {
  Value key, value;
};

// Stable. Values that cannot be compared are an error.
Status sort_keyed(Runtime& runtime, std::vector<Keyed>& items, bool reverse) {
  Status failed;
  std::stable_sort(items.begin(), items.end(), [&](const Keyed& a, const Keyed& b) {
    if (!failed) return false;
    const auto order = reverse ? runtime.compare(b.key, a.key, "<") : runtime.compare(a.key, b.key, "<");
    if (!order) failed = order.error();
    return order && *order < 0;
  });
  return failed;
}

Result<std::vector<Keyed>> keyed_items(Runtime& runtime, const Value& input, const Value& path, bool case_sensitive) {
  SMELT_ASSIGN(const auto items, runtime.iterate(input));
  std::vector<Keyed> out;
  for (const Value& item : items) {
    SMELT_ASSIGN(Value key,
                 path.is_undefined() || path.is_none() ? Result<Value>(item) : runtime.follow_path(item, path));
    SMELT_ASSIGN(key, sort_key(runtime, key, case_sensitive));
    out.push_back({std::move(key), item});
  }
  return out;
}

Result<Value> values_of(Runtime& runtime, std::vector<Keyed> items, ListShape shape) {
  std::vector<Value> out;
  for (Keyed& each : items) out.push_back(std::move(each.value));
  return runtime.list(std::move(out), shape);
}

// The arguments behind the first n.
Arguments rest_of(const Arguments& arguments, size_t n) {
  Arguments out;
  for (size_t i = n; i < arguments.positional.size(); ++i) out.positional.push_back(arguments.positional[i]);
  out.named = arguments.named;
  return out;
}

// select and reject, with or without an attribute: the test's name, if given, is the argument behind the attribute.
Result<Value> choose(Runtime& runtime, const Value& input, const Arguments& arguments, bool attribute, bool wanted) {
  const size_t n_own = attribute ? 1 : 0;
  if (arguments.positional.size() < n_own) return input_error("argument 'attribute' is missing");
  std::string name;
  if (arguments.positional.size() > n_own) {
    SMELT_ASSIGN(const Text* text, to_string_argument(arguments.positional[n_own], "the test's name"));
    name = text->bytes();
  }
  const Arguments rest = rest_of(arguments, n_own + 1);
  SMELT_ASSIGN(const auto items, runtime.iterate(input));
  std::vector<Value> out;
  for (const Value& item : items) {
    SMELT_ASSIGN(const Value value,
                 attribute ? runtime.follow_path(item, arguments.positional[0]) : Result<Value>(item));
    SMELT_ASSIGN(const bool passes, name.empty() ? Result<bool>(value.is_true()) : runtime.test(name, value, rest));
    if (passes == wanted) out.push_back(item);
  }
  return runtime.list(std::move(out), ListShape::generator);
}

Result<Value> extreme(Runtime& runtime, const Value& input, const Arguments& arguments, bool largest) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"case_sensitive", "attribute"}));
  SMELT_ASSIGN(auto items, keyed_items(runtime, input, given[1], given[0].is_true()));
  const Keyed* best = nullptr;
  for (const Keyed& item : items) {
    if (best == nullptr) {
      best = &item;
      continue;
    }
    SMELT_ASSIGN(const int order, runtime.compare(item.key, best->key, "<"));
    if (largest ? order > 0 : order < 0) best = &item;
  }
  return best == nullptr ? Value() : best->value;
}

}  // namespace

Result<Value> filter_select(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return choose(runtime, input, arguments, false, true);
}
Result<Value> filter_reject(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return choose(runtime, input, arguments, false, false);
}
Result<Value> filter_selectattr(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return choose(runtime, input, arguments, true, true);
}
Result<Value> filter_rejectattr(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return choose(runtime, input, arguments, true, false);
}
Result<Value> filter_max(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return extreme(runtime, input, arguments, true);
}
Result<Value> filter_min(Runtime& runtime, const Value& input, const Arguments& arguments) {
  return extreme(runtime, input, arguments, false);
}

Result<Value> filter_list(Runtime& runtime, const Value& input, const Arguments&) {
  SMELT_ASSIGN(auto items, runtime.iterate(input));
  return runtime.list(std::move(items));
}

Result<Value> filter_first(Runtime& runtime, const Value& input, const Arguments&) {
  SMELT_ASSIGN(const auto items, runtime.iterate(input));
  return items.empty() ? Value() : items.front();
}

Result<Value> filter_last(Runtime& runtime, const Value& input, const Arguments&) {
  SMELT_ASSIGN(const auto items, runtime.iterate(input));
  return items.empty() ? Value() : items.back();
}

// map("filter", arguments…) or map(attribute="path", default=value).
Result<Value> filter_map(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto items, runtime.iterate(input));
  std::vector<Value> out;
  if (arguments.positional.empty()) {
    SMELT_ASSIGN(const auto given, bind({{}, arguments.named}, {"attribute", "default"}, 0));
    if (given[0].is_undefined()) return input_error("a filter's name or attribute= is missing");
    for (const Value& item : items) {
      SMELT_ASSIGN(Value value, runtime.follow_path(item, given[0]));
      out.push_back(value.is_undefined() ? given[1] : std::move(value));
    }
  } else {
    SMELT_ASSIGN(const Text* name, to_string_argument(arguments.positional[0], "the filter's name"));
    const Level level(runtime.budget());
    SMELT_TRY(level.entered());
    const Arguments rest = rest_of(arguments, 1);
    for (const Value& item : items) {
      SMELT_ASSIGN(Value value, runtime.filter(name->bytes(), item, rest));
      out.push_back(std::move(value));
    }
  }
  return runtime.list(std::move(out), ListShape::generator);
}

Result<Value> filter_join(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"d", "attribute"}));
  SMELT_ASSIGN(const auto items, runtime.iterate(input));
  TextBuilder out(runtime.budget());
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) SMELT_TRY(runtime.print(given[0], out));
    const bool path = !given[1].is_undefined() && !given[1].is_none();
    SMELT_ASSIGN(const Value value, path ? runtime.follow_path(items[i], given[1]) : Result<Value>(items[i]));
    SMELT_TRY(runtime.print(value, out));
  }
  return out.finish();
}

Result<Value> filter_reverse(Runtime& runtime, const Value& input, const Arguments&) {
  if (input.find_text() != nullptr) {
    const Value back = Value::integer(-1);
    return runtime.slice(input, nullptr, nullptr, &back);
  }
  SMELT_ASSIGN(auto items, runtime.iterate(input));
  std::reverse(items.begin(), items.end());
  return runtime.list(std::move(items), ListShape::generator);
}

Result<Value> filter_sort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"reverse", "case_sensitive", "attribute"}));
  SMELT_ASSIGN(auto items, keyed_items(runtime, input, given[2], given[1].is_true()));
  SMELT_TRY(sort_keyed(runtime, items, given[0].is_true()));
  return values_of(runtime, std::move(items), ListShape::list);
}

Result<Value> filter_unique(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"case_sensitive", "attribute"}));
  SMELT_ASSIGN(auto items, keyed_items(runtime, input, given[1], given[0].is_true()));
  std::vector<Keyed> kept;
  for (Keyed& item : items) {
    bool seen = false;
    for (size_t i = 0; i < kept.size() && !seen; ++i) {
      SMELT_ASSIGN(seen, runtime.equal(kept[i].key, item.key));
    }
    if (!seen) kept.push_back(std::move(item));
  }
  return values_of(runtime, std::move(kept), ListShape::generator);
}

Result<Value> filter_dictsort(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"case_sensitive", "by", "reverse"}));
  const DictNode* dict = input.find_dict();
  if (dict == nullptr) return type_error("a dictionary is wanted", input);
  const Text* by = given[1].find_text();
  const bool by_value = by != nullptr && by->bytes() == "value";
  std::vector<Keyed> items;
  for (const auto& [key, value] : dict->entries) {
    SMELT_ASSIGN(Value order, sort_key(runtime, by_value ? value : key, given[0].is_true()));
    SMELT_ASSIGN(Value pair, runtime.list({key, value}, ListShape::tuple));
    items.push_back({std::move(order), std::move(pair)});
  }
  SMELT_TRY(sort_keyed(runtime, items, given[2].is_true()));
  return values_of(runtime, std::move(items), ListShape::list);
}

Result<Value> filter_sum(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"attribute", "start"}));
  SMELT_ASSIGN(const auto items, runtime.iterate(input));
  Value total = given[1].is_undefined() ? Value::integer(0) : given[1];
  for (const Value& item : items) {
    const bool path = !given[0].is_undefined() && !given[0].is_none();
    SMELT_ASSIGN(const Value value, path ? runtime.follow_path(item, given[0]) : Result<Value>(item));
    SMELT_ASSIGN(total, runtime.binary("+", total, value));
  }
  return total;
}

Result<Value> filter_batch(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"linecount", "fill_with"}, 1));
  SMELT_ASSIGN(const int64_t size, to_integer(given[0], "linecount"));
  if (size <= 0) return input_error("linecount must be above 0");
  SMELT_ASSIGN(const auto items, runtime.iterate(input));
  std::vector<Value> out;
  for (size_t begin = 0; begin < items.size(); begin += static_cast<size_t>(size)) {
    const size_t end = std::min(items.size(), begin + static_cast<size_t>(size));
    std::vector<Value> line(items.begin() + static_cast<ptrdiff_t>(begin), items.begin() + static_cast<ptrdiff_t>(end));
    const bool fills = !given[1].is_undefined() && !given[1].is_none();
    SMELT_TRY(runtime.budget().hold(fills ? static_cast<uint64_t>(size) * sizeof(Value) : 0));
    if (fills) line.resize(static_cast<size_t>(size), given[1]);
    SMELT_ASSIGN(Value made, runtime.list(std::move(line)));
    out.push_back(std::move(made));
  }
  return runtime.list(std::move(out), ListShape::generator);
}

Result<Value> filter_groupby(Runtime& runtime, const Value& input, const Arguments& arguments) {
  SMELT_ASSIGN(const auto given, bind(arguments, {"attribute", "default", "case_sensitive"}, 1));
  SMELT_ASSIGN(auto items, keyed_items(runtime, input, given[0], given[2].is_true()));
  SMELT_TRY(sort_keyed(runtime, items, false));
  std::vector<Value> out;
  for (size_t begin = 0; begin < items.size();) {
    std::vector<Value> group;
    size_t end = begin;
    bool same = true;
    while (end < items.size() && same) {
      group.push_back(items[end++].value);
      if (end < items.size()) {
        SMELT_ASSIGN(same, runtime.equal(items[begin].key, items[end].key));
      }
    }
    SMELT_ASSIGN(const Value grouper, runtime.follow_path(items[begin].value, given[0]));
    SMELT_ASSIGN(const Value members, runtime.list(std::move(group)));
    SMELT_ASSIGN(Value pair, runtime.list({grouper, members}, ListShape::tuple));
    out.push_back(std::move(pair));
    begin = end;
  }
  return runtime.list(std::move(out));
}

}  // namespace smelt::jinja
