// Fuzz target of JSON schemas: any text gives a grammar or an error of one line; what the grammar writes is JSON, and
// valid where the checker of values can say so.
#include <cstdlib>

#include "grammar/fuzz_walk.h"
#include "grammar/grammar.h"
#include "grammar/schema_values.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto written = smelt::check_grammar(smelt::parse_json_schema(text, "s.json"));
  if (!written) return 0;
  const auto value = smelt::parse_json_tree(*written, "written");
  if (!value) {
    // Deeper than what the reader of JSON takes, or a key twice, which JSON allows; nothing else may be wrong.
    const std::string& error = value.error().message;
    if (error.find("nested deeper") == std::string::npos && error.find("was already given") == std::string::npos)
      std::abort();
    return 0;
  }
  const auto tree = smelt::SchemaTree::parse(text, "s.json");
  if (!tree) std::abort();
  const auto valid = smelt::is_valid(*tree, tree->root(), *value);
  if (valid && !*valid) std::abort();
  return 0;
}
