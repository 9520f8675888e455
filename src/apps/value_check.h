// Reads every weight of a checkpoint once and looks for values that are no numbers: what `smelt inspect` adds to the
// checks of the readers.
#pragma once

#include "base/progress.h"
#include "base/result.h"
#include "formats/checkpoint.h"

namespace smelt {

// An infinity or NaN is an error that names tensor, row and column.
Status check_values(const Checkpoint& checkpoint, int n_threads, const JobControl& job);

}  // namespace smelt
