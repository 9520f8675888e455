// Notes and warnings of the library go to one sink that the program sets (smelt/control.h); without one they are
// dropped.
#pragma once

#include <string_view>

#include "smelt/control.h"

namespace smelt {

void log(LogLevel level, std::string_view message);

}  // namespace smelt
