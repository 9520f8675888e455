// The repository's small trained model and its held-out text, for tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include "base/mapped_file.h"
#include "shrink/source_model.h"

namespace smelt {

inline const std::string kBooks = std::string(SMELT_SOURCE_DIR) + "/models/books-3m";

inline SourceModel open_books() {
  auto source = open_source_model(kBooks);
  EXPECT_TRUE(source) << source.error().message;
  return std::move(*source);
}

inline std::string books_text() {
  auto text = read_file(kBooks + "/heldout.txt", 1 << 22);
  EXPECT_TRUE(text);
  return std::move(*text);
}

}  // namespace smelt
