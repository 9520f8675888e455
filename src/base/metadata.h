// Typed key-value metadata in file order: GGUF's key-value section, or the fields of Hugging Face JSON files flattened
// with dots ("rope_scaling.factor"). Shared by formats/ (which reads and writes it), tokenizers/ and models/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace smelt {

// GGUF's value types keep their width, so that a file read and written again is the same.
enum class MetaType { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };  // GGUF's numbering

const char* meta_type_name(MetaType type);

// Arrays are homogeneous; integers widen to int64_t/uint64_t, floats to double, bool to uint64_t 0/1. Arrays of arrays
// are not kept (a reader notes and skips or refuses them).
struct MetaArray {
  using Values =
      std::variant<std::vector<int64_t>, std::vector<uint64_t>, std::vector<double>, std::vector<std::string>>;

  MetaArray() = default;
  MetaArray(MetaType element_type, Values list) : element(element_type), values(std::move(list)) {}
  // libstdc++ (up to 13) destroys what was never made when the copy of a variant's vector runs out of memory; so the
  // vector is copied first and then moved in.
  MetaArray(const MetaArray& other);
  MetaArray(MetaArray&&) noexcept = default;
  MetaArray& operator=(MetaArray other) noexcept;
  ~MetaArray() = default;

  size_t size() const;

  MetaType element = MetaType::i32;
  Values values;
};

// Where a value stands in its file, for messages: a byte offset in a binary file, line and column in a text (columns
// count bytes). Nothing is known of values that were made here.
struct MetaPlace {
  uint64_t line = 0;  // 0: `position` is a byte offset
  uint64_t position = 0;
};

struct MetaValue {
  MetaType type = MetaType::u32;
  std::variant<int64_t, uint64_t, double, std::string, MetaArray> value;  // signed | unsigned, bool | float | …
  MetaPlace place{};

  static MetaValue of_u32(uint32_t v) { return {MetaType::u32, uint64_t{v}}; }
  static MetaValue of_u64(uint64_t v) { return {MetaType::u64, v}; }
  static MetaValue of_i32(int32_t v) { return {MetaType::i32, int64_t{v}}; }
  static MetaValue of_i64(int64_t v) { return {MetaType::i64, v}; }
  static MetaValue of_f32(float v) { return {MetaType::f32, double{v}}; }
  static MetaValue of_f64(double v) { return {MetaType::f64, v}; }
  static MetaValue of_bool(bool v) { return {MetaType::boolean, uint64_t{v}}; }
  static MetaValue of_string(std::string v) { return {MetaType::string, std::move(v)}; }
  static MetaValue of_strings(std::vector<std::string> v);
  static MetaValue of_f32s(std::vector<double> v);
  static MetaValue of_i32s(std::vector<int64_t> v);
};

class Metadata {
 public:
  void set(const std::string& key, MetaValue value);  // replaces an earlier value of that key, keeping its place
  bool erase(const std::string& key);
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  const MetaValue* find(std::string_view key) const;
  const std::vector<std::pair<std::string, MetaValue>>& entries() const { return entries_; }
  // "key 'llama.block_count' at byte 312", "key 'rope_scaling.factor' at line 7:12", "key 'x'" where the place is
  // unknown: how every message about a key begins.
  std::string title(std::string_view key) const;

  // get_x: an absent key is an error that names it. find_x: an absent key (or a JSON null) is nullopt. Both: a value of
  // another type is an error that names key, found type and wanted type. Integers of any width convert if they fit;
  // get_uint refuses negatives. Floats accept integers too; non-finite floats are returned as they are.
  Result<uint64_t> get_uint(std::string_view key) const;
  Result<double> get_float(std::string_view key) const;
  Result<bool> get_bool(std::string_view key) const;
  Result<std::string> get_string(std::string_view key) const;
  Result<std::optional<uint64_t>> find_uint(std::string_view key) const;
  Result<std::optional<double>> find_float(std::string_view key) const;
  Result<std::optional<bool>> find_bool(std::string_view key) const;
  Result<std::optional<std::string>> find_string(std::string_view key) const;
  // Pointers into this object; nullptr when absent.
  Result<const std::vector<std::string>*> find_strings(std::string_view key) const;
  Result<std::optional<std::vector<double>>> find_floats(std::string_view key) const;  // any numeric array
  Result<std::optional<std::vector<int64_t>>> find_ints(std::string_view key) const;   // any integer array

 private:
  std::vector<std::pair<std::string, MetaValue>> entries_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace smelt
