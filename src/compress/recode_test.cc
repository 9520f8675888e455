// Values that pass through the Recoder: refusals that name the place, row orders, threads, interruption.
#include "compress/recode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "compress/test_model.h"

namespace smelt {
namespace {

using testing::HasSubstr;

// One matrix of random values.
class Matrix {
 public:
  Matrix(int64_t rows, int64_t columns, DType type = DType::f32) : bytes_(std::make_shared<std::vector<std::byte>>()) {
    const auto values = random_values("weights", rows * columns, 7);
    const uint64_t row_size = *row_bytes(type, static_cast<uint64_t>(columns));
    bytes_->resize(static_cast<size_t>(rows) * row_size);
    for (int64_t r = 0; r < rows; ++r) {
      dtype_info(type).encode(values.data() + r * columns, bytes_->data() + static_cast<uint64_t>(r) * row_size,
                              columns, nullptr);
    }
    Checkpoint::Parts parts;
    parts.path = "made-up.gguf";
    parts.tensors.push_back({.name = "m.weight", .view = {.dtype = type, .shape = {rows, columns}, .bytes = *bytes_}});
    checkpoint_ = std::make_unique<Checkpoint>(std::move(parts));
    const TensorEntry& entry = checkpoint_->tensors().front();
    tensor_ = {.name = entry.name, .source = &entry, .shape = entry.view.shape, .row_order = {}};
  }

  CanonicalTensor& tensor() { return tensor_; }
  float& at(int64_t row, int64_t column) {
    return reinterpret_cast<float*>(bytes_->data())[row * tensor_.shape.columns() + column];
  }
  const std::vector<std::byte>& bytes() const { return *bytes_; }

  Result<std::vector<std::byte>> recode(DType to, int n_threads = 1, const JobControl& job = {}) {
    Recoder recoder(*checkpoint_, n_threads, job, "test", bytes_->size());
    std::vector<std::byte> out;
    const ByteSink sink = [&](std::span<const std::byte> part) {
      out.insert(out.end(), part.begin(), part.end());
      return Status();
    };
    SMELT_TRY(recoder.recode(tensor_, to, sink));
    return out;
  }
  std::string refusal(DType to, int n_threads = 1) {
    const auto result = recode(to, n_threads);
    EXPECT_FALSE(result);
    if (result) return "";
    EXPECT_EQ(result.error().kind, ErrorKind::input);
    return result.error().message;
  }

 private:
  std::shared_ptr<std::vector<std::byte>> bytes_;
  std::unique_ptr<Checkpoint> checkpoint_;
  CanonicalTensor tensor_;
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

TEST(Recode, NotANumberIsNamedByTensorRowAndColumn) {
  for (const DType to : {DType::q4_k, DType::q8_0, DType::f16, DType::bf16, DType::f32}) {
    Matrix m(6, 256);
    m.at(4, 17) = kNan;
    EXPECT_EQ(
        m.refusal(to),
        "made-up.gguf: tensor 'm.weight' at byte 0: the value at row 4, column 17 is not a number; the checkpoint "
        "is damaged: fetch or export it again");
  }
}

TEST(Recode, InfinityIsNamedInAnyPlainSource) {
  Matrix m(3, 32);
  m.at(2, 31) = -kInfinity;
  EXPECT_THAT(m.refusal(DType::q8_0), HasSubstr("row 2, column 31 is infinite"));
  EXPECT_THAT(m.refusal(DType::f32), HasSubstr("row 2, column 31 is infinite"));
}

TEST(Recode, TheFirstFaultIsReportedWhateverTheThreads) {
  for (const int n_threads : {1, 2, 5}) {
    Matrix m(4000, 64);
    for (const int64_t row : {3999, 3000, 1234, 2000}) m.at(row, row % 64) = kNan;
    EXPECT_THAT(m.refusal(DType::q4_0, n_threads), HasSubstr("row 1234, column 18")) << n_threads;
  }
}

TEST(Recode, ValuesTooLargeForTheTypeAreRefusedNotSaturated) {
  Matrix m(2, 256);
  m.at(1, 3) = 65520.0F;
  EXPECT_THAT(m.refusal(DType::f16), HasSubstr("row 1, column 3 is 65520, too large for F16; convert to bf16 or f32"));
  EXPECT_THAT(m.refusal(DType::q4_k), HasSubstr("too large for Q4_K"));
  EXPECT_TRUE(m.recode(DType::bf16));
  EXPECT_TRUE(m.recode(DType::f32));
  m.at(1, 3) = 65519.0F;
  EXPECT_TRUE(m.recode(DType::f16));
  m.at(1, 3) = std::numeric_limits<float>::max();
  EXPECT_THAT(m.refusal(DType::bf16), HasSubstr("too large for BF16; convert to f32 instead"));
  EXPECT_TRUE(m.recode(DType::f32));
}

TEST(Recode, TheSameTypeIsCopiedBitForBit) {
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_k, DType::q2_k}) {
    Matrix m(5, 256, type);
    const auto copied = m.recode(type, 2);
    ASSERT_TRUE(copied) << copied.error().message;
    EXPECT_EQ(*copied, m.bytes()) << dtype_name(type);
  }
}

TEST(Recode, BytesDoNotDependOnTheThreads) {
  for (const DType type : {DType::f16, DType::q8_0, DType::q4_k, DType::q2_k, DType::iq4_xs}) {
    Matrix m(700, 256);
    const auto one = m.recode(type, 1);
    ASSERT_TRUE(one) << one.error().message;
    for (const int n_threads : {2, 3, 8}) {
      const auto many = m.recode(type, n_threads);
      ASSERT_TRUE(many) << many.error().message;
      EXPECT_EQ(*one, *many) << dtype_name(type) << " with " << n_threads;
    }
  }
}

TEST(Recode, RowsComeInTheTargetsOrder) {
  Matrix m(4, 32);
  m.tensor().row_order = {2, 0, 3, 1};
  const auto ordered = m.recode(DType::f32);
  ASSERT_TRUE(ordered) << ordered.error().message;
  std::vector<float> values(4 * 32);
  std::memcpy(values.data(), ordered->data(), ordered->size());
  for (size_t r = 0; r < 4; ++r) {
    EXPECT_EQ(values[r * 32 + 5], m.at(m.tensor().row_order[r], 5)) << r;
  }
  m.at(3, 9) = kNan;  // row 2 of the target; the place in the source is named
  EXPECT_THAT(m.refusal(DType::f32), HasSubstr("row 3, column 9"));
}

// Cancels itself once more than half is done.
class CancelHalfway final : public ProgressSink {
 public:
  explicit CancelHalfway(CancelToken& token) : token_(token) {}
  void update(const std::string&, uint64_t done, uint64_t total, const std::string&) override {
    ++calls;
    last = done;
    if (2 * done > total) token_.cancel();
  }
  int calls = 0;
  uint64_t last = 0;

 private:
  CancelToken& token_;
};

TEST(Recode, AnInterruptionIsHeardWithinATensor) {
  Matrix m(80'000, 128);
  CancelToken token;
  CancelHalfway progress(token);
  const auto result = m.recode(DType::f16, 2, {&progress, &token});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::cancelled);
  EXPECT_GT(progress.calls, 1);
  EXPECT_LT(progress.last, m.bytes().size() >> 10);
}

TEST(Recode, AFailingSinkEndsTheWork) {
  Matrix m(3, 32);
  Checkpoint checkpoint(Checkpoint::Parts{});
  Recoder recoder(checkpoint, 1, {}, "test", 1);
  const Status status =
      recoder.recode(m.tensor(), DType::f16, [](auto) { return Status(input_error("disk is full")); });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "disk is full");
}

TEST(Recode, BuffersStaySmallForLargeTensors) {
  const Shape large = {150'000, 4'096};
  EXPECT_LT(recode_buffer_bytes(large, DType::f32, 4), uint64_t{10} << 20);
  EXPECT_LT(recode_buffer_bytes(large, DType::q4_k, 4), uint64_t{2} << 20);
}

}  // namespace
}  // namespace smelt
