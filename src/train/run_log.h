// What a training run tells: log.jsonl (everything) and log.csv (the curves), line by line as it goes. Called by the
// trainer.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "base/result.h"

namespace smelt {

struct StepFigures {
  int64_t step = 0, tokens = 0;  // so far
  double loss = 0;               // nats per token, mean since the line before
  double learning_rate = 0, gradient_norm = 0;
  double tokens_per_second = 0, seconds = 0;
};

struct HeldOutFigures {
  int64_t step = 0;
  double loss = 0;  // nats per token
  double bits_per_byte = 0;
  int64_t n_tokens = 0;  // that were judged
  double seconds = 0;    // of training before
};

class RunLog {
 public:
  // Opens the logs of a folder, cut off at so many bytes: what a run wrote after its last checkpoint is written again.
  static Result<RunLog> open(const std::string& folder, int64_t log_bytes, int64_t csv_bytes);

  Status add(const StepFigures& figures);
  Status add(const HeldOutFigures& figures);
  Status add_sample(int64_t step, const std::string& prompt, const std::string& text);
  Status add_start(const std::string& fields);  // of a JSON object, without braces
  // Everything so far is on the disk.
  Status sync();
  int64_t log_bytes() const { return log_bytes_; }
  int64_t csv_bytes() const { return csv_bytes_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  using File = std::unique_ptr<std::FILE, Close>;
  static Result<File> open_cut(const std::string& path, int64_t bytes);
  Status write(std::FILE* file, int64_t& bytes, const std::string& line);

  std::string folder_;
  File log_, csv_;
  int64_t log_bytes_ = 0, csv_bytes_ = 0;
};

}  // namespace smelt
