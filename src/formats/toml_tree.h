// TOML as a tree that knows its lines. toml_tree.cc wraps toml++, and is the only file that includes it.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace smelt {

struct TomlMember;

struct TomlNode {
  using Array = std::vector<TomlNode>;
  using Table = std::vector<TomlMember>;  // by key
  std::variant<bool, int64_t, double, std::string, Array, Table> value;
  int64_t line = 0;  // from 1
};

struct TomlMember {
  std::string key;
  TomlNode node;
};

// The whole document as a table. Dates and times are refused. Errors begin with the file's name and the line.
Result<TomlNode> parse_toml(std::string_view text, const std::string& file_name);

// Reads a table field by field; finish() then refuses what nobody asked for. Errors are "FILE:LINE: field 'a.b': …".
class TomlFields {
 public:
  // `node` must outlive it; one that is no table gives errors.
  TomlFields(const TomlNode& node, std::string path, const std::string& file)
      : node_(node), path_(std::move(path)), file_(file) {}

  const TomlNode* find(const std::string& key);  // null if absent
  bool has(const std::string& key) { return find(key) != nullptr; }
  Result<const TomlNode*> get(const std::string& key);
  Result<std::string> text(const std::string& key);
  Result<std::string> text(const std::string& key, std::string otherwise);
  Result<int64_t> integer(const std::string& key, int64_t otherwise, int64_t min, int64_t max);
  Result<double> number(const std::string& key, double otherwise, double min, double max);
  Result<bool> boolean(const std::string& key, bool otherwise);
  Result<std::vector<std::string>> texts(const std::string& key);  // none if absent
  // One of `names`, as its index.
  Result<size_t> choice(const std::string& key, const std::vector<std::string>& names, size_t otherwise);
  TomlFields table(const TomlNode& node, const std::string& key) const { return {node, name_of(key), file_}; }

  std::string name_of(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }
  Error error(const std::string& key, const std::string& what) const;
  Status finish() const;

 private:
  const TomlNode* look(const std::string& key) const;

  const TomlNode& node_;
  std::string path_;
  const std::string& file_;
  std::set<std::string> asked_;
};

}  // namespace smelt
