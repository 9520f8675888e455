// Programs that the model writes, run with their tests in the sandbox. A program passes if it comes to its end: then it
// writes a mark that it cannot know by chance, which early exits do not reach.
#include <fmt/format.h>

#include "base/hash.h"
#include "eval/tasks/runner.h"

namespace smelt {
namespace {

constexpr const char* kPython = "/usr/bin/python3";

std::string mark_of(std::string_view program) { return fmt::format("smelt-end-{:016x}", hash_bytes(program)); }

std::string verdict_of(const SandboxOutcome& outcome, bool passed) {
  if (passed) return "passed";
  if (outcome.end == SandboxEnd::exited)
    return outcome.code == 0 ? "ended early" : fmt::format("exit code {}", outcome.code);
  if (outcome.end == SandboxEnd::killed) return fmt::format("killed by signal {}", outcome.code);
  return fmt::format("too much: {}", sandbox_end_name(outcome.end));
}

std::string last_line(std::string_view output) {
  while (output.ends_with('\n')) output.remove_suffix(1);
  return std::string(output.substr(output.rfind('\n') + 1).substr(0, 200));
}

class CodeRunner final : public TaskRunner {
 public:
  CodeRunner(const RunnerContext& context, Sandbox sandbox) : context_(context), sandbox_(std::move(sandbox)) {}

  Result<PreparedItem> prepare(const TaskItem& item) override {
    PreparedItem out;
    out.item = &item;
    SMELT_ASSIGN(out.prompt, context_.prompter.ask(item));
    out.n_answer = context_.definition.writing.max_tokens;
    SMELT_TRY(program_of(item, ""));  // what is wrong with the template shows before the work
    return out;
  }

  Result<TaskRecord> run(const PreparedItem& prepared, PrefixSession& session) override {
    std::vector<std::string> texts, verdicts;
    double n_passed = 0;
    for (int64_t sample = 0; sample < context_.options.n_samples; ++sample) {
      SMELT_ASSIGN(std::string text, write_answer(context_, prepared, sample, session));
      SMELT_ASSIGN(const std::string program, program_of(*prepared.item, extract_answer(context_, text)));
      SMELT_ASSIGN(std::string verdict, judge(program));
      n_passed += verdict == "passed" ? 1 : 0;
      texts.push_back(std::move(text));
      verdicts.push_back(std::move(verdict));
    }
    TaskRecord out;
    out.index = prepared.item->index;
    out.scores = {{"samples", static_cast<double>(context_.options.n_samples)}, {"passed", n_passed}};
    out.details = {{"verdicts", verdicts}, {"texts", texts}};
    return out;
  }

 private:
  Result<std::string> program_of(const TaskItem& item, const std::string& completion) const {
    const bool chat = context_.options.chat && context_.definition.chat.program;
    const TaskTemplate& program = chat ? *context_.definition.chat.program : *context_.definition.code.program;
    return program.render(item, {{"completion", jinja::Value::text(completion, true)}});
  }

  Result<std::string> judge(const std::string& program) const {
    const std::string mark = mark_of(program);
    const std::string whole = fmt::format("{}\n__import__('os').write(1, b'\\n{}\\n')\n", program, mark);
    SMELT_ASSIGN(const SandboxOutcome outcome, sandbox_.run({{kPython, "-I", "program.py"}, {{"program.py", whole}}},
                                                            context_.definition.code.limits, context_.cancel));
    if (outcome.end == SandboxEnd::cancelled || (context_.cancel != nullptr && context_.cancel->cancelled()))
      return cancelled_error();
    const bool passed = outcome.end == SandboxEnd::exited && outcome.code == 0 &&
                        outcome.output.find("\n" + mark + "\n") != std::string::npos;
    const std::string verdict = verdict_of(outcome, passed);
    const bool tells = outcome.end == SandboxEnd::exited && outcome.code != 0 && !outcome.output.empty();
    return tells ? verdict + ": " + last_line(outcome.output) : verdict;
  }

  const RunnerContext context_;
  const Sandbox sandbox_;
};

}  // namespace

Result<std::unique_ptr<TaskRunner>> make_code_runner(const RunnerContext& context) {
  if (context.options.unconfined) {
    return std::unique_ptr<TaskRunner>(std::make_unique<CodeRunner>(context, Sandbox::unconfined()));
  }
  auto sandbox = Sandbox::isolated();
  if (!sandbox)
    return input_error(sandbox.error().message +
                       "; or run what the model writes with your own rights: --no-sandbox, at your risk");
  return std::unique_ptr<TaskRunner>(std::make_unique<CodeRunner>(context, std::move(*sandbox)));
}

}  // namespace smelt
