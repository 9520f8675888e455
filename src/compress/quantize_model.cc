// The story of quantizing, on one page: open the checkpoint, see it in GGUF's terms, plan every tensor's type, stream
// the tensors through. Each line's detail is one file below: models/canonical.h, quantize_plan.cc (mix_rules.h,
// override_rules.h), gguf_output.cc (recode.h).
#include "compress/quantize_model.h"

#include "compress/gguf_output.h"

namespace smelt {

Result<QuantizePlan> quantize_model(const std::string& input, const std::string& output, const QuantizeOptions& options,
                                    const JobControl& job) {
  SMELT_ASSIGN(Checkpoint opened, Checkpoint::open(input));
  auto checkpoint = std::make_shared<const Checkpoint>(std::move(opened));
  SMELT_TRY(refuse_same_file(*checkpoint, input, output));
  SMELT_ASSIGN(const CanonicalModel model, to_gguf_terms(checkpoint));
  SMELT_ASSIGN(QuantizePlan plan, plan_quantization(model, options));
  SMELT_TRY(write_gguf(model, plan, output, options, job));
  return plan;
}

}  // namespace smelt
