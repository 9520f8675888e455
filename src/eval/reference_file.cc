// Writer and reader of reference files.
#include "eval/reference_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "base/checked.h"
#include "base/hash.h"
#include "base/text.h"
#include "formats/byte_reader.h"
#include "formats/byte_writer.h"
#include "formats/memory_guard.h"

namespace smelt {
namespace {

constexpr uint32_t kVersion = 1;
constexpr size_t kHashOffset = 72;
constexpr size_t kHeaderBytes = 80;
constexpr int64_t kBlockBytes = 64 << 20;
constexpr int64_t kMaxContext = 1 << 24;
constexpr const char* kWriteAgain = "write it again with 'smelt eval save-reference'";

std::string format_header(const ReferenceHeader& header) {
  ByteWriter out;
  out.put_text(kReferenceMagic);
  for (const int64_t value : {int64_t{kVersion}, header.n_vocab, header.n_ctx, header.first_scored})
    out.put(static_cast<uint32_t>(value));
  out.put(static_cast<uint64_t>(header.n_windows));
  for (const uint64_t value : {header.text_bytes, header.text_hash, header.vocab_hash, header.ids_hash}) out.put(value);
  out.put(static_cast<uint32_t>(header.rows_per_block));
  out.put(uint32_t{0});
  out.put(hash_bytes(out.bytes()));
  return out.take();
}

// All fields in the range where n_rows and a block's size cannot overflow.
Status check_header(const ReferenceHeader& h, uint64_t file_bytes) {
  const auto field = [](const char* name, int64_t value, int64_t min, int64_t max) -> Status {
    if (value >= min && value <= max) return {};
    return input_error(fmt::format("header field {} is {}, not from {} to {}; {}", name, value, min, max, kWriteAgain));
  };
  SMELT_TRY(field("n_vocab", h.n_vocab, 1, kMaxRowVocab));
  SMELT_TRY(field("n_ctx", h.n_ctx, 2, kMaxContext));
  SMELT_TRY(field("first_scored", h.first_scored, 0, h.n_ctx - 2));
  SMELT_TRY(field("n_windows", h.n_windows, 1, static_cast<int64_t>(std::min<uint64_t>(file_bytes, INT32_MAX)) * 64));
  return field("rows_per_block", h.rows_per_block, 1, rows_per_block_for(h.n_vocab));
}

Result<ReferenceHeader> parse_header(std::span<const std::byte> bytes) {
  if (bytes.size() < kReferenceMagic.size() || as_text(bytes.first(kReferenceMagic.size())) != kReferenceMagic)
    return input_error(
        fmt::format("is neither a model nor a reference file (it does not begin with {}); give a model, "
                    "or a file that 'smelt eval save-reference' wrote",
                    kReferenceMagic));
  if (bytes.size() < kHeaderBytes)
    return input_error(
        fmt::format("ends inside its header of {} bytes; the file is truncated: {}", kHeaderBytes, kWriteAgain));
  ByteReader in(bytes.subspan(kReferenceMagic.size()));
  const uint32_t version = *in.read<uint32_t>();
  if (version != kVersion)
    return input_error(
        fmt::format("reference file of version {}, this program reads {}; {}", version, kVersion, kWriteAgain));
  if (hash_bytes(bytes.first(kHashOffset)) != load_little_endian<uint64_t>(&bytes[kHashOffset]))
    return input_error(fmt::format("the header is damaged (its checksum differs); {}", kWriteAgain));
  ReferenceHeader h;
  for (int64_t* value : {&h.n_vocab, &h.n_ctx, &h.first_scored}) *value = *in.read<uint32_t>();
  h.n_windows = static_cast<int64_t>(*in.read<uint64_t>());
  for (uint64_t* value : {&h.text_bytes, &h.text_hash, &h.vocab_hash, &h.ids_hash}) *value = *in.read<uint64_t>();
  h.rows_per_block = *in.read<uint32_t>();
  SMELT_TRY(check_header(h, bytes.size()));
  return h;
}

int64_t count_blocks(const ReferenceHeader& header) {
  return (header.n_rows() + header.rows_per_block - 1) / header.rows_per_block;
}

Error truncated_error(uint64_t file_bytes, int64_t block, int64_t n_blocks) {
  return input_error(fmt::format("ends at byte {} inside block {} of {}; the file is truncated: {}", file_bytes,
                                 block + 1, n_blocks, kWriteAgain));
}

// The blocks must fill the file exactly; sizes only, nothing is unpacked.
Status check_blocks(const ReferenceHeader& header, std::span<const std::byte> bytes) {
  const int64_t n_blocks = count_blocks(header);
  uint64_t offset = kHeaderBytes;
  for (int64_t block = 0; block < n_blocks; ++block) {
    if (!range_fits(offset, sizeof(uint32_t), bytes.size())) return truncated_error(bytes.size(), block, n_blocks);
    const auto size = load_little_endian<uint32_t>(&bytes[offset]);
    offset += sizeof(uint32_t);
    if (!range_fits(offset, size, bytes.size())) return truncated_error(bytes.size(), block, n_blocks);
    offset += size;
  }
  if (offset == bytes.size()) return {};
  return input_error(
      fmt::format("has {} bytes after its last block at byte {}; {}", bytes.size() - offset, offset, kWriteAgain));
}

}  // namespace

int64_t rows_per_block_for(int64_t n_vocab) {
  return std::max<int64_t>(1, kBlockBytes / (kRowHeadBytes + kMaxKeptBytes * n_vocab));
}

Result<ReferenceWriter> ReferenceWriter::create(const std::string& path, Overwrite overwrite,
                                                const ReferenceHeader& header) {
  SMELT_TRY(check_header(header, std::numeric_limits<int32_t>::max()));
  SMELT_ASSIGN(AtomicFile file, AtomicFile::create(path, overwrite));
  SMELT_TRY(file.write(format_header(header)));
  return ReferenceWriter(std::move(file), header);
}

Status ReferenceWriter::add(const ReferenceRow& row) {
  block_.add(row);
  ++n_added_;
  if (std::ssize(block_.heads) < header_.rows_per_block) return {};
  return write_block();
}

Status ReferenceWriter::write_block() {
  SMELT_ASSIGN(const std::string packed, pack_block(block_));
  ByteWriter size;
  size.put(static_cast<uint32_t>(packed.size()));
  SMELT_TRY(file_.write(size.bytes()));
  SMELT_TRY(file_.write(packed));
  block_ = {};
  return {};
}

Status ReferenceWriter::commit() {
  SMELT_CHECK(n_added_ == header_.n_rows());
  if (!block_.heads.empty()) SMELT_TRY(write_block());
  return file_.commit();
}

Result<ReferenceReader> ReferenceReader::open(const std::string& path) {
  SMELT_ASSIGN(const std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  SMELT_ASSIGN(ReferenceReader reader, parse(file->bytes(), path));
  reader.file_ = file;
  return reader;
}

Result<ReferenceReader> ReferenceReader::parse(std::span<const std::byte> bytes, const std::string& name) {
  ReferenceReader reader;
  reader.name_ = escape_for_display(name, 4096);
  SMELT_ASSIGN(reader.header_, parse_header(bytes).with_context(reader.name_));
  SMELT_TRY(check_blocks(reader.header_, bytes).with_context(reader.name_));
  reader.bytes_ = bytes;
  reader.offset_ = kHeaderBytes;
  return reader;
}

Status ReferenceReader::read_block() {
  const int64_t n_rows = std::min(header_.rows_per_block, header_.n_rows() - n_read_);
  SMELT_CHECK(n_rows > 0);
  const auto size = load_little_endian<uint32_t>(&bytes_[offset_]);
  auto block = with_memory_guard(
      name_, [&] { return unpack_block(bytes_.subspan(offset_ + sizeof(size), size), n_rows, header_.n_vocab); });
  if (!block)
    return input_error(fmt::format("{}: block {} at byte {}: {}; {}", name_, n_read_ / header_.rows_per_block + 1,
                                   offset_, block.error().message, kWriteAgain));
  block_ = std::move(*block);
  if (file_ != nullptr) file_->release_range(&bytes_[offset_], size);
  offset_ += sizeof(size) + size;
  n_read_ += n_rows;
  next_row_ = next_kept_ = 0;
  return {};
}

Result<ReferenceRow> ReferenceReader::next() {
  if (next_row_ == block_.heads.size()) SMELT_TRY(read_block());
  const ReferenceRow row = block_.row(next_row_, next_kept_);
  next_kept_ += block_.heads[next_row_++].n_kept;
  return row;
}

}  // namespace smelt
