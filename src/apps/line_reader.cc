// Two readers of lines: libedit's on a terminal, plain reads elsewhere.
#include "apps/line_reader.h"

#include <histedit.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstring>
#include <functional>

#include "apps/signals.h"
#include "apps/terminal.h"
#include "base/text.h"

namespace smelt {
namespace {

std::atomic<bool> g_continued{false};

void on_continue(int) {
  g_continued.store(true);
  wake_reader();
}

// The shell that stopped us (Ctrl-Z) has set the terminal to its own taste.
void notice_continuing() {
  struct sigaction action {};
  action.sa_handler = on_continue;
  sigemptyset(&action.sa_mask);  // no SA_RESTART: the blocked read returns
  ::sigaction(SIGCONT, &action, nullptr);
}

enum class ReadEnd : unsigned char { none, end_of_file, interrupted, failed };

// One byte of standard input. Interruptions other than Ctrl-C are waited out; `resume` is called after a stop.
ReadEnd read_byte(
    char& byte, const std::function<void()>& resume = [] {}) {
  while (true) {
    if (interrupt_token().cancelled()) return ReadEnd::interrupted;
    if (g_continued.exchange(false)) resume();
    const ssize_t n = read_or_wake(STDIN_FILENO, &byte, 1);
    if (n == 1) return ReadEnd::none;
    if (n == 0) return ReadEnd::end_of_file;
    if (errno != EINTR) return ReadEnd::failed;
  }
}

Error read_error(ReadEnd end) {
  if (end == ReadEnd::interrupted) return cancelled_error();
  return input_error(std::string("standard input: read error: ") + std::strerror(errno));
}

class PlainReader final : public LineReader {
 public:
  Result<std::optional<std::string>> read_line(const std::string&) override {
    std::string line;
    for (char byte = 0;;) {
      const ReadEnd end = read_byte(byte);
      if (end == ReadEnd::end_of_file)
        return line.empty() ? std::optional<std::string>() : std::optional<std::string>(line);
      if (end != ReadEnd::none) return read_error(end);
      if (byte == '\n') return std::optional<std::string>(line);
      line += byte;
    }
  }
  bool dropped_text() const override { return false; }
  void remember(const std::string&) override {}
};

class TerminalReader final : public LineReader {
 public:
  explicit TerminalReader(const std::string& name) {
    // Only the encoding: what is typed is UTF-8 whatever the locale says, and numbers keep their point.
    std::setlocale(LC_CTYPE, "C.UTF-8");
    editor_ = ::el_init(name.c_str(), stdin, stderr, stderr);
    history_ = ::history_init();
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, 500);
    ::history(history_, &event, H_SETUNIQUE, 1);
    ::el_set(editor_, EL_CLIENTDATA, this);
    ::el_set(editor_, EL_PROMPT, &TerminalReader::show_prompt);
    ::el_set(editor_, EL_EDITOR, "emacs");
    ::el_set(editor_, EL_SIGNAL, 0);
    ::el_set(editor_, EL_HIST, ::history, history_);
    ::el_set(editor_, EL_GETCFN, &TerminalReader::read_character);
    ::el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    ::el_source(editor_, nullptr);
    notice_continuing();
  }
  ~TerminalReader() override {
    ::history_end(history_);
    ::el_end(editor_);
  }

  Result<std::optional<std::string>> read_line(const std::string& prompt) override {
    prompt_ = prompt;
    end_ = ReadEnd::none;
    int count = 0;
    // Before the prompt is shown, not after it as libedit would: a Ctrl-D typed in between would be lost.
    ::el_set(editor_, EL_PREP_TERM, 1);
    const char* text = ::el_gets(editor_, &count);
    if (end_ == ReadEnd::interrupted || end_ == ReadEnd::failed) {
      const LineInfo* line = ::el_line(editor_);
      dropped_text_ = line->lastchar > line->buffer;
      ::el_reset(editor_);
      return read_error(end_);
    }
    if (text == nullptr || count <= 0) return std::optional<std::string>();
    std::string line(text);
    if (line.ends_with('\n')) line.pop_back();
    return std::optional<std::string>(line);
  }

  bool dropped_text() const override { return dropped_text_; }

  void remember(const std::string& line) override {
    HistEvent event;
    ::history(history_, &event, H_ENTER, line.c_str());
  }

 private:
  static TerminalReader& self(EditLine* editor) {
    void* reader = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &reader);
    return *static_cast<TerminalReader*>(reader);
  }
  static char* show_prompt(EditLine* editor) { return self(editor).prompt_.data(); }

  // libedit does not set a mode that it believes to be set: leave it and enter it again.
  static void restore_screen(EditLine* editor) {
    ::el_set(editor, EL_PREP_TERM, 0);
    ::el_set(editor, EL_PREP_TERM, 1);
    ::el_set(editor, EL_REFRESH);
  }

  // One character, decoded from UTF-8: 1, or 0 at the end, or -1 after Ctrl-C and errors.
  static int read_character(EditLine* editor, wchar_t* out) {
    std::string bytes;
    while (true) {
      char byte = 0;
      const ReadEnd end = read_byte(byte, [editor] { restore_screen(editor); });
      self(editor).end_ = end;
      if (end != ReadEnd::none) return end == ReadEnd::end_of_file ? 0 : -1;
      bytes += byte;
      const bool incomplete = utf8_complete_prefix(bytes) == 0;
      if (incomplete && bytes.size() < 4) continue;
      *out = static_cast<wchar_t>(decode_utf8(bytes).front());
      return 1;
    }
  }

  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
  std::string prompt_;
  ReadEnd end_ = ReadEnd::none;
  bool dropped_text_ = false;
};

}  // namespace

std::unique_ptr<LineReader> make_line_reader(const std::string& name) {
  if (is_terminal(stdin) && is_terminal(stderr)) return std::make_unique<TerminalReader>(name);
  return std::make_unique<PlainReader>();
}

}  // namespace smelt
