// The folder OUTPUT.work of a shrink: what is measured and rounded so far, so that a run that was killed goes on where
// it was; and files that only the run needs. Removed when the run succeeds.
#pragma once

#include <string>

#include "shrink/cost_table.h"

namespace smelt {

class ShrinkFolder {
 public:
  // resume: what is there is kept; else the folder begins empty.
  static Result<ShrinkFolder> open(const std::string& path, bool resume);

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  void remove();

  // Kept under a key that says what they were made from; nothing if there is none of that key, or it is damaged.
  std::optional<std::vector<TensorCost>> load_costs(uint64_t key) const;
  Status save_costs(uint64_t key, const std::vector<TensorCost>& costs) const;
  RoundedTensorStore tensors(uint64_t key) const;

 private:
  explicit ShrinkFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace smelt
