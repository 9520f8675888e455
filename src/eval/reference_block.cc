// Packing and unpacking of blocks; zstd is wrapped here.
#include "eval/reference_block.h"

#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "base/check.h"
#include "formats/byte_reader.h"
#include "formats/byte_writer.h"

namespace smelt {
namespace {

constexpr int kZstdLevel = 3;
constexpr int kWindowLog = 21;  // what zstd may keep of the past, and allocates when a frame says so: 2 MiB
constexpr size_t kUnpackStep = 1 << 16;

void put_leb128(ByteWriter& out, uint32_t value) {
  for (; value >= 0x80; value >>= 7) out.put(static_cast<uint8_t>(value | 0x80));
  out.put(static_cast<uint8_t>(value));
}

std::optional<uint32_t> read_leb128(ByteReader& in) {
  uint64_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    const auto byte = in.read<uint8_t>();
    if (!byte) return std::nullopt;
    value |= static_cast<uint64_t>(*byte & 0x7F) << shift;
    if (*byte < 0x80) return value <= UINT32_MAX ? std::optional(static_cast<uint32_t>(value)) : std::nullopt;
  }
  return std::nullopt;
}

std::string format_block(const ReferenceBlock& block) {
  ByteWriter out;
  for (const ReferenceBlock::RowHead& head : block.heads) {
    out.put(head.n_kept);
    out.put(static_cast<uint32_t>(head.top));
    out.put(head.true_log_p);
    out.put(head.tail);
  }
  size_t at = 0;
  for (const ReferenceBlock::RowHead& head : block.heads) {
    TokenId expected = 0;
    for (uint32_t k = 0; k < head.n_kept; ++k, ++at) {
      put_leb128(out, static_cast<uint32_t>(block.ids[at] - expected));
      expected = block.ids[at] + 1;
    }
  }
  for (const uint16_t code : block.codes) out.put(static_cast<uint8_t>(code & 0xFF));
  for (const uint16_t code : block.codes) out.put(static_cast<uint8_t>(code >> 8));
  return out.take();
}

// Unpacks at most `limit` bytes; the buffer grows with what really comes.
Result<std::vector<std::byte>> decompress(std::span<const std::byte> frame, uint64_t limit) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  if (context == nullptr) return input_error("not enough memory");
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowLog);
  std::vector<std::byte> out;
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  size_t filled = 0;
  size_t rest = 1;
  while (rest != 0) {
    if (filled == out.size()) out.resize(std::min<uint64_t>(std::max(kUnpackStep, 2 * out.size()), limit + 1));
    ZSTD_outBuffer to{out.data(), out.size(), filled};
    rest = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(rest) != 0) return input_error(fmt::format("damaged: zstd: {}", ZSTD_getErrorName(rest)));
    if (to.pos > limit) return input_error(fmt::format("damaged: unpacks to more than {} bytes", limit));
    if (rest != 0 && to.pos == filled && in.pos == in.size) return input_error("damaged: its zstd frame is cut short");
    filled = to.pos;
  }
  if (in.pos != in.size) return input_error("damaged: bytes follow its zstd frame");
  out.resize(filled);
  return out;
}

Status parse_heads(ByteReader& in, int64_t n_rows, int64_t n_vocab, ReferenceBlock& block) {
  for (int64_t i = 0; i < n_rows; ++i) {
    const auto n_kept = in.read<uint32_t>();
    const auto top = in.read<uint32_t>();
    const auto true_log_p = in.read<float>();
    const auto tail = in.read<float>();
    if (!n_kept || !top || !true_log_p || !tail)
      return input_error(fmt::format("damaged: it has {} of {} rows", i, n_rows));
    if (*n_kept < 1 || *n_kept > n_vocab)
      return input_error(fmt::format("damaged: row {} keeps {} of {} tokens", i, *n_kept, n_vocab));
    if (*top >= n_vocab)
      return input_error(fmt::format("damaged: row {} has token {}, the vocabulary {}", i, *top, n_vocab));
    if (!(*true_log_p <= 0) || !std::isfinite(*true_log_p) || !(*tail >= 0 && *tail <= 1))
      return input_error(fmt::format("damaged: row {} has probabilities out of range", i));
    block.heads.push_back({*n_kept, static_cast<TokenId>(*top), *true_log_p, *tail});
  }
  return {};
}

Status parse_ids(ByteReader& in, int64_t n_vocab, ReferenceBlock& block) {
  for (size_t i = 0; i < block.heads.size(); ++i) {
    int64_t expected = 0;
    for (uint32_t k = 0; k < block.heads[i].n_kept; ++k) {
      const auto gap = read_leb128(in);
      if (!gap) return input_error(fmt::format("damaged: the kept tokens end in row {}", i));
      const int64_t id = expected + *gap;
      if (id >= n_vocab)
        return input_error(fmt::format("damaged: row {} has token {}, the vocabulary {}", i, id, n_vocab));
      block.ids.push_back(static_cast<TokenId>(id));
      expected = id + 1;
    }
  }
  return {};
}

Status parse_codes(ByteReader& in, ReferenceBlock& block) {
  const size_t n = block.ids.size();
  const auto low = in.take(n);
  const auto high = in.take(n);
  if (!low || !high || in.remaining() != 0)
    return input_error(fmt::format("damaged: {} kept tokens need {} bytes of codes, it has {}", n, 2 * n,
                                   (low ? n : 0) + in.remaining()));
  block.codes.resize(n);
  for (size_t k = 0; k < n; ++k)
    block.codes[k] = static_cast<uint16_t>(static_cast<unsigned>((*low)[k]) | static_cast<unsigned>((*high)[k]) << 8);
  size_t first = 0;
  for (size_t i = 0; i < block.heads.size(); ++i) {
    if (!is_distribution(block.row(i, first)))
      return input_error(fmt::format("damaged: the probabilities of row {} do not add up to one", i));
    first += block.heads[i].n_kept;
  }
  return {};
}

}  // namespace

void ReferenceBlock::add(const ReferenceRow& row) {
  heads.push_back({static_cast<uint32_t>(row.ids.size()), row.top, row.true_log_p, row.tail});
  ids.insert(ids.end(), row.ids.begin(), row.ids.end());
  codes.insert(codes.end(), row.codes.begin(), row.codes.end());
}

ReferenceRow ReferenceBlock::row(size_t i, size_t first_kept) const {
  const RowHead& head = heads[i];
  SMELT_CHECK(first_kept + head.n_kept <= ids.size());
  return {head.top, head.true_log_p, head.tail, std::span(ids).subspan(first_kept, head.n_kept),
          std::span(codes).subspan(first_kept, head.n_kept)};
}

Result<std::string> pack_block(const ReferenceBlock& block) {
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  if (context == nullptr) return input_error("not enough memory");
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kZstdLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, kWindowLog);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  const std::string raw = format_block(block);
  std::string packed(ZSTD_compressBound(raw.size()), '\0');
  const size_t size = ZSTD_compress2(context.get(), packed.data(), packed.size(), raw.data(), raw.size());
  if (ZSTD_isError(size) != 0) return input_error(fmt::format("zstd: {}", ZSTD_getErrorName(size)));
  packed.resize(size);
  return packed;
}

Result<ReferenceBlock> unpack_block(std::span<const std::byte> frame, int64_t n_rows, int64_t n_vocab) {
  const auto limit = static_cast<uint64_t>(n_rows * (kRowHeadBytes + kMaxKeptBytes * n_vocab));
  SMELT_ASSIGN(const std::vector<std::byte> raw, decompress(frame, limit));
  ByteReader in(raw);
  ReferenceBlock block;
  SMELT_TRY(parse_heads(in, n_rows, n_vocab, block));
  SMELT_TRY(parse_ids(in, n_vocab, block));
  SMELT_TRY(parse_codes(in, block));
  return block;
}

}  // namespace smelt
