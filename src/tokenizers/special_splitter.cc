#include "tokenizers/special_splitter.h"

#include <utility>

namespace smelt {

std::vector<TextFragment> SpecialSplitter::split(std::string_view text) const {
  std::vector<std::pair<size_t, const TextAutomaton::Node*>> found;  // where a text begins and its end; right to left
  int32_t state = TextAutomaton::kStart;
  for (size_t i = automaton_.is_empty() ? 0 : text.size(); i-- > 0;) {
    state = automaton_.advance(state, static_cast<uint8_t>(text[i]));
    if (const TextAutomaton::Node* node = automaton_.longest(state)) found.emplace_back(i, node);
  }
  std::vector<TextFragment> fragments;
  size_t done = 0;
  for (auto it = found.rbegin(); it != found.rend(); ++it) {
    const auto [begin, node] = *it;
    if (begin < done) continue;
    if (begin > done) fragments.push_back({text.substr(done, begin - done)});
    fragments.push_back({text.substr(begin, node->size), node->id});
    done = begin + node->size;
  }
  if (done < text.size()) fragments.push_back({text.substr(done)});
  return fragments;
}

}  // namespace smelt
