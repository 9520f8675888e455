// GGUF metadata values: u32 type, then the value; an array is u32 element type, u64 count, elements. Called by
// gguf_reader.cc and gguf_writer.cc.
#include "formats/gguf_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace smelt::gguf {
namespace {

using Scalar = std::variant<int64_t, uint64_t, double>;

// Vectors grow as values are really read; a small first step saves the first few copies.
constexpr uint64_t kFirstReserve = 4096;

Error ends_early(const ByteReader& reader) {
  return input_error(fmt::format("the file ends at byte {}, inside the value; the file is truncated", reader.size()));
}

template <class T>
void append_numbers(std::span<const std::byte> raw, uint64_t count, std::vector<int64_t>* ints,
                    std::vector<uint64_t>* uints, std::vector<double>* floats) {
  for (uint64_t i = 0; i < count; ++i) {
    const T value = load_little_endian<T>(raw.data() + i * sizeof(T));
    if (ints != nullptr) ints->push_back(static_cast<int64_t>(value));
    if (uints != nullptr) uints->push_back(static_cast<uint64_t>(value));
    if (floats != nullptr) floats->push_back(static_cast<double>(value));
  }
}

enum class NumberClass { signed_integer, unsigned_integer, floating };

NumberClass number_class(MetaType type) {
  switch (type) {
    case MetaType::i8:
    case MetaType::i16:
    case MetaType::i32:
    case MetaType::i64:
      return NumberClass::signed_integer;
    case MetaType::f32:
    case MetaType::f64:
      return NumberClass::floating;
    default:
      return NumberClass::unsigned_integer;  // bool included
  }
}

// `raw` holds count values of a numeric type.
void append_numbers_of(MetaType type, std::span<const std::byte> raw, uint64_t count, MetaArray& out) {
  auto* ints = std::get_if<std::vector<int64_t>>(&out.values);
  auto* uints = std::get_if<std::vector<uint64_t>>(&out.values);
  auto* floats = std::get_if<std::vector<double>>(&out.values);
  switch (type) {
    case MetaType::i8:
      return append_numbers<int8_t>(raw, count, ints, uints, floats);
    case MetaType::u16:
      return append_numbers<uint16_t>(raw, count, ints, uints, floats);
    case MetaType::i16:
      return append_numbers<int16_t>(raw, count, ints, uints, floats);
    case MetaType::u32:
      return append_numbers<uint32_t>(raw, count, ints, uints, floats);
    case MetaType::i32:
      return append_numbers<int32_t>(raw, count, ints, uints, floats);
    case MetaType::f32:
      return append_numbers<float>(raw, count, ints, uints, floats);
    case MetaType::u64:
      return append_numbers<uint64_t>(raw, count, ints, uints, floats);
    case MetaType::i64:
      return append_numbers<int64_t>(raw, count, ints, uints, floats);
    case MetaType::f64:
      return append_numbers<double>(raw, count, ints, uints, floats);
    default:
      return append_numbers<uint8_t>(raw, count, ints, uints, floats);
  }
}

MetaArray empty_array_of(MetaType element) {
  if (element == MetaType::string) return {element, std::vector<std::string>()};
  switch (number_class(element)) {
    case NumberClass::signed_integer:
      return {element, std::vector<int64_t>()};
    case NumberClass::floating:
      return {element, std::vector<double>()};
    case NumberClass::unsigned_integer:
      return {element, std::vector<uint64_t>()};
  }
  return {element, std::vector<uint64_t>()};
}

Status check_booleans(MetaType type, std::span<const std::byte> raw) {
  if (type != MetaType::boolean) return {};
  const auto bad = std::find_if(raw.begin(), raw.end(), [](std::byte b) { return b > std::byte{1}; });
  if (bad == raw.end()) return {};
  return input_error(fmt::format("a bool is {}, must be 0 or 1; the file is damaged", static_cast<int>(*bad)));
}

Result<std::string_view> read_string(ByteReader& reader) {
  const auto length = reader.read<uint64_t>();
  if (!length) return ends_early(reader);
  const uint64_t left = reader.remaining();
  const auto text = reader.take(*length);
  if (!text) {
    return input_error(fmt::format(
        "a string of {} bytes, but only {} are left in the file; the file is truncated or damaged", *length, left));
  }
  if (reader.position() > kMaxMetadataBytes) {
    return input_error(fmt::format("a string of {} bytes makes the metadata longer than {}; the file is damaged",
                                   *length, kMaxMetadataBytes));
  }
  return as_text(*text);
}

Result<MetaType> read_type(ByteReader& reader, const char* what) {
  const auto type = reader.read<uint32_t>();
  if (!type) return ends_early(reader);
  if (*type >= kMetaTypes) {
    return input_error(fmt::format("{} {} is unknown (0 to {} exist); the file is damaged or newer than this program",
                                   what, *type, kMetaTypes - 1));
  }
  return static_cast<MetaType>(*type);
}

Status read_strings(ByteReader& reader, uint64_t count, std::vector<std::string>& out) {
  for (uint64_t i = 0; i < count; ++i) {
    auto text = read_string(reader);
    if (!text) return std::move(text).with_context(fmt::format("element {} of {}", i, count)).error();
    out.emplace_back(*text);
  }
  return {};
}

Result<MetaValue> read_array(ByteReader& reader, ValueBudget& budget) {
  SMELT_ASSIGN(const MetaType element, read_type(reader, "array element type"));
  if (element == MetaType::array) {
    return input_error("an array of arrays is not supported; remove this key from the file");
  }
  const auto count = reader.read<uint64_t>();
  if (!count) return ends_early(reader);
  const uint64_t element_bytes = element == MetaType::string ? 8 : kValueBytes[static_cast<size_t>(element)];
  if (*count > reader.remaining() / element_bytes) {
    return input_error(
        fmt::format("an array of {} values of type {}, but only {} bytes are left in the file; the file is "
                    "truncated or damaged",
                    *count, meta_type_name(element), reader.remaining()));
  }
  if (*count > budget.array_values) {
    return input_error(
        fmt::format("an array of {} values; all arrays of a file together may have {}", *count, kMaxArrayValues));
  }
  budget.array_values -= *count;
  MetaArray array = empty_array_of(element);
  std::visit([&](auto& list) { list.reserve(std::min(*count, kFirstReserve)); }, array.values);
  if (element == MetaType::string) {
    SMELT_TRY(read_strings(reader, *count, std::get<std::vector<std::string>>(array.values)));
  } else {
    const auto raw = reader.take(*count * element_bytes);  // fits: compared above
    SMELT_TRY(check_booleans(element, *raw));
    append_numbers_of(element, *raw, *count, array);
  }
  return MetaValue{MetaType::array, std::move(array)};
}

Result<MetaValue> read_number(ByteReader& reader, MetaType type) {
  const auto raw = reader.take(kValueBytes[static_cast<size_t>(type)]);
  if (!raw) return ends_early(reader);
  SMELT_TRY(check_booleans(type, *raw));
  MetaArray one = empty_array_of(type);
  append_numbers_of(type, *raw, 1, one);
  MetaValue value{type, uint64_t{0}};
  if (const auto* ints = std::get_if<std::vector<int64_t>>(&one.values)) value.value = ints->front();
  if (const auto* uints = std::get_if<std::vector<uint64_t>>(&one.values)) value.value = uints->front();
  if (const auto* floats = std::get_if<std::vector<double>>(&one.values)) value.value = floats->front();
  return value;
}

Error unfit(MetaType type) {
  return input_error(fmt::format("internal: a value does not fit its type {}", meta_type_name(type)));
}

template <class T, class From>
Status write_integer(From value, MetaType type, ByteWriter& writer) {
  if (value < static_cast<From>(std::numeric_limits<T>::min()) ||
      value > static_cast<From>(std::numeric_limits<T>::max())) {
    return unfit(type);
  }
  writer.put(static_cast<T>(value));
  return {};
}

Status write_number(MetaType type, int64_t value, ByteWriter& writer) {
  switch (type) {
    case MetaType::i8:
      return write_integer<int8_t>(value, type, writer);
    case MetaType::i16:
      return write_integer<int16_t>(value, type, writer);
    case MetaType::i32:
      return write_integer<int32_t>(value, type, writer);
    case MetaType::i64:
      return write_integer<int64_t>(value, type, writer);
    default:
      return unfit(type);
  }
}

Status write_number(MetaType type, uint64_t value, ByteWriter& writer) {
  switch (type) {
    case MetaType::boolean:
      writer.put(static_cast<uint8_t>(value != 0));
      return {};
    case MetaType::u8:
      return write_integer<uint8_t>(value, type, writer);
    case MetaType::u16:
      return write_integer<uint16_t>(value, type, writer);
    case MetaType::u32:
      return write_integer<uint32_t>(value, type, writer);
    case MetaType::u64:
      return write_integer<uint64_t>(value, type, writer);
    default:
      return unfit(type);
  }
}

Status write_number(MetaType type, double value, ByteWriter& writer) {
  if (type == MetaType::f32) {
    writer.put(static_cast<float>(value));
  } else if (type == MetaType::f64) {
    writer.put(value);
  } else {
    return unfit(type);
  }
  return {};
}

Status write_number(MetaType type, const std::string& text, ByteWriter& writer) {
  if (type != MetaType::string) return unfit(type);
  writer.put_string(text);
  return {};
}

Status write_array(const MetaArray& array, ByteWriter& writer) {
  writer.put(static_cast<uint32_t>(array.element));
  writer.put(static_cast<uint64_t>(array.size()));
  return std::visit(
      [&](const auto& list) -> Status {
        for (const auto& value : list) SMELT_TRY(write_number(array.element, value, writer));
        return {};
      },
      array.values);
}

}  // namespace

Result<MetaValue> read_gguf_value(ByteReader& reader, ValueBudget& budget) {
  SMELT_ASSIGN(const MetaType type, read_type(reader, "value type"));
  if (type == MetaType::array) return read_array(reader, budget);
  if (type != MetaType::string) return read_number(reader, type);
  SMELT_ASSIGN(const std::string_view text, read_string(reader));
  return MetaValue::of_string(std::string(text));
}

Status write_gguf_value(const MetaValue& value, ByteWriter& writer) {
  writer.put(static_cast<uint32_t>(value.type));
  return std::visit(
      [&](const auto& content) -> Status {
        if constexpr (std::is_same_v<std::decay_t<decltype(content)>, MetaArray>) {
          return value.type == MetaType::array ? write_array(content, writer) : Status(unfit(value.type));
        } else {
          return write_number(value.type, content, writer);
        }
      },
      value.value);
}

}  // namespace smelt::gguf
