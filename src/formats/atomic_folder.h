// A folder that appears whole or not at all: filled under a temporary name beside its place, then renamed. Destroyed
// before commit(), the temporary folder is removed. Used for Hugging Face folders; single files are AtomicFile's.
#pragma once

#include <string>

#include "base/atomic_file.h"
#include "base/result.h"

namespace smelt {

class AtomicFolder {
 public:
  // With Overwrite::replace an existing folder is replaced only if it is empty or holds a config.json: a slip of the
  // hand must not delete a home folder.
  static Result<AtomicFolder> create(const std::string& path, Overwrite overwrite);

  AtomicFolder(AtomicFolder&& other) noexcept;
  AtomicFolder& operator=(AtomicFolder&&) = delete;
  ~AtomicFolder();

  // Where to write `name` for now.
  std::string file(const std::string& name) const { return temporary_ + "/" + name; }
  Status commit();
  // An error about a file in here, told with the name that the folder was to have.
  Error in_place(Error error) const;

 private:
  AtomicFolder(std::string path, std::string temporary, Overwrite overwrite);
  std::string path_;
  std::string temporary_;  // empty: nothing left to remove
  Overwrite overwrite_;
};

}  // namespace smelt
