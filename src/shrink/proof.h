// How far a shrunk file is from its source on the held-out text. The source's predictions are computed once.
#pragma once

#include "shrink/shrink_folder.h"
#include "shrink/shrink_model.h"

namespace smelt {

class Proof {
 public:
  static Result<Proof> create(const SourceModel& source, const ShrinkOptions& options, const ShrinkFolder& work,
                              const JobControl& job);
  // The file loaded anew and computed in f32: what the weights lost, and nothing else.
  Result<KlReport> measure(const std::string& path) const;

 private:
  Proof(const ShrinkOptions& options, std::string reference, const JobControl& job)
      : options_(&options), reference_(std::move(reference)), job_(&job) {}
  const ShrinkOptions* options_;
  std::string reference_;
  const JobControl* job_;
};

}  // namespace smelt
