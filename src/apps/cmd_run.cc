// smelt run: a prompt, continued. The work is runtime/generate.cc; here are the prompt's sources, the prompt cache, and
// the figures.
#include <fmt/format.h>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/options_constraint.h"
#include "apps/options_sampling.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "apps/terminal.h"
#include "base/text.h"
#include "base/units.h"

namespace smelt {
namespace {

struct RunArguments {
  std::string model;
  TextSource source;
  GenerationArguments generation;
  ConstraintArguments constraint;
  std::string prompt_cache;
  bool json = false, no_echo = false, parse_special = false, ignore_end = false;
};

double per_second(int64_t count, double seconds) { return seconds > 0 ? static_cast<double>(count) / seconds : 0; }

const char* explain(FinishReason reason) {
  switch (reason) {
    case FinishReason::end_token:
      return "ended by the model";
    case FinishReason::stop_string:
      return "ended by a stop text";
    case FinishReason::length:
      return "ended by -n";
    case FinishReason::context_full:
      return "ended because the context is full; -c makes it longer";
    case FinishReason::complete:
      return "complete as the constraint wants";
    case FinishReason::cancelled:
      break;  // told by command_line.cc
  }
  return "";
}

std::string figures(const GenerateResult& result, const GenerationArguments& generation) {
  const auto written = static_cast<int64_t>(result.ids.size());
  std::string line = fmt::format("prompt {} tokens, {:.0f} tokens/s; text {} tokens, {:.0f} tokens/s; seed {}",
                                 result.n_prompt, per_second(result.n_prompt, result.prefill_seconds), written,
                                 per_second(written, result.decode_seconds), generation.generate.sampling.seed);
  if (generation.speculation.wanted()) line += "; " + format_speculation(result.speculation);
  const std::string end = explain(result.reason);
  return end.empty() ? line : line + "; " + end;
}

nlohmann::ordered_json speculation_json(const SpeculationFigures& figures) {
  return {{"passes", figures.passes},
          {"drafted", figures.drafted},
          {"accepted", figures.accepted},
          {"draft_length", figures.length}};
}

std::string format_json(const std::string& prompt, int64_t n_prompt, const GenerateResult& result,
                        const RunArguments& arguments) {
  const auto written = static_cast<int64_t>(result.ids.size());
  nlohmann::ordered_json out = {{"prompt", prompt},
                                {"text", result.text},
                                {"ids", result.ids},
                                {"finish_reason", finish_reason_name(result.reason)},
                                {"seed", arguments.generation.generate.sampling.seed},
                                {"prompt_tokens", n_prompt},
                                {"prompt_tokens_computed", result.n_prompt},
                                {"prompt_seconds", result.prefill_seconds},
                                {"prompt_tokens_per_second", per_second(result.n_prompt, result.prefill_seconds)},
                                {"text_tokens", written},
                                {"text_seconds", result.decode_seconds},
                                {"text_tokens_per_second", per_second(written, result.decode_seconds)},
                                {"peak_memory_bytes", peak_rss_bytes()}};
  if (arguments.generation.speculation.wanted()) out["speculation"] = speculation_json(result.speculation);
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// An existing cache is read, and what it shares with the prompt is not computed again. Where none can be written is
// told before the work.
Status load_prompt_cache(Session& session, const std::string& path) {
  if (path.empty()) return {};
  std::error_code code;
  if (std::filesystem::exists(path, code)) return session.load_cache(path);
  if (code) return input_error(fmt::format("{}: {}", escape_for_display(path), code.message()));
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const std::string folder = parent.empty() ? "." : parent;
  if (::access(folder.c_str(), W_OK) == 0) return {};
  return input_error(fmt::format("{}: the prompt cache cannot be written: folder '{}': {}",
                                 escape_for_display(path, 4096), escape_for_display(folder, 4096),
                                 std::strerror(errno)));
}

Result<std::vector<TokenId>> encode_prompt(const Tokenizer& tokenizer, const std::string& prompt, bool parse_special) {
  std::vector<TokenId> ids = tokenizer.encode(prompt, {.add_special = true, .parse_special = parse_special});
  // An end token after the prompt would end the text before it begins.
  while (!ids.empty() && tokenizer.vocab().add_eos && tokenizer.is_end(ids.back())) ids.pop_back();
  if (ids.empty()) return input_error("the prompt is empty, and the vocabulary has no begin token to start from");
  return ids;
}

Status show_end(const GenerateResult& result, const std::string& prompt, const RunArguments& arguments) {
  const std::string& last = result.text.empty() && !arguments.no_echo ? prompt : result.text;
  if (!last.ends_with('\n')) SMELT_TRY(print("\n"));
  SMELT_TRY(flush_output());
  note(in_grey("smelt: " + figures(result, arguments.generation), stderr));
  return {};
}

// Generates, and unless for JSON prints as it goes.
Result<GenerateResult> write_text(Session& session, const Tokenizer& tokenizer, const std::vector<TokenId>& ids,
                                  const std::string& prompt, const RunArguments& arguments) {
  const bool streams = !arguments.json;
  if (streams && !arguments.no_echo) SMELT_TRY(print_now(prompt));
  Status printed;
  const auto emit = [&](std::string_view text) {
    if (streams) printed = print_now(text);
    return printed.has_value();
  };
  auto result = generate(session, tokenizer, ids, arguments.generation.generate, emit);
  SMELT_TRY(std::move(printed));
  if (!result && streams) SMELT_TRY(print_now("\n"));  // the message stands on a line of its own
  return result;
}

Status run_prompt(RunArguments& arguments) {
  GenerationArguments& generation = arguments.generation;
  SMELT_TRY(finish_generation_options(generation));
  generation.generate.ignore_end = arguments.ignore_end;
  SMELT_TRY(check_constraint(arguments.constraint, generation.generate));
  SMELT_ASSIGN(auto grammar, compile_constraint(arguments.constraint));
  SMELT_ASSIGN(const LoadedModel loaded, load_model(arguments.model, generation.compute));
  SMELT_ASSIGN(auto constraint, make_constraint(std::move(grammar), loaded.tokenizer));
  if (constraint) generation.generate.constraint = &*constraint;
  SMELT_ASSIGN(Session session, Session::create(loaded.model, generation.session));
  SMELT_ASSIGN(auto speculation,
               make_speculation(generation.speculation, loaded, session, generation.session, generation.compute));
  if (speculation) generation.generate.speculation = &*speculation;
  SMELT_ASSIGN(const std::string prompt, read_text(arguments.source, LastNewline::strip));
  SMELT_ASSIGN(const auto ids, encode_prompt(*loaded.tokenizer, prompt, arguments.parse_special));
  SMELT_TRY(load_prompt_cache(session, arguments.prompt_cache));

  SMELT_ASSIGN(const GenerateResult result, write_text(session, *loaded.tokenizer, ids, prompt, arguments));
  if (arguments.json)
    SMELT_TRY(print_now(format_json(prompt, static_cast<int64_t>(ids.size()), result, arguments)));
  else
    SMELT_TRY(show_end(result, prompt, arguments));
  if (!arguments.prompt_cache.empty()) SMELT_TRY(session.save_cache(arguments.prompt_cache));
  if (result.reason == FinishReason::cancelled) return cancelled_error();
  return {};
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<RunArguments>();
  add_model(app, arguments->model);
  add_text_source(app, arguments->source, "the text to continue");
  add_generation_options(app, arguments->generation);
  add_constraint_options(app, arguments->constraint);
  app.add_option("--prompt-cache", arguments->prompt_cache,
                 "keep the computed state here, and take it from here if it exists")
      ->type_name("FILE");
  app.add_flag("--no-echo", arguments->no_echo, "print the continuation only, without the prompt");
  app.add_flag("--ignore-end", arguments->ignore_end, "go on when the model says that the text is at its end");
  app.add_flag("--parse-special", arguments->parse_special, "text that spells a control token becomes that token");
  add_json(app, arguments->json);
  return [arguments] { return run_prompt(*arguments); };
}

}  // namespace

extern const Command run_command;
const Command run_command = {
    .name = "run",
    .summary = "Continue a text",
    .details =
        "The prompt and its continuation are printed as they come; figures follow on standard error. One newline "
        "at the end of a prompt from a file or from standard input is not part of it. Text held to a grammar that does "
        "not come to its end within -n tokens is an error, whatever was printed of it.",
    .examples =
        "  smelt run small.gguf -p \"Once upon a time\"\n"
        "  smelt run small.gguf -f prompt.txt -n 100 --temp 0 --no-echo > continuation.txt\n"
        "  echo \"The moral of the story\" | smelt run small.gguf --seed 7 --stop \".\"\n"
        "  smelt run small.gguf -f program.txt --lookup\n"
        "  smelt run large.gguf -p \"Once upon a time\" --draft small.gguf\n"
        "  smelt run small.gguf -p \"The answer, yes or no: \" --regex \"yes|no\"\n"
        "  smelt run small.gguf -f question.txt --json-schema answer.json --no-echo\n"
        "  smelt run small.gguf -p \"Once upon a time\" --json\n",
    .add = add,
};

}  // namespace smelt
