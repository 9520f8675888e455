// Means, resamples and pass@k.
#include "eval/tasks/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "eval/statistics.h"

namespace smelt {
namespace {

constexpr int kResamples = 1000;

std::vector<TaskMetric> mean_metrics(const std::vector<TaskRecord>& records) {
  std::vector<TaskMetric> out;
  for (const auto& [name, ignored] : records.front().scores) {
    RunningMean mean;
    for (const TaskRecord& record : records) mean.add(record.score(name));
    out.push_back({name, mean.estimate()});
  }
  return out;
}

struct SpanFigures {
  double f1 = 0, precision = 0, recall = 0;
};

double share(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

SpanFigures figures_of(const SpanCounts& counts) {
  return {f1_of(counts), share(counts.right, counts.found), share(counts.right, counts.wanted)};
}

SpanCounts& operator+=(SpanCounts& a, const SpanCounts& b) {
  a.right += b.right;
  a.wanted += b.wanted;
  a.found += b.found;
  return a;
}

std::vector<TaskMetric> span_metrics(const std::vector<TaskRecord>& records, uint64_t seed) {
  std::vector<SpanCounts> counts;
  SpanCounts all;
  for (const TaskRecord& record : records) {
    counts.push_back({static_cast<int64_t>(record.score("right")), static_cast<int64_t>(record.score("wanted")),
                      static_cast<int64_t>(record.score("found"))});
    all += counts.back();
  }
  std::mt19937_64 random(seed);
  RunningMean f1, precision, recall;
  for (int i = 0; i < kResamples; ++i) {
    SpanCounts sum;
    for (size_t j = 0; j < counts.size(); ++j) sum += counts[random() % counts.size()];
    const SpanFigures each = figures_of(sum);
    f1.add(each.f1);
    precision.add(each.precision);
    recall.add(each.recall);
  }
  const double root = std::sqrt(static_cast<double>(kResamples));  // standard_error() is of the mean
  const SpanFigures whole = figures_of(all);
  return {{"f1", {whole.f1, f1.standard_error() * root}},
          {"precision", {whole.precision, precision.standard_error() * root}},
          {"recall", {whole.recall, recall.standard_error() * root}}};
}

std::vector<TaskMetric> pass_metrics(const std::vector<TaskRecord>& records, const std::vector<int64_t>& ks) {
  std::vector<TaskMetric> out;
  for (const int64_t k : ks) {
    RunningMean mean;
    bool enough = true;
    for (const TaskRecord& record : records) {
      const auto n = static_cast<int64_t>(record.score("samples"));
      enough = enough && k <= n;
      if (enough) mean.add(pass_at_k(n, static_cast<int64_t>(record.score("passed")), k));
    }
    if (enough) out.push_back({fmt::format("pass@{}", k), mean.estimate()});
  }
  return out;
}

}  // namespace

double pass_at_k(int64_t n, int64_t c, int64_t k) {
  double none = 1;  // of k drawn without putting back
  for (int64_t i = 0; i < k; ++i)
    none *= static_cast<double>(std::max<int64_t>(n - c - i, 0)) / static_cast<double>(n - i);
  return 1 - none;
}

std::vector<TaskMetric> make_metrics(const TaskDefinition& definition, const std::vector<TaskRecord>& records,
                                     uint64_t seed) {
  if (definition.kind == TaskKind::code) return pass_metrics(records, definition.code.k);
  const bool is_spans = definition.kind == TaskKind::text && definition.text.metric == TextMetric::span_f1;
  return is_spans ? span_metrics(records, seed) : mean_metrics(records);
}

}  // namespace smelt
