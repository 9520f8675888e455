// Checkpoints of a training run: weights, optimizer, random generator, and how far it came. Two are kept; the marker
// "latest", written last, names the newer. Called by the trainer; knows no tensors.
//
//     magic "SMELTCKP" | progress (below) | counts of values and of bytes of the generator's state | values f32 |
//     first moments f32 | second moments f32 | generator's state | hash of all before, u64
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace smelt {

// The file that names the newest checkpoint: there is one if this exists.
inline constexpr const char* kCheckpointMarker = "latest";

struct TrainingProgress {
  uint64_t key = 0;     // of the configuration and data
  int64_t step = 0;     // steps done; the position in the data is a function of it
  double seconds = 0;   // of training so far
  double loss_sum = 0;  // since the last line of the log …
  int64_t loss_steps = 0;
  int64_t log_bytes = 0, csv_bytes = 0;  // of the logs at that time
  int64_t n_threads = 0;                 // sums of other numbers of threads differ in the last bits
};

// All of one length.
struct TrainingBuffers {
  std::span<float> values, first_moments, second_moments;
};

class TrainingCheckpoints {
 public:
  explicit TrainingCheckpoints(std::string folder) : folder_(std::move(folder)) {}

  // Temporary file, fsync, rename; then the marker; then checkpoints older than the one before are removed. When the
  // disk is full, what was there stays.
  Status save(const TrainingProgress& progress, const TrainingBuffers& buffers,
              std::span<const std::byte> random) const;

  struct Loaded {
    TrainingProgress progress;
    std::vector<std::byte> random;
  };
  // The newest that is whole, into the buffers; nothing if there is none. One that is of another key is an error.
  Result<std::optional<Loaded>> load(uint64_t key, const TrainingBuffers& buffers) const;

  void remove_all() const;

 private:
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::vector<std::string> names() const;  // newest first
  void remove_old() const;

  std::string folder_;
};

}  // namespace smelt
