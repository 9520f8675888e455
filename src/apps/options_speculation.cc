// Speculative decoding from the command line.
#include "apps/options_speculation.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "apps/options.h"
#include "runtime/speculative_lookup.h"
#include "runtime/speculative_model.h"

namespace smelt {

void add_speculation_options(CLI::App& app, SpeculationArguments& arguments) {
  CLI::Option* draft = app.add_option("--draft", arguments.draft,
                                      "guess tokens by this smaller model of the same vocabulary and check several at "
                                      "once: the same text, sooner");
  draft->type_name("FILE");
  app.add_flag("--lookup", arguments.lookup,
               "guess tokens from repetitions in the text and check several at once: the same text, sooner where it "
               "repeats itself")
      ->excludes(draft);
  add_int(app, "--draft-max", arguments.max_draft, {1, kMaxDraft}, "tokens to guess at once, at most (default 8)");
}

void plan_speculation(const SpeculationArguments& arguments, SessionOptions& session) {
  session.max_draft = arguments.wanted() ? arguments.max_draft : 0;
}

Result<std::optional<Speculation>> make_speculation(const SpeculationArguments& arguments, const LoadedModel& model,
                                                    Session& session, const SessionOptions& options, Compute compute) {
  std::optional<Speculation> speculation;
  if (!arguments.wanted()) return speculation;
  std::unique_ptr<Drafter> drafter;
  if (arguments.lookup) {
    drafter = std::make_unique<LookupDrafter>(session.n_ctx());
  } else {
    SMELT_ASSIGN(LoadedModel draft, load_model(arguments.draft, compute));
    SMELT_ASSIGN(drafter, ModelDrafter::create(model, session, std::move(draft), options));
  }
  speculation.emplace(std::move(drafter), SpeculationOptions{.max_draft = arguments.max_draft});
  return speculation;
}

std::string format_speculation(const SpeculationFigures& figures) {
  const auto drafted = static_cast<double>(figures.drafted);
  const double share = figures.drafted > 0 ? 100 * static_cast<double>(figures.accepted) / drafted : 0;
  return fmt::format("guessed {} tokens, {:.0f} % right, {} passes", figures.drafted, share, figures.passes);
}

}  // namespace smelt
