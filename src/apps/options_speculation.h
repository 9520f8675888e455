// Options of `smelt run` and `smelt chat` about speculative decoding, and its figures.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "runtime/generate.h"

namespace CLI {
class App;
}  // namespace CLI

namespace smelt {

struct SpeculationArguments {
  std::string draft;  // a model's file or folder
  bool lookup = false;
  int64_t max_draft = 8;

  bool wanted() const { return lookup || !draft.empty(); }
};

void add_speculation_options(CLI::App& app, SpeculationArguments& arguments);
// Makes room for guesses in the session to come.
void plan_speculation(const SpeculationArguments& arguments, SessionOptions& session);
// Nothing if it is not wanted. A draft model is loaded as the model was.
Result<std::optional<Speculation>> make_speculation(const SpeculationArguments& arguments, const LoadedModel& model,
                                                    Session& session, const SessionOptions& options, Compute compute);

// "guessed 120 tokens, 78 % right, 60 passes"
std::string format_speculation(const SpeculationFigures& figures);

}  // namespace smelt
