// smelt complete: the gap between two texts, filled. The prompt is tokenizers/infill.h's, the work
// runtime/generate.cc's; here are the two texts' sources and the end of what is written.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/completion_end.h"
#include "apps/options.h"
#include "apps/options_sampling.h"
#include "apps/output.h"
#include "base/text.h"
#include "tokenizers/infill.h"

namespace smelt {
namespace {

struct CompleteArguments {
  std::string model;
  std::optional<std::string> prefix, suffix;
  std::string file, at, stop_at = "none";
  GenerationArguments generation;
  bool json = false;
};

struct Gap {
  std::string prefix, suffix;
};

// "12:5" → 12 and 5, both from 1.
Result<std::pair<int64_t, int64_t>> parse_place(const std::string& text) {
  int64_t line = 0, column = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, line);
  const bool colon = first.ec == std::errc() && first.ptr != end && *first.ptr == ':';
  const auto second = colon ? std::from_chars(first.ptr + 1, end, column) : first;
  if (!colon || second.ec != std::errc() || second.ptr != end || line < 1 || column < 1) {
    return usage_error(
        fmt::format("--at: '{}' must be a line and a column, both from 1, as 12:5", escape_for_display(text)));
  }
  return std::make_pair(line, column);
}

// Columns are characters; the one behind the last of a line is its end.
Result<Gap> cut_file(const CompleteArguments& arguments) {
  SMELT_ASSIGN(const auto place, parse_place(arguments.at));
  const auto [line, column] = place;
  SMELT_ASSIGN(const std::string text, read_text_file(arguments.file));
  const std::string name = escape_for_display(arguments.file, 4096);
  size_t begin = 0;
  for (int64_t n = 1; n < line; ++n) {
    begin = text.find('\n', begin) + 1;
    if (begin == 0) return input_error(fmt::format("{}: --at: line {} is asked for, the file has {}", name, line, n));
  }
  const size_t end = std::min(text.find('\n', begin), text.size());
  size_t at = begin;
  for (int64_t n = 1; n < column; ++n) {
    if (at >= end) {
      return input_error(fmt::format("{}: --at: column {} is asked for, line {} has {}", name, column, line, n));
    }
    at += std::max<size_t>(utf8_length(text, at), 1);
  }
  return Gap{text.substr(0, at), text.substr(at)};
}

Result<Gap> find_gap(const CompleteArguments& arguments) {
  const bool texts = arguments.prefix || arguments.suffix;
  if (texts == !arguments.file.empty()) {
    return usage_error("give either --prefix and --suffix, or --file and --at");
  }
  if (texts && !arguments.at.empty()) return usage_error("--at needs --file");
  if (texts) return Gap{arguments.prefix.value_or(""), arguments.suffix.value_or("")};
  if (arguments.at.empty()) return usage_error("--file needs --at LINE:COLUMN");
  return cut_file(arguments);
}

std::optional<CompletionStop> find_stop(const std::string& name) {
  if (name == "none") return CompletionStop::none;
  if (name == "line") return CompletionStop::line;
  if (name == "block") return CompletionStop::block;
  return std::nullopt;
}

struct Completion {
  std::string text;
  bool stopped = false;  // by --stop-at
  GenerateResult result;
};

Result<Completion> fill(Session& session, const Tokenizer& tokenizer, const std::vector<TokenId>& ids,
                        CompletionEnd end, const CompleteArguments& arguments) {
  Completion completion;
  Status printed;
  const auto show = [&](const std::string& text) {
    completion.text += text;
    if (!arguments.json && !text.empty()) printed = print_now(text);
  };
  const auto emit = [&](std::string_view piece) {
    show(end.push(piece));
    return printed.has_value() && !end.stopped();
  };
  SMELT_ASSIGN(completion.result, generate(session, tokenizer, ids, arguments.generation.generate, emit));
  if (printed) show(end.finish());
  SMELT_TRY(std::move(printed));
  completion.stopped = end.stopped();
  return completion;
}

std::string format_json(const Gap& gap, size_t n_prompt, const Completion& completion) {
  const GenerateResult& result = completion.result;
  const nlohmann::ordered_json out = {
      {"prefix", gap.prefix},
      {"suffix", gap.suffix},
      {"text", completion.text},
      {"finish_reason", completion.stopped ? "stop" : finish_reason_name(result.reason)},
      {"prompt_tokens", n_prompt},
      {"prompt_seconds", result.prefill_seconds},
      {"text_tokens", result.ids.size()},
      {"text_seconds", result.decode_seconds}};
  return out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Status run_complete(CompleteArguments& arguments) {
  GenerationArguments& generation = arguments.generation;
  SMELT_TRY(finish_generation_options(generation));
  SMELT_ASSIGN(const Gap gap, find_gap(arguments));
  const CompletionStop stop = find_stop(arguments.stop_at).value_or(CompletionStop::none);  // checked when read
  SMELT_ASSIGN(const LoadedModel loaded, load_model(arguments.model, generation.compute));
  SMELT_ASSIGN(
      const auto ids,
      encode_infill(*loaded.tokenizer, gap.prefix, gap.suffix).with_context(escape_for_display(arguments.model, 4096)));
  SMELT_ASSIGN(Session session, Session::create(loaded.model, generation.session));
  SMELT_ASSIGN(auto speculation,
               make_speculation(generation.speculation, loaded, session, generation.session, generation.compute));
  if (speculation) generation.generate.speculation = &*speculation;
  SMELT_ASSIGN(const Completion completion,
               fill(session, *loaded.tokenizer, ids, CompletionEnd(stop, gap.prefix), arguments));
  if (arguments.json) {
    SMELT_TRY(print_now(format_json(gap, ids.size(), completion)));
  } else if (!completion.text.ends_with('\n')) {
    SMELT_TRY(print("\n"));
  }
  const bool cancelled = completion.result.reason == FinishReason::cancelled && !completion.stopped;
  return cancelled ? Status(cancelled_error()) : Status();
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<CompleteArguments>();
  add_model(app, arguments->model);
  app.add_option("--prefix", arguments->prefix, "what stands before the gap")->type_name("TEXT");
  app.add_option("--suffix", arguments->suffix, "what stands behind it")->type_name("TEXT");
  app.add_option("--file", arguments->file, "take both from this file, the gap being at --at")->type_name("FILE");
  app.add_option("--at", arguments->at, "where the gap is in --file, line and column from 1")->type_name("LINE:COLUMN");
  add_choice(
      app, "--stop-at", arguments->stop_at, {"none", "line", "block"},
      [](const std::string& name) { return find_stop(name).has_value(); },
      "end with the line, or before the first line indented less than the cursor's (outermost: before an empty "
      "line), though the model goes on");
  add_generation_options(app, arguments->generation);
  add_json(app, arguments->json);
  return [arguments] { return run_complete(*arguments); };
}

}  // namespace

extern const Command complete_command;
const Command complete_command = {
    .name = "complete",
    .summary = "Fill a gap in a program",
    .details =
        "For models trained to fill in the middle (CodeLlama, StarCoder 2, Qwen 2.5 Coder, DeepSeek-Coder, Granite "
        "Code, …). "
        "What fills the gap is printed, nothing else. It ends where the model says so, at a mark between files, or "
        "where "
        "--stop-at says. Both texts stay text: what spells a token of the model in them is not taken for it.",
    .examples =
        "  smelt complete coder.gguf --prefix \"def add(a, b):\" --suffix \"print(add(1, 2))\"\n"
        "  smelt complete coder.gguf --file main.py --at 12:5 --stop-at block --temp 0\n"
        "  smelt complete coder.gguf --file main.py --at 12:5 --json\n",
    .add = add,
};

}  // namespace smelt
