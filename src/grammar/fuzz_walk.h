// For the fuzz targets of this folder: a grammar, if there is one, is compiled and walked through.
#pragma once

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "base/text.h"
#include "grammar/automaton.h"
#include "grammar/grammar.h"
#include "grammar/nfa.h"

namespace smelt {

// Bytes drawn by a fixed rule while they are few, then the nearest way to the end; the text, which must be complete and
// UTF-8, or nothing where it is too long to follow.
inline std::optional<std::string> write_text(Automaton& automaton, uint32_t seed) {
  constexpr size_t kDrawn = 60, kMost = 2000;
  std::string text;
  Automaton::StateId state = automaton.start();
  while (automaton.distance(state) > 0 || (text.size() < kDrawn && automaton.has_steps(state))) {
    if (text.size() > kMost) return std::nullopt;
    Automaton::StateId next = Automaton::kDead;
    uint8_t taken = 0;
    seed = seed * 1664525 + 1013904223;
    for (unsigned i = 0; i < 256; ++i) {
      const auto byte = static_cast<uint8_t>(i + (seed >> 24));
      const Automaton::StateId to = automaton.step(state, byte);
      if (to == Automaton::kDead) continue;
      const bool nearer = automaton.distance(to) < automaton.distance(state);
      if (!nearer && text.size() >= kDrawn) continue;
      next = to;
      taken = byte;
      break;
    }
    if (automaton.overflown()) return std::nullopt;
    if (next == Automaton::kDead) std::abort();  // every state leads on to the end
    text += static_cast<char>(taken);
    state = next;
  }
  if (!automaton.reaches_bottom(state) || !is_valid_utf8(text)) std::abort();
  return text;
}

inline std::optional<std::string> check_grammar(const Result<Grammar>& grammar) {
  if (!grammar)
    return grammar.error().message.find('\n') == std::string::npos ? std::nullopt : (std::abort(), std::nullopt);
  auto nfa = Nfa::compile(*grammar);
  if (!nfa) return nfa.error().message.find('\n') == std::string::npos ? std::nullopt : (std::abort(), std::nullopt);
  const auto shared = std::make_shared<const Nfa>(std::move(*nfa));
  std::optional<std::string> last;
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    Automaton automaton(shared);
    auto text = write_text(automaton, seed);
    if (text) last = std::move(text);
  }
  return last;
}

}  // namespace smelt
