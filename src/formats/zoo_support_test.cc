// The judge of the zoos, with a counting operator new, so that "no allocation by a declared size" is a measurement.
#include "formats/zoo_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <new>

#include "base/log.h"
#include "base/test_speed.h"
#include "base/text.h"

namespace {

thread_local size_t live_bytes = 0;
thread_local size_t peak_bytes = 0;
thread_local int64_t allocations_until_failure = -1;  // negative: none fails

void* counted_allocate_or_null(size_t size) noexcept {
  if (allocations_until_failure >= 0 && allocations_until_failure-- == 0) return nullptr;
  void* block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) return nullptr;
  live_bytes += malloc_usable_size(block);
  peak_bytes = std::max(peak_bytes, live_bytes);
  return block;
}

void* counted_allocate(size_t size) {
  void* block = counted_allocate_or_null(size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void counted_free(void* block) noexcept {
  if (block == nullptr) return;
  const size_t size = malloc_usable_size(block);
  live_bytes = live_bytes > size ? live_bytes - size : 0;  // blocks of other threads may be freed here
  std::free(block);
}

}  // namespace

void* operator new(size_t size) { return counted_allocate(size); }
void* operator new[](size_t size) { return counted_allocate(size); }
void* operator new(size_t size, const std::nothrow_t& /*tag*/) noexcept { return counted_allocate_or_null(size); }
void operator delete(void* block) noexcept { counted_free(block); }
void operator delete[](void* block) noexcept { counted_free(block); }
void operator delete(void* block, size_t /*size*/) noexcept { counted_free(block); }
void operator delete(void* block, const std::nothrow_t& /*tag*/) noexcept { counted_free(block); }
void operator delete[](void* block, size_t /*size*/) noexcept { counted_free(block); }

namespace smelt::zoo {
namespace {

constexpr size_t kFixedBytes = size_t{1} << 20;  // messages, maps, streams
constexpr size_t kBytesPerFileByte = 40;  // a one-byte array element is kept in eight, with spare room; keys in more

}  // namespace

void expect_refused(const std::function<std::optional<Error>()>& open, const std::string& file_name,
                    uint64_t file_bytes, const std::vector<std::string>& hints) {
  const size_t before = live_bytes;
  peak_bytes = live_bytes;
  const auto start = std::chrono::steady_clock::now();
  const std::optional<Error> error = open();
  const auto elapsed = std::chrono::steady_clock::now() - start;
  EXPECT_LT(peak_bytes - before, kFixedBytes + kBytesPerFileByte * file_bytes);
  EXPECT_LT(std::chrono::duration<double>(elapsed).count(), kSlower);
  ASSERT_TRUE(error.has_value()) << "was accepted";
  EXPECT_EQ(error->kind, ErrorKind::input);
  const std::string& message = error->message;
  EXPECT_TRUE(message.starts_with(file_name + ": ")) << message;
  EXPECT_TRUE(is_valid_utf8(message)) << message;
  EXPECT_TRUE(std::none_of(message.begin(), message.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
      << message;
  EXPECT_LT(message.size(), 1000U) << message;
  for (const std::string& hint : hints) EXPECT_THAT(message, testing::HasSubstr(hint));
}

void expect_survives_failing_allocations(const std::function<std::optional<Error>()>& open) {
  ASSERT_EQ(open(), std::nullopt) << "must succeed while memory lasts";
  for (int64_t n = 0; n < 1000000; ++n) {
    allocations_until_failure = n;
    const std::optional<Error> error = open();
    const bool failed = allocations_until_failure < 0;
    allocations_until_failure = -1;
    if (!failed) {
      EXPECT_FALSE(error.has_value());
      return;
    }
    ASSERT_TRUE(error.has_value()) << "allocation " << n << " failed unnoticed";
    ASSERT_THAT(error->message, testing::HasSubstr("memory")) << n;
  }
  FAIL() << "never succeeded";
}

LogCapture::LogCapture() {
  set_log_sink([this](LogLevel, std::string_view line) { lines_.emplace_back(line); });
}
LogCapture::~LogCapture() { set_log_sink(nullptr); }

std::string gguf_string(std::string_view text) {
  ByteWriter writer;
  writer.put_string(text);
  return writer.take();
}

std::string gguf_key(std::string_view key, uint32_t type, const std::string& value) {
  return gguf_string(key) + encode(type) + value;
}

std::string gguf_array(std::string_view key, uint32_t element_type, uint64_t count, const std::string& elements) {
  return gguf_key(key, 9, encode(element_type, count) + elements);
}

std::string gguf_tensor(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type, uint64_t offset) {
  std::string record = gguf_string(name) + encode(static_cast<uint32_t>(dims.size()));
  for (const uint64_t dim : dims) record += encode(dim);
  return record + encode(type, offset);
}

GgufSketch::GgufSketch()
    : keys{gguf_key("general.architecture", 8, gguf_string("llama")),
           gguf_key("llama.block_count", 4, encode(uint32_t{1}))},
      tensors{gguf_tensor("a", {4, 2}, 0, 0), gguf_tensor("b", {8}, 0, 32)},
      data(64, '\1') {}

std::string GgufSketch::bytes() const {
  ByteWriter writer;
  writer.put_text(magic);
  writer.put(version);
  writer.put(n_tensors.value_or(tensors.size()));
  writer.put(n_keys.value_or(keys.size()));
  for (const std::string& key : keys) writer.put_text(key);
  for (const std::string& tensor : tensors) writer.put_text(tensor);
  writer.pad_to_multiple(alignment);
  writer.put_text(data);
  return writer.take();
}

std::string safetensors_bytes(const std::string& header, const std::string& data,
                              std::optional<uint64_t> header_bytes) {
  return encode(header_bytes.value_or(header.size())) + header + data;
}

}  // namespace smelt::zoo
