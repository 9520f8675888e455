#include "templates/template.h"

#include "templates/evaluator.h"

namespace smelt::jinja {

Result<Template> Template::parse(std::string_view source) {
  SMELT_ASSIGN(Syntax syntax, parse_template(source).with_context("chat template"));
  return Template(std::make_shared<const Syntax>(std::move(syntax)));
}

Result<Text> Template::render(const std::vector<std::pair<std::string, Value>>& variables,
                              const RenderOptions& options) const {
  Budget budget(options.limits);
  Evaluator evaluator(budget, options.now != 0 ? options.now : std::time(nullptr));
  TextBuilder out(budget);
  SMELT_TRY(evaluator.run(*syntax_, variables, out).with_context("chat template"));
  return out.take();
}

}  // namespace smelt::jinja
