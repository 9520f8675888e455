// For tests of this folder: definitions, data and a trained model with a tokenizer.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/mapped_file.h"
#include "base/test_folder.h"
#include "eval/tasks/locate.h"
#include "eval/tasks/task.h"

namespace smelt {

inline const std::string kTaskGolden = std::string(SMELT_SOURCE_DIR) + "/tests/golden/tasks/";
inline const std::string kBooks = std::string(SMELT_SOURCE_DIR) + "/models/books-3m";

inline LoadedModel load_books(Compute compute = Compute::f32) {
  auto loaded = load_model(kBooks, compute);
  EXPECT_TRUE(loaded) << loaded.error().message;
  return std::move(*loaded);
}

inline std::string read_all(const std::string& path) {
  auto text = read_file(path, 1 << 26);
  EXPECT_TRUE(text) << text.error().message;
  return text ? *text : "";
}

inline TaskInputs load_inputs(const std::string& definition, const std::string& data = "") {
  auto inputs = load_task_inputs(definition, {{}, data});
  EXPECT_TRUE(inputs) << inputs.error().message;
  return std::move(*inputs);
}

inline TaskReport run_or_die(const LoadedModel& model, const TaskInputs& inputs, const TaskOptions& options) {
  auto report = run_task(model, inputs, options, {});
  EXPECT_TRUE(report) << report.error().message;
  return report ? std::move(*report) : TaskReport();
}

}  // namespace smelt
