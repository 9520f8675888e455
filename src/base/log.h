// Notes and warnings of the library go to one sink that the program sets; without one they are dropped. The library
// itself never prints. Call set_log_sink before threads are started.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace smelt {

enum class LogLevel { debug, note, warning };

using LogSink = std::function<void(LogLevel, std::string_view)>;

void set_log_sink(LogSink sink);
void log(LogLevel level, std::string_view message);

}  // namespace smelt
