// How long a weight of each type takes on this device when a token is written: measured with the kernels that the model
// will be run by, over as many bytes as the model would have in that type, so that what no cache holds comes from
// memory.
#pragma once

#include <map>
#include <vector>

#include "base/thread_pool.h"
#include "shrink/cost_table.h"
#include "shrink/source_model.h"

namespace smelt {

using LatencyTable = std::map<DType, double>;  // seconds a weight, all threads at work

Result<LatencyTable> measure_latency(const SourceModel& source, const std::vector<TensorCost>& costs,
                                     ThreadPool& threads, const JobControl& job);

// Sets BudgetOption::seconds of the items that were made from `costs`. Only what a token reads counts:
// of a mixture the experts in use, of an embedding that is not the output head too next to nothing.
void set_seconds(const SourceModel& source, const std::vector<TensorCost>& costs, const LatencyTable& table,
                 std::vector<BudgetItem>& items);

}  // namespace smelt
