// The items file: JSON lines that grow as items are done, so that a run which was interrupted goes on where it was. The
// first line says what was run; then comes a line an item (TaskRecord).
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "eval/tasks/record.h"

namespace smelt {

// What must be the same for results to belong together: names and values, in order.
using RunSettings = std::vector<std::pair<std::string, std::string>>;

enum class ItemsMode : uint8_t { create, replace, resume };

class ItemsFile {
 public:
  // Nothing is written for an empty path. `resume` reads the records that are there, drops a last line that was cut,
  // and goes on behind; a file of other settings is refused, naming what differs. No file there yet: as `create`.
  static Result<ItemsFile> open(const std::string& path, ItemsMode mode, const RunSettings& settings);

  std::vector<TaskRecord> take_records() { return std::move(records_); }
  // On disk when it returns, as far as a crash of this program goes.
  Status add(const TaskRecord& record);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  Status read(const RunSettings& settings);
  Status create(bool exclusive, const RunSettings& settings);
  Status write(const std::string& line);
  Error system_error(const char* what) const;

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::vector<TaskRecord> records_;
};

}  // namespace smelt
