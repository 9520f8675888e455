#include "train/run_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "grammar/schema_values.h"

namespace smelt {
namespace {

constexpr const char* kColumns =
    "step,tokens,loss,learning_rate,gradient_norm,tokens_per_second,seconds,held_out_loss,held_out_bits_per_byte\n";

Error log_error(const std::string& path, int code) {
  return input_error(fmt::format("{}: {}", escape_for_display(path, 4096), std::strerror(code)));
}

}  // namespace

Result<RunLog::File> RunLog::open_cut(const std::string& path, int64_t bytes) {
  File file(std::fopen(path.c_str(), "ae"));
  if (file == nullptr) return log_error(path, errno);
  if (::ftruncate(::fileno(file.get()), bytes) != 0) return log_error(path, errno);
  return file;
}

Result<RunLog> RunLog::open(const std::string& folder, int64_t log_bytes, int64_t csv_bytes) {
  RunLog log;
  log.folder_ = folder;
  SMELT_ASSIGN(log.log_, open_cut(folder + "/log.jsonl", log_bytes));
  SMELT_ASSIGN(log.csv_, open_cut(folder + "/log.csv", csv_bytes));
  log.log_bytes_ = log_bytes;
  log.csv_bytes_ = csv_bytes;
  if (csv_bytes == 0) SMELT_TRY(log.write(log.csv_.get(), log.csv_bytes_, kColumns));
  return log;
}

Status RunLog::write(std::FILE* file, int64_t& bytes, const std::string& line) {
  bytes += static_cast<int64_t>(line.size());
  if (std::fwrite(line.data(), 1, line.size(), file) == line.size() && std::fflush(file) == 0) return {};
  return log_error(folder_ + "/log", errno);
}

Status RunLog::add(const StepFigures& f) {
  SMELT_TRY(write(csv_.get(), csv_bytes_,
                  fmt::format("{},{},{:.6f},{:.6g},{:.5g},{:.1f},{:.2f},,\n", f.step, f.tokens, f.loss, f.learning_rate,
                              f.gradient_norm, f.tokens_per_second, f.seconds)));
  return write(log_.get(), log_bytes_,
               fmt::format("{{\"event\":\"step\",\"step\":{},\"tokens\":{},\"loss\":{:.6f},\"learning_rate\":{:.6g},"
                           "\"gradient_norm\":{:.5g},\"tokens_per_second\":{:.1f},\"seconds\":{:.2f}}}\n",
                           f.step, f.tokens, f.loss, f.learning_rate, f.gradient_norm, f.tokens_per_second, f.seconds));
}

Status RunLog::add(const HeldOutFigures& f) {
  SMELT_TRY(write(csv_.get(), csv_bytes_,
                  fmt::format("{},,,,,,{:.2f},{:.6f},{:.5f}\n", f.step, f.seconds, f.loss, f.bits_per_byte)));
  return write(log_.get(), log_bytes_,
               fmt::format("{{\"event\":\"held_out\",\"step\":{},\"loss\":{:.6f},\"perplexity\":{:.4f},"
                           "\"bits_per_byte\":{:.5f},\"tokens\":{},\"seconds\":{:.2f}}}\n",
                           f.step, f.loss, std::exp(f.loss), f.bits_per_byte, f.n_tokens, f.seconds));
}

Status RunLog::add_sample(int64_t step, const std::string& prompt, const std::string& text) {
  return write(log_.get(), log_bytes_,
               fmt::format("{{\"event\":\"sample\",\"step\":{},\"prompt\":{},\"text\":{}}}\n", step, quote_json(prompt),
                           quote_json(text)));
}

Status RunLog::add_start(const std::string& fields) {
  return write(log_.get(), log_bytes_, "{\"event\":\"start\"," + fields + "}\n");
}

Status RunLog::sync() {
  for (std::FILE* file : {log_.get(), csv_.get()})
    if (::fsync(::fileno(file)) != 0) return log_error(folder_ + "/log", errno);
  return {};
}

}  // namespace smelt
