// Single metadata values of GGUF: reading and writing. Internal to this folder.
#pragma once

#include "base/metadata.h"
#include "base/result.h"
#include "formats/byte_reader.h"
#include "formats/byte_writer.h"
#include "formats/gguf_format.h"

namespace smelt::gguf {

// Array values that may still be read from this file.
struct ValueBudget {
  uint64_t array_values = kMaxArrayValues;
};

// Reads type and value. The error message says what is wrong with the value; the caller adds file, key and position.
Result<MetaValue> read_gguf_value(ByteReader& reader, ValueBudget& budget);

// Writes type and value. Refuses values that do not fit their type, which only code can make.
Status write_gguf_value(const MetaValue& value, ByteWriter& writer);

}  // namespace smelt::gguf
