// Options that commands share, and the binding of CLI11's options to numbers and types with our own messages. Type
// names matter: completions and help are made from them ("FILE", "MODEL", "N", or "a|b|c" for a choice).
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "kernels/attention/kv_cache.h"
#include "models/compute.h"
#include "tensor/dtype.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace smelt {

struct IntRange {
  int64_t min = 0;
  int64_t max = std::numeric_limits<int64_t>::max();
};

struct FloatRange {
  float min = std::numeric_limits<float>::lowest();
  float max = std::numeric_limits<float>::max();
  bool min_allowed = true;
};

CLI::Option* add_int(CLI::App& app, const std::string& flags, int64_t& target, IntRange range,
                     const std::string& description);
CLI::Option* add_float(CLI::App& app, const std::string& flags, float& target, FloatRange range,
                       const std::string& description);
// May be given several times, one value each time.
CLI::Option* add_strings(CLI::App& app, const std::string& flags, std::vector<std::string>& target,
                         const std::string& type_name, const std::string& description);
// One of `names`, or another word that `is_known` takes.
CLI::Option* add_choice(CLI::App& app, const std::string& flags, std::string& target,
                        const std::vector<std::string>& names, const std::function<bool(const std::string&)>& is_known,
                        const std::string& description);
// --kv-type
void add_kv_type(CLI::App& app, KvType& target, const std::string& description);
// One of `types`, or of all types that weights can have if empty; upper or lower case.
CLI::Option* add_dtype(CLI::App& app, const std::string& flags, DType& target, const std::vector<DType>& types,
                       const std::string& description);

void add_model(CLI::App& app, std::string& target);
void add_threads(CLI::App& app, int64_t& target);
// --pin-threads
void add_pinning(CLI::App& app, Pinning& target);
void add_json(CLI::App& app, bool& target);
void add_compute(CLI::App& app, Compute& target);

// -p TEXT, -f FILE, or else standard input.
struct TextSource {
  std::optional<std::string> prompt;
  std::string file;
};
void add_text_source(CLI::App& app, TextSource& source, const std::string& what);

enum class LastNewline : uint8_t { keep, strip };
// The text; one newline at the end of a file or of standard input can be taken off, since editors and echo put it
// there.
Result<std::string> read_text(const TextSource& source, LastNewline last_newline);
// The whole of a file, or of standard input for "-".
Result<std::string> read_text_file(const std::string& path);

}  // namespace smelt
