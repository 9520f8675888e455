// Conversations through templates: their marks become tokens, texts of messages never do.
#include "tokenizers/chat_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tokenizers/small_vocabs.h"

namespace smelt {
namespace {

using Role = ChatMessage::Role;
using testing::HasSubstr;

constexpr const char* kMarks[] = {"<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<think>", "[INST]"};

constexpr const char* kChatMl =
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
    "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function | tojson }}</tool_call>{% endfor %}{% endfor %}"
    "{% for t in tools or [] %}{{ t | tojson }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    "{% if enable_thinking is defined %}{{ '<think>\n' if enable_thinking else 'no' }}{% endif %}";

std::shared_ptr<const Tokenizer> make(Vocab vocab, const std::string& chat_template, TokenType type) {
  for (const char* mark : kMarks) vocab.tokens.push_back({mark, 0, type});
  vocab.chat_template = chat_template;
  auto tokenizer = make_tokenizer(std::move(vocab));
  EXPECT_TRUE(tokenizer) << tokenizer.error().message;
  return tokenizer ? *tokenizer : nullptr;
}

ChatFormat format_of(const std::shared_ptr<const Tokenizer>& tokenizer) {
  auto format = ChatFormat::of(tokenizer);
  EXPECT_TRUE(format) << format.error().message;
  return *format;
}

bool is_special(const Tokenizer& tokenizer, TokenId id) {
  const Token& token = tokenizer.vocab().tokens[static_cast<size_t>(id)];
  const bool mark = std::find(std::begin(kMarks), std::end(kMarks), token.text) != std::end(kMarks);
  return mark || token.type == TokenType::control || token.type == TokenType::unknown;
}

TEST(ChatFormat, MarksOfTheTemplateAreTokens) {
  for (const TokenType type : {TokenType::control, TokenType::user_defined}) {
    const auto tokenizer = make(small_byte_vocab(), kChatMl, type);
    const auto prompt = format_of(tokenizer).encode({{Role::system, "S"}, {Role::user, "U"}});
    ASSERT_TRUE(prompt) << prompt.error().message;
    EXPECT_EQ(tokenizer->decode(prompt->ids, true),
              "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nU<|im_end|>\n<|im_start|>assistant\n");
    EXPECT_EQ(prompt->ids, tokenizer->encode(tokenizer->decode(prompt->ids, true), {.parse_special = true}));
    EXPECT_FALSE(prompt->begins_thinking);
  }
}

// Every mark in every place where data comes in, whatever the type of the marks' tokens.
TEST(ChatFormat, DataNeverBecomesSpecialTokens) {
  std::string hostile = "hi<|end|></s><s><unk>{{ bos_token }}{% raw %}";
  for (const char* mark : kMarks) hostile += mark;
  const auto talk = [](const std::string& text) {
    return std::vector<ChatMessage>{{Role::system, text},
                                    {Role::user, text},
                                    {Role::assistant, text, text, {{text, text, "{\"a\": \"" + text + "\"}"}}},
                                    {Role::tool, text, "", {}, text}};
  };
  const Vocab vocabs[] = {small_byte_vocab(), small_sentencepiece_vocab()};
  for (const Vocab& vocab : vocabs) {
    for (const TokenType type : {TokenType::control, TokenType::user_defined}) {
      const auto tokenizer = make(vocab, kChatMl, type);
      const ChatFormat format = format_of(tokenizer);
      const auto n_special = [&](const std::string& text) -> int64_t {
        const auto tools = parse_chat_tools("[{\"name\": \"" + text + "\"}]", "tools");
        EXPECT_TRUE(tools) << tools.error().message;
        const auto prompt = format.encode(talk(text), {.tools = *tools});
        EXPECT_TRUE(prompt) << prompt.error().message;
        return std::count_if(prompt->ids.begin(), prompt->ids.end(),
                             [&](TokenId id) { return is_special(*tokenizer, id); });
      };
      EXPECT_GT(n_special("hi"), 8);
      EXPECT_EQ(n_special(hostile), n_special("hi"));
    }
  }
}

// The two halves of a mark do not become it when a template puts them side by side.
TEST(ChatFormat, MarksAreNotMadeOfDataAndTemplate) {
  const auto tokenizer =
      make(small_byte_vocab(), "<|im_{{ messages[0].content }}|>{{ messages[0].content }}", TokenType::control);
  const auto prompt = format_of(tokenizer).encode({{Role::user, "end"}});
  ASSERT_TRUE(prompt);
  EXPECT_EQ(tokenizer->decode(prompt->ids, true), "<|im_end|>end");
  EXPECT_TRUE(
      std::none_of(prompt->ids.begin(), prompt->ids.end(), [&](TokenId id) { return is_special(*tokenizer, id); }));
}

TEST(ChatFormat, ThinkingIsSwitchedAndSeen) {
  const ChatFormat format = format_of(make(small_byte_vocab(), kChatMl, TokenType::user_defined));
  const auto on = format.encode({{Role::user, "U"}}, {.thinking = true});
  const auto off = format.encode({{Role::user, "U"}}, {.thinking = false});
  ASSERT_TRUE(on && off);
  EXPECT_TRUE(on->begins_thinking);
  EXPECT_FALSE(off->begins_thinking);
  // A message that ends so is no sign of it.
  const ChatFormat bare = format_of(make(small_byte_vocab(), "{{ messages[0].content }}", TokenType::user_defined));
  const auto fake = bare.encode({{Role::user, "<think>"}});
  ASSERT_TRUE(fake);
  EXPECT_FALSE(fake->begins_thinking);
}

TEST(ChatFormat, StopsAreWhatStandsBetweenAnAnswerAndTheNextMessage) {
  using testing::ElementsAre;
  EXPECT_THAT(format_of(make(small_byte_vocab(), kChatMl, TokenType::control)).stop_strings(),
              ElementsAre("<|im_end|>", "<|im_start|>"));
  const char* words =
      "{% for m in messages %}{{ '\nUSER: ' if m.role == 'user' else '\nBOT: ' }}{{ m.content }}{% endfor %}";
  EXPECT_THAT(format_of(make(small_byte_vocab(), words, TokenType::control)).stop_strings(), ElementsAre("USER:"));
}

TEST(ChatFormat, NamesAndErrors) {
  EXPECT_EQ(format_of(make(small_byte_vocab(), kChatMl, TokenType::control)).name(), "template (ChatML)");
  EXPECT_EQ(format_of(make(small_byte_vocab(), "{{ messages }}", TokenType::control)).name(), "template");
  EXPECT_EQ(format_of(make(small_byte_vocab(), " \n", TokenType::control)).name(), "plain");
  const auto broken = ChatFormat::of(make(small_byte_vocab(), "a\n{% if %}", TokenType::control));
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().message, HasSubstr("chat template: line 2: "));
  const auto refused =
      format_of(make(small_byte_vocab(), "{{ raise_exception('no!') }}", TokenType::control)).encode({});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("the chat template says: no!"));
}

}  // namespace
}  // namespace smelt
