#include "shrink/proof.h"

namespace smelt {
namespace {

EvalOptions eval_options(const ShrinkOptions& options) {
  return {.n_ctx = options.n_ctx, .n_threads = options.n_threads, .kv_type = KvType::f32};
}

}  // namespace

Result<Proof> Proof::create(const SourceModel& source, const ShrinkOptions& options, const ShrinkFolder& work,
                            const JobControl& job) {
  const std::string path = work.file("held-out.ref");
  SMELT_TRY(save_reference(source.loaded, options.held_out.text, {path, Overwrite::replace}, eval_options(options), job)
                .with_context("held-out text"));
  return Proof(options, path, job);
}

Result<KlReport> Proof::measure(const std::string& path) const {
  SMELT_ASSIGN(const LoadedModel model, load_model(path, Compute::f32));
  return evaluate_kl_against_file(model, reference_, options_->held_out.text, eval_options(*options_), *job_);
}

}  // namespace smelt
