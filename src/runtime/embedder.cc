#include "runtime/embedder.h"

#include <algorithm>
#include <cmath>

#include "models/family.h"
#include "runtime/session.h"

namespace smelt {

void pool_into(Pooling pooling, std::span<const float> rows, std::span<float> out) {
  const size_t d = out.size();
  const size_t n = rows.size() / d;
  const size_t begin = pooling == Pooling::last ? n - 1 : 0;
  const size_t end = pooling == Pooling::cls ? 1 : n;
  for (size_t j = 0; j < d; ++j) {
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += static_cast<double>(rows[i * d + j]);
    out[j] = static_cast<float>(sum / static_cast<double>(end - begin));
  }
}

namespace {

void normalize_in_place(std::vector<float>& values) {
  double squares = 0;
  for (const float value : values) squares += static_cast<double>(value) * static_cast<double>(value);
  const double length = std::max(std::sqrt(squares), 1e-12);
  for (float& value : values) value = static_cast<float>(static_cast<double>(value) / length);
}

}  // namespace

Result<Embedder> Embedder::open(const std::string& path, const EmbedOptions& options) {
  SMELT_ASSIGN(Checkpoint opened, Checkpoint::open(path));
  const auto checkpoint = std::make_shared<const Checkpoint>(std::move(opened));
  SMELT_ASSIGN(const ModelFamily* family, find_family(*checkpoint));
  Embedder out;
  out.options_ = options;
  if (family->load_encoder != nullptr) {
    SMELT_ASSIGN(auto encoder, Encoder::load(checkpoint, options.compute));
    SMELT_ASSIGN(auto threads, make_threads(options.n_threads));
    out.encoder_.emplace(std::move(encoder), std::move(threads));
  } else {
    SMELT_ASSIGN(out.model_, Model::load(checkpoint, options.compute));
  }
  SMELT_ASSIGN(out.tokenizer_, load_tokenizer(*checkpoint));
  SMELT_ASSIGN(out.embedding_, parse_embedding_config(*checkpoint, out.config()));
  out.embedding_.pooling = options.pooling.value_or(out.embedding_.pooling);
  out.embedding_.normalize = options.normalize.value_or(out.embedding_.normalize);
  return out;
}

Result<std::vector<std::vector<float>>> Embedder::embed(std::span<const std::string> texts, const CancelToken* cancel) {
  SMELT_ASSIGN(const auto ids, encode_texts(*tokenizer_, texts, embedding_.max_tokens));
  std::vector<std::vector<float>> out(texts.size());
  const auto pool = [&](size_t text, std::span<const float> rows) -> Status {
    out[text].resize(static_cast<size_t>(config().d_model));
    pool_into(embedding_.pooling, rows, out[text]);
    if (embedding_.normalize) normalize_in_place(out[text]);
    return {};
  };
  SMELT_TRY(encoder_ ? encoder_->run(ids, cancel, pool) : run_decoder(ids, cancel, pool));
  return out;
}

Status Embedder::run_decoder(std::span<const std::vector<TokenId>> texts, const CancelToken* cancel,
                             const TextEncoder::Visit& visit) {
  size_t longest = 1;
  for (const std::vector<TokenId>& text : texts) longest = std::max(longest, text.size());
  const KvType kv_type = options_.compute == Compute::f32 ? KvType::f32 : KvType::f16;
  SMELT_ASSIGN(Session session, Session::create(model_, {.n_ctx = static_cast<int64_t>(longest),
                                                         .n_threads = options_.n_threads,
                                                         .kv_type = kv_type}));
  std::vector<float> rows;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (cancel != nullptr && cancel->cancelled()) return cancelled_error();
    rows.clear();
    session.truncate(0);
    SMELT_TRY(session.append_hidden(texts[i], [&rows](int64_t, std::span<const float> row) -> Status {
      rows.insert(rows.end(), row.begin(), row.end());
      return {};
    }));
    SMELT_TRY(visit(i, rows));
  }
  return {};
}

}  // namespace smelt
