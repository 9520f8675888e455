// Shared options.
#include "apps/options.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>

#include "apps/output.h"
#include "apps/signals.h"
#include "apps/terminal.h"
#include "base/mapped_file.h"
#include "base/text.h"

namespace smelt {
namespace {

constexpr uint64_t kMaxTextBytes = uint64_t{1} << 32;

std::string long_name(const std::string& flags) { return flags.substr(flags.find("--")); }

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::vector<std::string> lowered(std::vector<std::string> words) {
  for (std::string& word : words) word = lower(word);
  return words;
}

std::vector<DType> weight_types() {
  std::vector<DType> types;
  for (const DTypeInfo& info : all_dtypes()) {
    if (info.dtype != DType::i8 && info.dtype != DType::q8_k) types.push_back(info.dtype);
  }
  return types;
}

// To the end, from a pipe or a terminal.
Result<std::string> read_stream(int fd, const std::string& name) {
  std::string text;
  std::vector<char> buffer(1 << 16);
  while (true) {
    if (interrupt_token().cancelled()) return cancelled_error();
    const ssize_t n = read_or_wake(fd, buffer.data(), buffer.size());
    if (n == 0) return text;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return input_error(name + ": read error: " + std::strerror(errno));
    text.append(buffer.data(), static_cast<size_t>(n));
    if (text.size() > kMaxTextBytes) return input_error(name + ": longer than 4 GiB");
  }
}

Result<std::string> read_standard_input() {
  if (is_terminal(stdin)) note("smelt: reading text from the terminal; Ctrl-D ends it");
  return read_stream(STDIN_FILENO, "standard input");
}

// What a shell puts there for <(COMMAND) is a pipe. Pipes by other names are refused, lest the program wait for ever.
Result<std::string> read_descriptor(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return input_error(fmt::format("{}: cannot open: {}", escape_for_display(path), std::strerror(errno)));
  auto text = read_stream(fd, escape_for_display(path));
  ::close(fd);
  return text;
}

// "--kv-type: unknown type 'f61' (did you mean f16?); one of f16, f32"
CLI::ValidationError unknown_word(const std::string& option, const std::string& kind, const std::string& text,
                                  const std::vector<std::string>& names) {
  std::string nearest;
  for (const std::string& name : names) {
    if (lower(name) == find_nearest(lower(text), lowered(names))) nearest = fmt::format(" (did you mean {}?)", name);
  }
  return CLI::ValidationError(option, fmt::format("unknown {} '{}'{}; one of {}", kind, escape_for_display(text),
                                                  nearest, fmt::join(names, ", ")));
}

std::string shown_range(const FloatRange& range) {
  if (range.max == std::numeric_limits<float>::max())
    return fmt::format("{}{}", range.min_allowed ? "" : "above ", range.min) + (range.min_allowed ? " and above" : "");
  return range.min_allowed ? fmt::format("{} … {}", range.min, range.max)
                           : fmt::format("above {}, at most {}", range.min, range.max);
}

}  // namespace

CLI::Option* add_int(CLI::App& app, const std::string& flags, int64_t& target, IntRange range,
                     const std::string& description) {
  const std::string name = long_name(flags);
  const auto parse = [&target, range, name](const std::string& text) {
    int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    const bool too_large = error == std::errc::result_out_of_range;
    if ((error != std::errc() && !too_large) || stop != end)
      throw CLI::ValidationError(name, fmt::format("'{}' is not a whole number", escape_for_display(text)));
    if (too_large || value < range.min || value > range.max) {
      const bool open = range.max == std::numeric_limits<int64_t>::max();
      throw CLI::ValidationError(name, fmt::format("{} is out of range, allowed {}", escape_for_display(text),
                                                   open ? fmt::format("{} and above", range.min)
                                                        : fmt::format("{} … {}", range.min, range.max)));
    }
    target = value;
  };
  return app.add_option_function<std::string>(flags, parse, description)->type_name("N");
}

CLI::Option* add_float(CLI::App& app, const std::string& flags, float& target, FloatRange range,
                       const std::string& description) {
  const std::string name = long_name(flags);
  const auto parse = [&target, range, name](const std::string& text) {
    float value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    const bool too_large = error == std::errc::result_out_of_range;
    if ((error != std::errc() && !too_large) || stop != end || !std::isfinite(value))
      throw CLI::ValidationError(name, fmt::format("'{}' is not a number", escape_for_display(text)));
    const bool above = range.min_allowed ? value >= range.min : value > range.min;
    if (too_large || !above || value > range.max) {
      throw CLI::ValidationError(
          name, fmt::format("{} is out of range, allowed {}", escape_for_display(text), shown_range(range)));
    }
    target = value;
  };
  return app.add_option_function<std::string>(flags, parse, description)->type_name("X");
}

CLI::Option* add_strings(CLI::App& app, const std::string& flags, std::vector<std::string>& target,
                         const std::string& type_name, const std::string& description) {
  return app.add_option(flags, target, description)->type_name(type_name)->allow_extra_args(false);
}

CLI::Option* add_choice(CLI::App& app, const std::string& flags, std::string& target,
                        const std::vector<std::string>& names, const std::function<bool(const std::string&)>& is_known,
                        const std::string& description) {
  const auto parse = [&target, names, is_known, name = long_name(flags)](const std::string& text) {
    if (!is_known(text)) throw unknown_word(name, "type", text, names);
    target = text;
  };
  return app.add_option_function<std::string>(flags, parse, description)
      ->type_name(fmt::format("{}", fmt::join(names, "|")));
}

CLI::Option* add_dtype(CLI::App& app, const std::string& flags, DType& target, const std::vector<DType>& types,
                       const std::string& description) {
  std::vector<std::string> names;
  for (const DType type : types.empty() ? weight_types() : types) names.push_back(lower(dtype_name(type)));
  const auto parse = [&target, names, name = long_name(flags)](const std::string& text) {
    if (std::find(names.begin(), names.end(), lower(text)) == names.end())
      throw unknown_word(name, "type", text, names);
    target = *find_dtype(text);
  };
  return app.add_option_function<std::string>(flags, parse, description)
      ->type_name(fmt::format("{}", fmt::join(names, "|")));
}

void add_kv_type(CLI::App& app, KvType& target, const std::string& description) {
  constexpr KvType kTypes[] = {KvType::f16, KvType::q8, KvType::f32};
  std::vector<std::string> names;
  for (const KvType type : kTypes) names.emplace_back(kv_type_name(type));
  const auto parse = [&target, names, kTypes](const std::string& text) {
    const auto at = std::find(names.begin(), names.end(), lower(text));
    if (at == names.end()) throw unknown_word("--kv-type", "type", text, names);
    target = kTypes[at - names.begin()];
  };
  app.add_option_function<std::string>("--kv-type", parse, description)
      ->type_name(fmt::format("{}", fmt::join(names, "|")));
}

void add_model(CLI::App& app, std::string& target) {
  app.add_option("MODEL", target, "GGUF file, Hugging Face folder or llama2.c .bin")->required()->type_name("FILE");
}

void add_threads(CLI::App& app, int64_t& target) {
  add_int(app, "-t,--threads", target, {1, 1024}, "threads (default: all processors this process may use)");
}

void add_pinning(CLI::App& app, Pinning& target) {
  app.add_flag_callback(
      "--pin-threads", [&target] { target = Pinning::pinned; },
      "keep each thread on a processor of its own: for a machine that does nothing else");
}

void add_json(CLI::App& app, bool& target) { app.add_flag("--json", target, "figures as one JSON object"); }

void add_compute(CLI::App& app, Compute& target) {
  const auto parse = [&target](const std::string& text) {
    if (text != "int8" && text != "f32") throw unknown_word("--compute", "arithmetic", text, {"int8", "f32"});
    target = text == "f32" ? Compute::f32 : Compute::int8;
  };
  app.add_option_function<std::string>(
         "--compute", parse,
         "arithmetic of quantized weights: int8 rounds activations to 8 bits, f32 is slow and exact (default int8)")
      ->type_name("int8|f32");
}

void add_text_source(CLI::App& app, TextSource& source, const std::string& what) {
  CLI::Option* prompt = app.add_option("-p,--prompt", source.prompt, what)->type_name("TEXT");
  app.add_option("-f,--file", source.file, "read it from this file instead (default: standard input)")
      ->type_name("FILE")
      ->excludes(prompt);
}

Result<std::string> read_text_file(const std::string& path) {
  if (path == "-" || path == "/dev/stdin") return read_standard_input();
  return path.starts_with("/dev/fd/") ? read_descriptor(path) : read_file(path, kMaxTextBytes);
}

Result<std::string> read_text(const TextSource& source, LastNewline last_newline) {
  if (source.prompt) return *source.prompt;
  SMELT_ASSIGN(std::string text, read_text_file(source.file.empty() ? "-" : source.file));
  if (last_newline == LastNewline::strip && text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace smelt
