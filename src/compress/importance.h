// Weights of the squared errors in quantizing, from an importance matrix (formats/imatrix.h): an error of a weight
// counts as its input's mean square does. Called by quantize_model.cc; rows are asked for by recode.cc.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/metadata.h"
#include "base/result.h"
#include "formats/imatrix.h"
#include "models/canonical.h"

namespace smelt {

class Importance {
 public:
  // Checks that what the file says of the model's tensors fits their shapes, and that it says something.
  static Result<Importance> make(const Imatrix& imatrix, const CanonicalModel& model, std::string file);

  bool has(const std::string& tensor) const { return means_.contains(tensor); }
  // Weights of the errors in row r into out[columns]; false where nothing is known of the tensor.
  bool row_into(const CanonicalTensor& tensor, int64_t r, float* out) const;
  // llama.cpp's keys, which say in the quantized file what it was made with.
  void describe(Metadata& metadata) const;

 private:
  std::unordered_map<std::string, std::vector<float>> means_;  // [n_matrices][columns]
  std::string file_, dataset_;
  uint32_t n_chunks_ = 0;
};

}  // namespace smelt
