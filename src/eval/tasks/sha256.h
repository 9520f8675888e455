// SHA-256 (FIPS 180-4) in hexadecimal: by it people know a data file again (sha256sum).
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace smelt {

Result<std::string> sha256_hex(std::string_view bytes);

}  // namespace smelt
