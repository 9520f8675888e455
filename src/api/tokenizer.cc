// smelt/tokenizer.h over tokenizers/.
#include "smelt/tokenizer.h"

#include "api/guard.h"
#include "api/handles.h"
#include "models/model.h"

namespace smelt {

TextTokenizer::TextTokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Result<TextTokenizer> TextTokenizer::open(const std::string& path) {
  return guarded([&]() -> Result<TextTokenizer> {
    SMELT_ASSIGN(const Checkpoint checkpoint, Checkpoint::open(path));
    SMELT_ASSIGN(std::shared_ptr<const Tokenizer> tokenizer, load_tokenizer(checkpoint));
    return TextTokenizer(std::make_shared<const Impl>(Impl{std::move(tokenizer)}));
  });
}

int64_t TextTokenizer::n_vocab() const { return impl_->tokenizer->n_vocab(); }

std::vector<int32_t> TextTokenizer::encode(std::string_view text, const TextEncodeOptions& options) const {
  return impl_->tokenizer->encode(text, {.add_special = options.add_special, .parse_special = options.parse_special});
}

std::string TextTokenizer::decode(const std::vector<int32_t>& ids, bool show_special) const {
  return impl_->tokenizer->decode(ids, show_special);
}

bool TextTokenizer::is_end(int32_t id) const { return impl_->tokenizer->is_end(id); }

}  // namespace smelt
