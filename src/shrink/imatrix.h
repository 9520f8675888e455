// The importance matrix of a model on a text (formats/imatrix.h): mean squares of the inputs of every weight matrix,
// the output head's included, per expert for mixtures. The text is cut into windows as eval/ does it; all positions
// count. Computed in f32; results do not depend on the number of threads.
#pragma once

#include <string>
#include <string_view>

#include "base/progress.h"
#include "formats/imatrix.h"
#include "shrink/source_model.h"

namespace smelt {

struct ImatrixOptions {
  int64_t n_ctx = 0;        // window; 0: 512, less if the training context is
  int64_t max_windows = 0;  // 0: all
  int n_threads = 0;
};

Result<Imatrix> measure_imatrix(const SourceModel& source, std::string_view text, const std::string& text_name,
                                const ImatrixOptions& options, const JobControl& job);

}  // namespace smelt
