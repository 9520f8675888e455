// From the records of all items to figures with their standard errors.
#pragma once

#include <cstdint>
#include <vector>

#include "eval/tasks/record.h"
#include "eval/tasks/task.h"

namespace smelt {

// Every score that all records have becomes a metric of its name: the mean, with the standard error of the mean. The
// order is that of the first record.
std::vector<TaskMetric> mean_metrics(const std::vector<TaskRecord>& records);

}  // namespace smelt
