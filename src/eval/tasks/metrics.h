// From the records of all items to figures with their standard errors.
#pragma once

#include <cstdint>
#include <vector>

#include "eval/tasks/record.h"
#include "eval/tasks/task.h"

namespace smelt {

// The definition's own metric first:
//   choice, exact match, ROUGE   means of the records' scores, with the standard error of the mean
//   spans                        f1, precision, recall over all items together, with the standard deviation of
//                                resamples of the items (bootstrap, by the seed)
//   code                         pass@k, the mean over the items of pass_at_k
std::vector<TaskMetric> make_metrics(const TaskDefinition& definition, const std::vector<TaskRecord>& records,
                                     uint64_t seed);

// The chance that one of k programs is right, by n of which c are: 1 - C(n - c, k) / C(n, k) (Chen et al., arXiv
// 2107.03374, without bias). k <= n.
double pass_at_k(int64_t n, int64_t c, int64_t k);

}  // namespace smelt
