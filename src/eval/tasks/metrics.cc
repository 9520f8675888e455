// Means over items.
#include "eval/tasks/metrics.h"

#include "eval/statistics.h"

namespace smelt {

std::vector<TaskMetric> mean_metrics(const std::vector<TaskRecord>& records) {
  std::vector<TaskMetric> out;
  if (records.empty()) return out;
  for (const auto& [name, ignored] : records.front().scores) {
    RunningMean mean;
    for (const TaskRecord& record : records) mean.add(record.score(name));
    out.push_back({name, mean.estimate()});
  }
  return out;
}

}  // namespace smelt
