// Decodes and encodes blocks between standard input and output, for blocks.py:
//
//     block_tool types           names, block sizes in values and in bytes, GGUF's numbers
//     block_tool decode TYPE     blocks → f32
//     block_tool encode TYPE     f32 → blocks
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace smelt {
namespace {

std::vector<std::byte> read_input() {
  std::vector<std::byte> bytes;
  std::byte buffer[1 << 16];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof(buffer), stdin)) > 0;)
    bytes.insert(bytes.end(), buffer, buffer + n);
  return bytes;
}

int write_output(const void* data, size_t size) {
  return std::fwrite(data, 1, size, stdout) == size && std::fflush(stdout) == 0 ? 0 : 1;
}

int list_types() {
  for (const DTypeInfo& info : all_dtypes())
    std::printf("%s %u %u %u\n", info.name, info.block_values, info.block_bytes, info.ggml_id);
  return 0;
}

int decode(const DTypeInfo& info) {
  const std::vector<std::byte> blocks = read_input();
  std::vector<float> values(blocks.size() / info.block_bytes * info.block_values);
  info.decode(blocks.data(), values.data(), static_cast<int64_t>(values.size()));
  return write_output(values.data(), values.size() * sizeof(float));
}

int encode(const DTypeInfo& info) {
  const std::vector<std::byte> bytes = read_input();
  std::vector<float> values(bytes.size() / sizeof(float) / info.block_values * info.block_values);
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  std::vector<std::byte> blocks(values.size() / info.block_values * info.block_bytes);
  info.encode(values.data(), blocks.data(), static_cast<int64_t>(values.size()), nullptr);
  return write_output(blocks.data(), blocks.size());
}

int run(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "types") return list_types();
  const auto dtype = argc > 2 ? find_dtype(argv[2]) : std::nullopt;
  if (dtype && command == "decode") return decode(dtype_info(*dtype));
  if (dtype && command == "encode") return encode(dtype_info(*dtype));
  std::fprintf(stderr, "usage: block_tool types | decode TYPE | encode TYPE\n");
  return 2;
}

}  // namespace
}  // namespace smelt

int main(int argc, char** argv) { return smelt::run(argc, argv); }
