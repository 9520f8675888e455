// The folder OUTPUT.work of a training run: tokenizer, token ids, logs and checkpoints, so that a run that was cut
// short goes on where it was. Removed when the run succeeds.
#pragma once

#include <string>

#include "base/result.h"

namespace smelt {

class WorkFolder {
 public:
  enum class Start : uint8_t {
    fresh,   // refuses a folder that holds a checkpoint
    resume,  // goes on with it, if there is one
    anew,    // removes it
  };
  // The key says what the run is of; a folder of another is refused unless the start is anew.
  static Result<WorkFolder> open(const std::string& output, uint64_t key, Start start);

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  uint64_t key() const { return key_; }
  // Its files, and the folder if nothing else is in it.
  void remove() const;

 private:
  WorkFolder(std::string path, uint64_t key) : path_(std::move(path)), key_(key) {}
  std::string path_;
  uint64_t key_;
};

}  // namespace smelt
