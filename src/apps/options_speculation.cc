// Speculative decoding from the command line.
#include "apps/options_speculation.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "apps/options.h"
#include "runtime/speculative_lookup.h"

namespace smelt {

void add_speculation_options(CLI::App& app, SpeculationArguments& arguments) {
  app.add_flag("--lookup", arguments.lookup,
               "guess tokens from repetitions in the text and check several at once: the same text, sooner where it "
               "repeats itself");
  add_int(app, "--draft-max", arguments.max_draft, {1, kMaxDraft}, "tokens to guess at once, at most (default 8)");
}

void plan_speculation(const SpeculationArguments& arguments, SessionOptions& session) {
  session.max_draft = arguments.wanted() ? arguments.max_draft : 0;
}

Result<std::optional<Speculation>> make_speculation(const SpeculationArguments& arguments, const Session& session) {
  std::optional<Speculation> speculation;
  if (arguments.lookup) speculation.emplace(std::make_unique<LookupDrafter>(session.n_ctx()), arguments.max_draft);
  return speculation;
}

std::string format_speculation(const SpeculationFigures& figures) {
  const auto drafted = static_cast<double>(figures.drafted);
  const double share = figures.drafted > 0 ? 100 * static_cast<double>(figures.accepted) / drafted : 0;
  return fmt::format("guessed {} tokens, {:.0f} % right, {} passes", figures.drafted, share, figures.passes);
}

}  // namespace smelt
