#include "models/layers/rotation.h"

#include "models/linear.h"

namespace smelt {

void rotate_rows(const HeadRows& rows, const ModelConfig& c, const RopeTable& angles, ThreadPool& threads) {
  const int64_t row = rows.n_heads * c.d_head;
  const int64_t half = c.n_rope / 2;
  for_rows(threads, rows.m, row, [&](int64_t i) {
    rope_in_place(
        rows.x + i * row, rows.n_heads, c.d_head,
        {.n_rope = c.n_rope, .layout = c.rope_layout, .cos = angles.cos + i * half, .sin = angles.sin + i * half});
  });
}

}  // namespace smelt
