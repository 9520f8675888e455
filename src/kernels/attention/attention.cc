// Attention spread over threads. Slices of few tokens: (KV head, chunk of keys) pairs, then the chunks of each row are
// merged in order. Longer slices: (KV head, tile of queries) pairs.
#include "kernels/attention/attention.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "kernels/attention/kernel.h"

namespace smelt {
namespace {

constexpr const AttentionKernel* kKernels[] = {
#define SMELT_KERNEL(isa) &attention_##isa,
#include "kernels/attention/kernels.inc"
#undef SMELT_KERNEL
};

constexpr float kLog2E = 1.44269504F;
constexpr int64_t kChunk = 512;        // keys that are folded in one go, in slices of few tokens
constexpr int64_t kTileRows = 96;      // queries that share a tile of keys and values, in longer slices
constexpr int64_t kMinWork = 1 << 16;  // multiplications worth handing to another thread
constexpr int64_t kAlign = 16;         // floats: a cache line

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }
int64_t padded_head(int64_t d_head) { return round_up(d_head, 16); }
int64_t tile_tokens(int64_t group) { return std::max<int64_t>(1, kTileRows / group); }

// Maximum, sum and accumulators of n rows, in one piece of memory.
struct RowStates {
  float *acc, *max, *sum;
  static int64_t floats(int64_t n, int64_t d) { return round_up(n * (d + 2), kAlign); }
  static RowStates at(float* memory, int64_t n, int64_t d) { return {memory, memory + n * d, memory + n * (d + 1)}; }
  void clear(int64_t n, int64_t d) const {
    std::fill(acc, acc + n * d, 0.0F);
    std::fill(max, max + n, kNoScore);
    std::fill(sum, sum + n, 0.0F);
  }
};

// A thread's own scratch: prepared queries, states of a tile, room for the fold.
struct ThreadScratch {
  int64_t n_rows, d;
  ThreadScratch(int64_t group, int64_t d_padded)
      : n_rows(std::max(kFewAttentionTokens, tile_tokens(group)) * group), d(d_padded) {}
  int64_t floats() const { return round_up(n_rows * d, kAlign) + RowStates::floats(n_rows, d) + kKvBlock * d; }
  std::byte* q(float* memory) const { return reinterpret_cast<std::byte*>(memory); }
  float* states(float* memory) const { return memory + round_up(n_rows * d, kAlign); }
  std::byte* fold(float* memory) const {
    return reinterpret_cast<std::byte*>(states(memory) + RowStates::floats(n_rows, d));
  }
};

int64_t n_chunks_of(int64_t n_keys) { return (n_keys + kChunk - 1) / kChunk; }

// A few tokens of one slice.
struct Piece {
  const AttentionSlice* slice;
  int64_t token, m;  // the first, and how many
  int64_t first_chunk, n_chunks;
  float* states;  // [n_chunks][n_kv_heads] of RowStates of m * group rows
};
constexpr int64_t kMaxPieces = 64;  // of one loop over threads
struct Round {
  std::array<Piece, kMaxPieces> pieces;
  int64_t n = 0;
  int64_t work = 0;  // multiplications
};

struct Job {
  const AttentionArgs& args;
  const AttentionKernel& kernel;
  ThreadPool& threads;
  float* thread_memory;
  float* states_memory;
  int64_t states_floats;
  int64_t group, d;
  ThreadScratch scratch;

  float* memory_of(int thread) const { return thread_memory + thread * scratch.floats(); }
  int64_t first_key(int64_t position) const {
    return args.window > 0 ? std::max<int64_t>(0, position - args.window + 1) : 0;
  }
  static int64_t n_keys(const AttentionSlice& s) { return s.position + s.m; }
  // Behind the last key that tokens before `position` see.
  int64_t end_key(const AttentionSlice& s, int64_t position) const {
    return std::min(position + args.ahead, n_keys(s));
  }

  void prepare(const FoldKernel& fold, const AttentionSlice& s, int64_t token, int64_t head, int64_t n,
               std::byte* out) const {
    fold.prepare({.q = s.q + token * args.q_stride + head * group * args.d_head,
                  .stride = args.q_stride,
                  .n = n,
                  .group = group,
                  .d_head = args.d_head,
                  .d = d,
                  .scale = args.scale * kLog2E,
                  .out = out});
  }
  const std::byte* block_of(const KvLayer& kv, int64_t key, int64_t head) const {
    const int64_t bytes = kv_block_bytes({args.n_kv_heads, args.d_head, kv.type});
    return kv.blocks + key / kKvBlock % kv.n_blocks * bytes + head * (bytes / args.n_kv_heads);
  }
  const FoldKernel& few(KvType type) const {
    return type == KvType::q8 ? kernel.q8 : type == KvType::f16 ? kernel.f16 : kernel.f32;
  }
  const FoldKernel& many(KvType type) const { return type == KvType::q8 ? kernel.q8 : kernel.f16_prefill; }

  // Rows [0, n) of one head, over the keys begin … end.
  struct Span {
    const AttentionSlice& slice;
    int64_t token, head, n, begin, end;
  };
  const std::byte* next_block(const Span& s, int64_t key) const;
  void fold_keys(const FoldKernel& fold, const Span& s, RowStates states, float* memory) const;
  void run_chunk(const Piece& piece, int64_t head, int64_t chunk, float* memory) const;
  void merge_row(const Piece& piece, int64_t token, int64_t head) const;
  void write_row(KvType type, float* acc, float sum, float* out) const;
  void run_round(const Round& round) const;
  bool add_to(Round& round, const AttentionSlice& slice, int64_t token, int64_t& used) const;
  void run_few() const;
  void run_tile(const AttentionSlice& slice, int64_t head, int64_t tile, float* memory) const;
  void run_long(const AttentionSlice& slice) const;
  static bool is_long(const AttentionSlice& s) { return s.m > kFewAttentionTokens && s.kv.type != KvType::f32; }
};

// The head's next block, or where the same keys of the next head begin.
const std::byte* Job::next_block(const Span& s, int64_t key) const {
  if (key + kKvBlock < s.end) return block_of(s.slice.kv, key + kKvBlock, s.head);
  return s.head + 1 < args.n_kv_heads ? block_of(s.slice.kv, s.begin, s.head + 1) : block_of(s.slice.kv, key, s.head);
}

void Job::fold_keys(const FoldKernel& fold, const Span& s, RowStates states, float* memory) const {
  for (int64_t key = s.begin / kKvBlock * kKvBlock; key < s.end; key += kKvBlock) {
    fold.fold({.block = block_of(s.slice.kv, key, s.head),
               .next = next_block(s, key),
               .q = scratch.q(memory),
               .n = s.n,
               .group = group,
               .d = d,
               .position = s.slice.position + s.token,
               .block_position = key,
               .window = args.window,
               .ahead = args.ahead,
               .n_keys = n_keys(s.slice),
               .cap = args.cap * kLog2E,
               .max = states.max,
               .sum = states.sum,
               .acc = states.acc,
               .scratch = scratch.fold(memory)});
  }
}

void Job::write_row(KvType type, float* acc, float sum, float* out) const {
  if (type == KvType::q8) kernel.rotate(acc, args.d_head, d);
  const float factor = 1.0F / sum;
  for (int64_t i = 0; i < args.d_head; ++i) out[i] = acc[i] * factor;
}

// ----------------------------------------------------------------------------------------------------- few tokens

void Job::run_chunk(const Piece& piece, int64_t head, int64_t chunk, float* memory) const {
  const AttentionSlice& slice = *piece.slice;
  const FoldKernel& fold = few(slice.kv.type);
  const int64_t n = piece.m * group;
  const int64_t at = chunk * args.n_kv_heads + head;
  const RowStates states = RowStates::at(piece.states + at * RowStates::floats(n, d), n, d);
  states.clear(n, d);
  prepare(fold, slice, piece.token, head, n, scratch.q(memory));
  const int64_t position = slice.position + piece.token;
  const int64_t from = (piece.first_chunk + chunk) * kChunk;
  const Span span{.slice = slice,
                  .token = piece.token,
                  .head = head,
                  .n = n,
                  .begin = std::max(from, first_key(position)),
                  .end = std::min(from + kChunk, end_key(slice, position + piece.m))};
  fold_keys(fold, span, states, memory);
}

// The chunks of one row that saw a key, in their order, into the first of them and then out.
void Job::merge_row(const Piece& piece, int64_t token, int64_t head) const {
  const int64_t n = piece.m * group;
  const int64_t row = token * group + head % group;
  const int64_t floats = RowStates::floats(n, d);
  const auto states_of = [&](int64_t chunk) {
    return RowStates::at(piece.states + (chunk * args.n_kv_heads + head / group) * floats, n, d);
  };
  int64_t chunk = 0;
  while (chunk + 1 < piece.n_chunks && states_of(chunk).max[row] == kNoScore) ++chunk;  // before its window
  float* acc = states_of(chunk).acc + row * d;
  float max = states_of(chunk).max[row];
  float sum = states_of(chunk).sum[row];
  for (++chunk; chunk < piece.n_chunks; ++chunk) {
    const RowStates next = states_of(chunk);
    if (next.max[row] == kNoScore) break;  // after its position
    const float top = std::max(max, next.max[row]);
    const float old_factor = std::exp2(max - top);
    const float new_factor = std::exp2(next.max[row] - top);
    const float* more = next.acc + row * d;
    for (int64_t i = 0; i < d; ++i) acc[i] = acc[i] * old_factor + more[i] * new_factor;
    sum = sum * old_factor + next.sum[row] * new_factor;
    max = top;
  }
  const AttentionSlice& s = *piece.slice;
  write_row(s.kv.type, acc, sum, s.out + (piece.token + token) * args.out_stride + head * args.d_head);
}

// The item-th of pieces that have count(piece) items each: its piece, and which of the piece's it is.
template <class Count>
std::pair<const Piece*, int64_t> find_item(const Round& round, int64_t item, const Count& count) {
  const Piece* piece = round.pieces.data();
  while (item >= count(*piece)) item -= count(*piece++);
  return {piece, item};
}

void Job::run_round(const Round& round) const {
  const auto n_chunk_items = [this](const Piece& p) { return p.n_chunks * args.n_kv_heads; };
  const auto n_rows = [this](const Piece& p) { return p.m * args.n_heads; };
  int64_t n_items = 0;
  int64_t n_merges = 0;
  for (int64_t i = 0; i < round.n; ++i) {
    n_items += n_chunk_items(round.pieces[static_cast<size_t>(i)]);
    n_merges += n_rows(round.pieces[static_cast<size_t>(i)]);
  }
  const auto fold = [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) {
      const auto [piece, item] = find_item(round, i, n_chunk_items);
      run_chunk(*piece, item % args.n_kv_heads, item / args.n_kv_heads, memory_of(thread));
    }
  };
  threads.parallel_for(n_items, kMinWork * n_items / (round.work + 1) + 1, fold);
  const auto merge = [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const auto [piece, row] = find_item(round, i, n_rows);
      merge_row(*piece, row / args.n_heads, row % args.n_heads);
    }
  };
  threads.parallel_for(n_merges, kMinWork / (4 * d) + 1, merge);
}

// Adds the slice's tokens from `token` on, or as many as a piece takes; false if there is no room.
bool Job::add_to(Round& round, const AttentionSlice& slice, int64_t token, int64_t& used) const {
  const int64_t m = std::min(kFewAttentionTokens, slice.m - token);
  const int64_t position = slice.position + token;
  const int64_t first_chunk = first_key(position) / kChunk;
  const int64_t end = end_key(slice, position + m);
  const int64_t n_chunks = n_chunks_of(end) - first_chunk;
  const int64_t floats = n_chunks * args.n_kv_heads * RowStates::floats(m * group, d);
  SMELT_CHECK(floats <= states_floats);
  if (round.n == kMaxPieces || floats > states_floats - used) return false;
  round.pieces[static_cast<size_t>(round.n++)] = {&slice, token, m, first_chunk, n_chunks, states_memory + used};
  round.work += m * args.n_heads * d * 2 * (end - first_key(position));
  used += floats;
  return true;
}

void Job::run_few() const {
  Round round;
  int64_t used = 0;
  for (const AttentionSlice& slice : args.slices) {
    if (is_long(slice)) continue;
    for (int64_t token = 0; token < slice.m; token += kFewAttentionTokens) {
      if (add_to(round, slice, token, used)) continue;
      run_round(round);
      round.n = round.work = used = 0;
      SMELT_CHECK(add_to(round, slice, token, used));
    }
  }
  if (round.n > 0) run_round(round);
}

// ---------------------------------------------------------------------------------------------------- many tokens

void Job::run_tile(const AttentionSlice& slice, int64_t head, int64_t tile, float* memory) const {
  const int64_t token = tile * tile_tokens(group);
  const int64_t m = std::min(tile_tokens(group), slice.m - token);
  const int64_t n = m * group;
  const RowStates states = RowStates::at(scratch.states(memory), n, d);
  states.clear(n, d);
  const FoldKernel& fold = many(slice.kv.type);
  prepare(fold, slice, token, head, n, scratch.q(memory));
  const int64_t position = slice.position + token;
  const Span span{.slice = slice,
                  .token = token,
                  .head = head,
                  .n = n,
                  .begin = first_key(position),
                  .end = end_key(slice, position + m)};
  fold_keys(fold, span, states, memory);
  for (int64_t row = 0; row < n; ++row) {
    float* out = slice.out + (token + row / group) * args.out_stride + (head * group + row % group) * args.d_head;
    write_row(slice.kv.type, states.acc + row * d, states.sum[row], out);
  }
}

void Job::run_long(const AttentionSlice& slice) const {
  const int64_t tokens = tile_tokens(group);
  const int64_t n_tiles = (slice.m + tokens - 1) / tokens;
  const auto run = [&](int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; ++i) run_tile(slice, i / n_tiles, i % n_tiles, memory_of(thread));
  };
  threads.parallel_for(args.n_kv_heads * n_tiles, 1, run);
}

float* aligned(float* memory) {
  const auto address = reinterpret_cast<uintptr_t>(memory);
  return memory + (64 - address % 64) % 64 / sizeof(float);
}

}  // namespace

int64_t attention_scratch_floats(const AttentionLimits& l) {
  const int64_t group = l.n_heads / l.n_kv_heads;
  const int64_t d = padded_head(l.d_head);
  const int64_t m = std::min(kFewAttentionTokens, l.n_tokens);
  const int64_t in_window = l.window > 0 ? n_chunks_of(l.window + m + l.ahead) + 1 : n_chunks_of(l.capacity);
  const int64_t states = std::min(n_chunks_of(l.capacity), in_window) * l.n_kv_heads * m * RowStates::floats(group, d);
  return kAlign + l.n_threads * ThreadScratch(group, d).floats() + states;
}

void attention_into(const AttentionArgs& args, std::span<float> scratch, ThreadPool& threads, Isa isa) {
  SMELT_CHECK(args.n_heads % args.n_kv_heads == 0);
  const int64_t group = args.n_heads / args.n_kv_heads;
  const int64_t d = padded_head(args.d_head);
  const ThreadScratch own(group, d);
  float* memory = aligned(scratch.data());
  float* states = memory + threads.size() * own.floats();
  const Job job{.args = args,
                .kernel = find_kernel<AttentionKernel>(kKernels, isa),
                .threads = threads,
                .thread_memory = memory,
                .states_memory = states,
                .states_floats = scratch.data() + scratch.size() - states,
                .group = group,
                .d = d,
                .scratch = own};
  job.run_few();
  for (const AttentionSlice& slice : args.slices) {
    if (Job::is_long(slice)) job.run_long(slice);
  }
}

}  // namespace smelt
