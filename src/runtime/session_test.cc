#include "runtime/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/log.h"
#include "base/test_folder.h"
#include "runtime/test_stories.h"

namespace smelt {
namespace {

using testing::AllOf;
using testing::ElementsAreArray;
using testing::HasSubstr;

std::vector<TokenId> some_tokens(int64_t n) {
  std::vector<TokenId> ids = {1};
  for (int64_t i = 1; i < n; ++i) ids.push_back(static_cast<TokenId>(3 + (i * 37) % 500));
  return ids;
}

std::vector<float> copy(std::span<const float> values) { return {values.begin(), values.end()}; }

std::string error_of(const Status& status) { return status ? "" : status.error().message; }

TEST(Session, LearnedPositionsEndTheContext) {
  auto checkpoint = Checkpoint::open(std::string(SMELT_SOURCE_DIR) + "/tests/golden/gpt2/tied");
  ASSERT_TRUE(checkpoint) << checkpoint.error().message;
  auto model = Model::load(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_TRUE(Session::create(*model, {.n_ctx = 256}));
  const auto longer = Session::create(*model, {.n_ctx = 257});
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().kind, ErrorKind::usage);
  EXPECT_THAT(longer.error().message, AllOf(HasSubstr("257 tokens"), HasSubstr("256 positions")));
}

TEST(Session, ChunksAndThreadsGiveTheSameLogits) {
  const LoadedModel loaded = load_stories();
  const std::vector<TokenId> ids = some_tokens(70);
  Session one = make_session(loaded, {.n_threads = 1, .kv_type = KvType::f32});
  ASSERT_TRUE(one.append(ids));
  for (const int64_t chunk : {1, 7, 64}) {
    Session other = make_session(loaded, {.n_threads = 2, .kv_type = KvType::f32, .prefill_chunk = chunk});
    ASSERT_TRUE(other.append(ids));
    EXPECT_EQ(copy(other.logits()), copy(one.logits())) << chunk;
    EXPECT_EQ(other.position(), 70);
    EXPECT_EQ(other.tokens(), ids);
  }
}

TEST(Session, VisitingSeesWhatAppendSees) {
  const LoadedModel loaded = load_stories();
  const std::vector<TokenId> ids = some_tokens(50);
  std::vector<std::vector<float>> expected;
  Session step = make_session(loaded);
  for (const TokenId id : ids) {
    ASSERT_TRUE(step.append({&id, 1}));
    expected.push_back(copy(step.logits()));
  }
  for (const int64_t first : {0, 1, 20, 49, 50, 60}) {
    Session session = make_session(loaded, {.prefill_chunk = 16});
    int64_t next = first;
    const auto visit = [&](int64_t i, std::span<const float> logits) -> Status {
      EXPECT_EQ(i, next++);
      EXPECT_EQ(copy(logits), expected[static_cast<size_t>(i)]) << "token " << i << ", from " << first;
      return {};
    };
    ASSERT_TRUE(session.append_visiting(ids, first, visit));
    EXPECT_EQ(next, std::max<int64_t>(first, 50));
    EXPECT_EQ(copy(session.logits()), expected.back()) << first;
  }
}

TEST(Session, AnErrorOfTheVisitorComesBack) {
  Session session = make_session(load_stories());
  const auto visit = [](int64_t i, std::span<const float>) -> Status {
    return i < 5 ? Status() : Status(input_error("five"));
  };
  EXPECT_EQ(error_of(session.append_visiting(some_tokens(20), 0, visit)), "five");
}

TEST(Session, TruncateForgetsLaterTokens) {
  const LoadedModel loaded = load_stories();
  const std::vector<TokenId> ids = some_tokens(30);
  // An f32 cache: over f16 a long pass attends in other arithmetic than a short one.
  const SessionOptions options = {.kv_type = KvType::f32};
  Session fresh = make_session(loaded, options), used = make_session(loaded, options);
  ASSERT_TRUE(fresh.append(std::span(ids).first(20)));
  ASSERT_TRUE(used.append(ids));
  used.truncate(10);
  ASSERT_TRUE(used.append(std::span(ids).subspan(10, 10)));
  EXPECT_EQ(copy(used.logits()), copy(fresh.logits()));
}

TEST(Session, AFullContextAndForeignTokensAreErrorsBeforeAnyWork) {
  Session session = make_session(load_stories(), {.n_ctx = 16});
  ASSERT_TRUE(session.append(some_tokens(10)));
  EXPECT_THAT(error_of(session.append(some_tokens(7))), HasSubstr("context is full: 10 tokens of 16"));
  const std::vector<TokenId> foreign = {5, 512};
  EXPECT_THAT(error_of(session.append(foreign)), HasSubstr("token 512 is not in the vocabulary, allowed 0 … 511"));
  EXPECT_EQ(session.position(), 10);
  EXPECT_TRUE(session.append(some_tokens(6)));
}

TEST(Session, InterruptionStopsAtAChunk) {
  Session session = make_session(load_stories(), {.prefill_chunk = 8});
  CancelToken cancel;
  cancel.cancel();
  const Status status = session.append(some_tokens(30), &cancel);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::cancelled);
  EXPECT_EQ(session.position(), 0);
}

TEST(Session, OptionsOutOfRangeAreUsageErrors) {
  const LoadedModel loaded = load_stories();
  const std::pair<SessionOptions, const char*> cases[] = {
      {{.n_ctx = -1}, "context is -1 tokens"},
      {{.n_ctx = int64_t{1} << 40}, "context is 1099511627776 tokens"},
      {{.n_threads = -1}, "-1 threads"},
      {{.n_threads = 100000}, "100000 threads"},
      {{.prefill_chunk = 0}, "prefill chunk is 0"},
  };
  for (const auto& [options, hint] : cases) {
    auto session = Session::create(loaded.model, options);
    ASSERT_FALSE(session) << hint;
    EXPECT_EQ(session.error().kind, ErrorKind::usage) << hint;
    EXPECT_THAT(session.error().message, HasSubstr(hint));
  }
}

TEST(Session, MemoryIsPlannedBeforeItIsTaken) {
  const LoadedModel loaded = load_stories();
  auto huge = Session::create(loaded.model, {.n_ctx = int64_t{1} << 30});
  ASSERT_FALSE(huge);
  EXPECT_THAT(huge.error().message, AllOf(HasSubstr("needs"), HasSubstr("the memory budget is")));
  auto tight = Session::create(loaded.model, {.n_ctx = 512, .memory_budget_bytes = 1 << 20});
  ASSERT_FALSE(tight);
  EXPECT_THAT(tight.error().message, HasSubstr("the memory budget is 1 MiB"));
}

TEST(Session, AContextNotAskedForIsReducedAndNoted) {
  const LoadedModel loaded = load_stories();
  std::string note;
  set_log_sink([&](LogLevel, std::string_view line) { note = line; });
  auto bytes = Session::bytes_needed(*loaded.model, {.n_ctx = 256, .n_threads = 1});
  ASSERT_TRUE(bytes);
  auto session = Session::create(
      loaded.model, {.n_threads = 1, .memory_budget_bytes = *bytes + loaded.model->checkpoint().file_bytes()});
  set_log_sink({});
  ASSERT_TRUE(session) << session.error().message;
  EXPECT_EQ(session->n_ctx(), 256);
  EXPECT_THAT(note, HasSubstr("reduced from 512 to 256 tokens"));
}

// A model whose final norm is poisoned.
TEST(Session, LogitsThatAreNotFiniteAreAnErrorWithThePosition) {
  const TestFolder folder;
  std::string bytes = *read_file(kStories + "stories260K.bin", 1 << 22);
  // llama2.c: 28 bytes of header, then the embedding [512][64] of f32: NaN as the first value of token 7's row.
  const float poison = NAN;
  std::memcpy(bytes.data() + 28 + 4 * 64 * 7, &poison, sizeof(poison));
  folder.write("model.bin", bytes);
  folder.write("tok512.bin", *read_file(kStories + "tok512.bin", 1 << 20));
  auto loaded = load_model(folder.file("model.bin"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  Session session = make_session(*loaded);
  const std::vector<TokenId> ids = {1, 5, 7};
  EXPECT_THAT(error_of(session.append(ids)), HasSubstr("logits at position 2 are not finite"));
}

// ------------------------------------------------------------------------------------------------- prompt cache files

TEST(SessionFile, RestoresTokensAndLogits) {
  const LoadedModel loaded = load_stories();
  const TestFolder folder;
  const std::vector<TokenId> ids = some_tokens(41);
  for (const KvType type : {KvType::f16, KvType::f32, KvType::q8}) {
    Session written = make_session(loaded, {.kv_type = type});
    ASSERT_TRUE(written.append(std::span(ids).first(40)));
    ASSERT_TRUE(written.save_cache(folder.file("cache")));
    Session read = make_session(loaded, {.n_ctx = 64, .kv_type = type});
    ASSERT_EQ(error_of(read.load_cache(folder.file("cache"))), "");
    EXPECT_THAT(read.tokens(), ElementsAreArray(ids.begin(), ids.begin() + 40));
    ASSERT_TRUE(written.append(std::span(ids).subspan(40)));
    ASSERT_TRUE(read.append(std::span(ids).subspan(40)));
    EXPECT_EQ(copy(read.logits()), copy(written.logits()));
  }
}

TEST(SessionFile, AnEmptySessionIsAFileToo) {
  const LoadedModel loaded = load_stories();
  const TestFolder folder;
  ASSERT_TRUE(make_session(loaded).save_cache(folder.file("cache")));
  Session session = make_session(loaded);
  EXPECT_EQ(error_of(session.load_cache(folder.file("cache"))), "");
  EXPECT_EQ(session.position(), 0);
}

class BadSessionFile : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(session_.append(some_tokens(9)));
    ASSERT_TRUE(session_.save_cache(folder_.file("good")));
    good_ = folder_.read("good");
  }
  // Loads these bytes into a session that already holds three tokens, which must be left as it was.
  std::string refusal(const std::string& bytes, const SessionOptions& options = {}) {
    const std::string path = folder_.write("bad", bytes);
    Session session = make_session(loaded_, options);
    EXPECT_TRUE(session.append(some_tokens(3)));
    const Status status = session.load_cache(path);
    EXPECT_FALSE(status);
    EXPECT_EQ(session.tokens(), some_tokens(3));
    EXPECT_THAT(error_of(status), HasSubstr(path));
    return error_of(status);
  }
  std::string with(size_t offset, uint64_t value, size_t n_bytes) const {
    std::string bytes = good_;
    std::memcpy(bytes.data() + offset, &value, n_bytes);
    return bytes;
  }

  LoadedModel loaded_ = load_stories();
  Session session_ = make_session(loaded_);
  TestFolder folder_;
  std::string good_;
};

TEST_F(BadSessionFile, EveryFlippedByteIsFound) {
  for (size_t at = 0; at < good_.size(); at += at < 100 ? 1 : 997) {
    std::string bytes = good_;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
    EXPECT_NE(refusal(bytes), "") << at;
  }
}

TEST_F(BadSessionFile, EveryCutIsFound) {
  for (size_t n = 0; n < good_.size(); n += n < 64 ? 1 : 1009) EXPECT_NE(refusal(good_.substr(0, n)), "") << n;
  EXPECT_THAT(refusal(good_ + "x"), HasSubstr("damaged"));
}

TEST_F(BadSessionFile, IsRefusedByName) {
  EXPECT_THAT(refusal(""), HasSubstr("too short"));
  EXPECT_THAT(refusal(std::string(4096, 'x')), HasSubstr("not a prompt cache"));
  EXPECT_THAT(refusal(with(8, 2, 4)), HasSubstr("version 2 of the prompt cache, this program reads 4"));
  EXPECT_THAT(refusal(with(16, 1, 8)), HasSubstr("another model"));
  EXPECT_THAT(refusal(with(24, UINT64_MAX, 8)), HasSubstr("more than 2^64"));
  EXPECT_THAT(refusal(with(24, uint64_t{1} << 40, 8)), HasSubstr("damaged"));
  EXPECT_THAT(refusal(good_, {.kv_type = KvType::f32}), HasSubstr("another --kv-type"));
  EXPECT_THAT(refusal(good_, {.n_ctx = 8}), HasSubstr("holds 9 tokens, the context 8"));
}

}  // namespace
}  // namespace smelt
