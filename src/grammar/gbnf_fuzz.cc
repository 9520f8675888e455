// Fuzz target of grammar files and regular expressions: any text gives a grammar or an error of one line, and a walk
// through what was compiled ends where it says it does. The first byte chooses which of the two is parsed.
#include <cstdlib>
#include <memory>

#include "grammar/automaton.h"
#include "grammar/fuzz_walk.h"
#include "grammar/grammar.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  smelt::check_grammar(data[0] % 2 == 0 ? smelt::parse_gbnf(text, "g.gbnf") : smelt::parse_regex_grammar(text));
  return 0;
}
