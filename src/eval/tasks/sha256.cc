// OpenSSL's.
#include "eval/tasks/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>

namespace smelt {

Result<std::string> sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    return input_error("SHA-256 is not to be had from this machine's OpenSSL");
  std::string out;
  for (unsigned int i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

}  // namespace smelt
