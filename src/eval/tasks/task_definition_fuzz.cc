// Definitions and data from strangers: any bytes are read, or refused with a message that names the file. The text up
// to a NUL is a definition, what is behind it data in each form.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "eval/tasks/definition.h"
#include "eval/tasks/items.h"

namespace {

void check(bool ok) {
  if (!ok) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = text.find('\0');
  const auto definition = smelt::parse_task_definition(text.substr(0, end), "x.toml");
  if (!definition) check(definition.error().message.starts_with("x.toml"));
  if (end == std::string_view::npos) return 0;
  smelt::DataSpec spec;
  if (definition) spec = definition->data;
  for (const auto format : {smelt::DataFormat::jsonl, smelt::DataFormat::csv, smelt::DataFormat::conll}) {
    spec.format = format;
    const auto items = smelt::parse_items(text.substr(end + 1), spec, "d");
    if (!items) check(items.error().message.starts_with("d"));
  }
  return 0;
}
