// The chat's dialogue.
#include "apps/chat_loop.h"

#include <fmt/format.h>

#include <filesystem>

#include "apps/options_speculation.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "apps/terminal.h"
#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "base/text.h"

namespace smelt {
namespace {

constexpr uint64_t kMaxChatBytes = uint64_t{1} << 28;

struct CommandHelp {
  const char* name;
  const char* argument;
  const char* description;
};

constexpr CommandHelp kHelp[] = {
#define SMELT_CHAT_COMMAND(name, argument, description) {#name, argument, description},
#include "apps/chat_commands.inc"
#undef SMELT_CHAT_COMMAND
};

}  // namespace

ChatLoop::ChatLoop(Conversation conversation, uint64_t seed, const std::string& history_file, bool json)
    : conversation_(std::move(conversation)),
      seed_(seed),
      lines_(make_line_reader("smelt")),
      interactive_(is_terminal(stdin) && is_terminal(stderr)),
      history_(interactive_ ? history_file : ""),
      json_(json) {
  for (const std::string& line : history_.lines()) lines_->remember(line);
}

void ChatLoop::show_banner() const {
  const ModelConfig& config = conversation_.model().model->config();
  note(in_bold(escape_for_display(config.name), stderr) +
       in_grey(fmt::format("  context {} tokens, chat form {}, seed {}", conversation_.session().n_ctx(),
                           conversation_.format().name(), seed_),
               stderr));
  note(in_grey("/help lists the commands, Ctrl-C stops an answer, Ctrl-D leaves", stderr));
}

Status ChatLoop::run() {
  if (interactive_) show_banner();
  while (!done_) {
    Status stepped = step();
    if (stepped) continue;
    if (stepped.error().kind == ErrorKind::cancelled || !interactive_) return stepped;
    note(in_red("smelt:", stderr) + " " + stepped.error().message);
  }
  return {};
}

// Ctrl-C at the prompt drops what was typed; on an empty line a second one leaves.
void ChatLoop::interrupted_at_prompt() {
  reset_interrupt();
  note("");
  if (!message_.is_open() && !lines_->dropped_text() && asked_to_leave_) {
    done_ = true;
    return;
  }
  message_.take();
  asked_to_leave_ = true;
  note(in_grey("Ctrl-C again, Ctrl-D or /exit leaves", stderr));
}

Status ChatLoop::step() {
  auto line = lines_->read_line(message_.is_open() ? "… " : "> ");
  if (!line && line.error().kind == ErrorKind::cancelled && interactive_) {
    interrupted_at_prompt();
    return {};
  }
  if (!line) return line.error();
  asked_to_leave_ = false;
  if (!line->has_value()) {
    done_ = true;
    if (interactive_) note("");
    return message_.is_open() ? handle(message_.take()) : Status();
  }
  if (!trimmed(**line).empty()) {
    lines_->remember(**line);
    history_.add(**line);
  }
  return message_.add_line(**line) ? handle(message_.take()) : Status();
}

Status ChatLoop::handle(const std::string& message) {
  if (trimmed(message).empty()) return {};
  if (const auto command = parse_chat_command(message)) return do_command(*command);
  auto result = conversation_.ask(message, [this](const AnswerPart& part) { return emit(part); });
  return show_answer(std::move(result), printed_);
}

bool ChatLoop::write(const std::string& text) {
  if (text.empty()) return true;
  last_character_ = text.back();
  printed_ = print_now(text);
  return printed_.has_value();
}

// Thoughts are grey on a terminal and left out elsewhere; calls stand on lines of their own.
bool ChatLoop::emit(const AnswerPart& part) {
  const bool changes = std::exchange(last_kind_, part.kind) != part.kind;
  if (json_) return true;
  if (part.kind == AnswerPart::Kind::thinking) {
    if (!is_terminal(stdout)) return true;
    const bool written = write(in_grey(part.text, stdout));
    last_character_ = part.text.back();
    return written;
  }
  const bool call = part.kind == AnswerPart::Kind::call;
  const bool breaks = (changes || call) && last_character_ != '\n';
  if (breaks && !write(call ? "\n" : "\n\n")) return false;
  return write(call ? format_call(part.call) + "\n" : part.text);
}

Status ChatLoop::show_json(FinishReason reason) const {
  return print_now(format_answer(conversation_.messages().back(), reason) + "\n");
}

Status ChatLoop::show_answer(Result<GenerateResult> result, const Status& printed) {
  const bool ended = std::exchange(last_character_, '\n') == '\n';
  last_kind_ = AnswerPart::Kind::text;
  if (!ended) SMELT_TRY(print_now("\n"));
  SMELT_TRY(printed);
  if (!result) {
    if (result.error().kind == ErrorKind::cancelled && interactive_) {
      reset_interrupt();
      note(in_grey("(stopped)", stderr));
      return {};
    }
    return result.error();
  }
  last_ = *result;
  if (json_) SMELT_TRY(show_json(result->reason));
  if (interactive_ && !conversation_.open_calls().empty())
    note(in_grey(fmt::format("(/result TEXT gives the result of '{}')",
                             escape_for_display(conversation_.open_calls().front().name)),
                 stderr));
  if (result->reason == FinishReason::context_full)
    note(
        "smelt: the context is full and the answer was cut; /clear forgets the conversation, -c makes the context "
        "longer");
  if (result->reason == FinishReason::length) note(in_grey("(cut after -n tokens)", stderr));
  if (result->reason != FinishReason::cancelled) return {};
  if (!interactive_) return cancelled_error();
  reset_interrupt();
  note(in_grey("(stopped)", stderr));
  return {};
}

Status ChatLoop::do_command(const ChatCommand& command) {
#define SMELT_CHAT_COMMAND(id, arg, text) \
  if (command.name == #id) return do_##id(command.argument);
#include "apps/chat_commands.inc"
#undef SMELT_CHAT_COMMAND
  std::vector<std::string> names;
  for (const CommandHelp& help : kHelp) names.emplace_back(help.name);
  const std::string nearest = find_nearest(command.name, names);
  return input_error(fmt::format("unknown command '/{}'{}", escape_for_display(command.name),
                                 nearest.empty() ? "; /help lists them" : "; did you mean /" + nearest + "?"));
}

Status ChatLoop::do_help(const std::string&) {
  for (const CommandHelp& help : kHelp)
    note(fmt::format("  {:<16} {}", fmt::format("/{} {}", help.name, help.argument), help.description));
  note("A line that ends with \\ goes on in the next; \"\"\" begins and ends a message of several lines.");
  return {};
}

Status ChatLoop::do_system(const std::string& given) {
  if (given.empty()) {
    note(conversation_.system().empty() ? "(no system text)" : conversation_.system());
  } else {
    conversation_.set_system(given == "-" ? "" : given);
  }
  return {};
}

Status ChatLoop::do_regen(const std::string&) {
  auto result = conversation_.answer_again([this](const AnswerPart& part) { return emit(part); });
  return show_answer(std::move(result), printed_);
}

Status ChatLoop::do_result(const std::string& given) {
  SMELT_TRY(conversation_.add_result(given));
  if (!conversation_.open_calls().empty()) return {};
  auto result = conversation_.go_on([this](const AnswerPart& part) { return emit(part); });
  return show_answer(std::move(result), printed_);
}

Status ChatLoop::do_clear(const std::string&) {
  conversation_.clear();
  if (interactive_) note(in_grey("(forgotten)", stderr));
  return {};
}

Status ChatLoop::do_save(const std::string& given) {
  if (given.empty()) return input_error("/save: give a file name");
  std::error_code ignored;
  if (given != own_file_ && std::filesystem::exists(given, ignored))
    return input_error(escape_for_display(given, 4096) + ": exists already; choose another name");
  SMELT_TRY(write_file(given, conversation_.to_json(), Overwrite::replace));
  own_file_ = given;
  if (interactive_)
    note(in_grey(fmt::format("({} messages in {})", conversation_.messages().size(), escape_for_display(given)),
                 stderr));
  return {};
}

Status ChatLoop::do_load(const std::string& given) {
  if (given.empty()) return input_error("/load: give a file name");
  SMELT_ASSIGN(const std::string json, read_file(given, kMaxChatBytes));
  SMELT_TRY(conversation_.load_json(json).with_context(escape_for_display(given, 4096)));
  own_file_ = given;
  if (interactive_) note(in_grey(fmt::format("({} messages)", conversation_.messages().size()), stderr));
  return {};
}

Status ChatLoop::do_stats(const std::string&) {
  const Session& session = conversation_.session();
  note(fmt::format("context {} of {} tokens, {} messages, seed {}", session.position(), session.n_ctx(),
                   conversation_.messages().size(), seed_));
  if (last_ && last_->decode_seconds > 0)
    note(fmt::format("last answer {} tokens, {:.0f} tokens/s; {} prompt tokens in {:.2f} s", last_->ids.size(),
                     static_cast<double>(last_->ids.size()) / last_->decode_seconds, last_->n_prompt,
                     last_->prefill_seconds));
  if (last_ && last_->speculation.drafted > 0) note("last answer " + format_speculation(last_->speculation));
  return {};
}

Status ChatLoop::do_exit(const std::string&) {
  done_ = true;
  return {};
}

}  // namespace smelt
