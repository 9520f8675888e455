// The methods' common form. Called through Runtime::method.
#pragma once

#include <span>

#include "templates/runtime.h"

namespace smelt::jinja {

using Method = Result<Value> (*)(Runtime& runtime, const Value& receiver, const Arguments& arguments);
struct MethodEntry {
  const char* name;
  Method call;
};

std::span<const MethodEntry> text_methods();

Result<Value> method_get(Runtime& runtime, const Value& receiver, const Arguments& arguments);
Result<Value> method_items(Runtime& runtime, const Value& receiver, const Arguments& arguments);
Result<Value> method_keys(Runtime& runtime, const Value& receiver, const Arguments& arguments);
Result<Value> method_values(Runtime& runtime, const Value& receiver, const Arguments& arguments);
Result<Value> method_copy(Runtime& runtime, const Value& receiver, const Arguments& arguments);
Result<Value> method_list_index(Runtime& runtime, const Value& receiver, const Arguments& arguments);
Result<Value> method_list_count(Runtime& runtime, const Value& receiver, const Arguments& arguments);

}  // namespace smelt::jinja
