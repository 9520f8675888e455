// What the zoos of bad files share: how a refusal is judged, and a builder of GGUF files that may be wrong in any
// field. For tests and for the seeds of the fuzzers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "formats/byte_writer.h"

namespace smelt::zoo {

// Runs `open` and expects a refusal: an input error in one printable line that begins with the file's name and contains
// all hints, within a second and within memory proportional to the file.
void expect_refused(const std::function<std::optional<Error>()>& open, const std::string& file_name,
                    uint64_t file_bytes, const std::vector<std::string>& hints);

// Lets the first, second, third … allocation of this thread fail in turn, until `open` succeeds: each failure must come
// back as an error that tells of memory.
void expect_survives_failing_allocations(const std::function<std::optional<Error>()>& open);

// Collects what the library logs while it lives.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::vector<std::string> lines_;
};

template <class T>
std::optional<Error> error_of(Result<T> result) {
  return result ? std::nullopt : std::optional<Error>(std::move(result).error());
}

// Bytes of one value: encode<uint32_t>(7), or of several one after another.
template <class... T>
std::string encode(T... values) {
  ByteWriter writer;
  (writer.put(values), ...);
  return writer.take();
}
std::string gguf_string(std::string_view text);
std::string gguf_key(std::string_view key, uint32_t type, const std::string& value);
std::string gguf_array(std::string_view key, uint32_t element_type, uint64_t count, const std::string& elements);
// Dimensions innermost first, as in the file.
std::string gguf_tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset);

// A GGUF file by its parts; the defaults make a good one of two F32 tensors, "a" {4, 2} and "b" {8}, 32 bytes each.
struct GgufSketch {
  std::string magic = "GGUF";
  uint32_t version = 3;
  std::optional<uint64_t> n_tensors, n_keys;  // as written; the true ones unless given
  std::vector<std::string> keys;
  std::vector<std::string> tensors;
  size_t alignment = 32;
  std::string data;

  GgufSketch();
  std::string bytes() const;
};

// A safetensors file of this header and data; `header_bytes` replaces the length field.
std::string safetensors_bytes(const std::string& header, const std::string& data,
                              std::optional<uint64_t> header_bytes = {});

}  // namespace smelt::zoo
