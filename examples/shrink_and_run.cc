// Makes a model smaller and lets the small one go on with a text: shrink_and_run MODEL SMALL.gguf
// Only public headers (include/smelt/) are used; CMakeLists.txt beside it is a project of its own, as a user would
// have.
#include <iostream>

#include "smelt/quantize.h"
#include "smelt/text_session.h"

static int fail(const smelt::Error& error) {
  std::cerr << "shrink_and_run: " << error.message << "\n";
  return error.kind == smelt::ErrorKind::usage ? 2 : 1;
}

int main(int argc, char** argv) {
  if (argc != 3) return fail(smelt::usage_error("wanted MODEL SMALL.gguf"));
  const auto small = smelt::quantize({.input = argv[1], .output = argv[2], .type = "Q4_K_M"});
  if (!small) return fail(small.error());
  std::cout << small->source_bytes << " bytes of weights became a file of " << small->file_bytes << "\n";

  const auto model = smelt::TextModel::open(argv[2]);
  if (!model) return fail(model.error());
  auto session = smelt::TextSession::create(*model);
  if (!session) return fail(session.error());
  const smelt::TextRequest request = {.n_predict = 60, .sampling = {.temperature = 0}};
  const auto reply = session->generate("Once upon a time", request);
  if (!reply) return fail(reply.error());
  std::cout << "Once upon a time" << reply->text << "\n";
}
