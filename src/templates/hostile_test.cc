// Templates from strangers (cases 54-58 of the reliability plan): each ends in one clear line, within a second and 64
// MB, and touches nothing of the host.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <fstream>

#include "templates/json.h"
#include "templates/template.h"

namespace smelt::jinja {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

Result<Text> render(const std::string& source) {
  SMELT_ASSIGN(const Template made, Template::parse(source));
  return made.render({{"messages", Value::list({Value::text("hello", true)})}});
}

// The high-water mark of this process; it never falls, so that a test that raises it is the one to blame.
uint64_t peak_bytes() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

struct Case {
  const char* name;
  std::string source;
  const char* message;
};

// LONG: a table
std::vector<Case> cases() {
  constexpr int kMany = 100'000;
  return {
      {"loop_1e9", "{% for i in range(1000000000) %}{% endfor %}", "step limit"},
      {"triple_loop",
       "{% for i in range(99999) %}{% for j in range(99999) %}{% for k in range(99999) %}{% endfor %}{% endfor %}{% "
       "endfor %}",
       "step limit"},
      {"filter_loop",
       "{% for i in range(9999) %}{% set x = range(9999)|map('string')|select|list|sort|unique|list %}{% endfor %}",
       "limit"},
      {"doubling", "{% set ns = namespace(s='a') %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
       "memory limit"},
      {"doubling_lists",
       "{% set ns = namespace(s=[1]) %}{% for i in range(100) %}{% set ns.s = ns.s + ns.s %}{% endfor %}", "limit"},
      {"repeat", "{{ 'a' * 10000000000 }}", "limit"},
      {"repeat_list", "{{ [1] * 1000000000000 }}", "memory limit"},
      {"repeat_overflow", "{{ [1, 2, 3, 4] * 9223372036854775807 }}", "memory limit"},
      {"width", "{{ '%2000000000d' % 1 }}", "limit"},
      {"width_star", "{{ '{:2000000000}'.format(1) }}", "limit"},
      {"precision", "{{ '%.2000000000f' % 1 }}", "too many digits"},
      {"center", "{{ 'a'.center(99999999999) }}", "limit"},
      {"indent", "{{ 'a\nb' | indent(9999999999, true) }}", "limit"},
      {"json_indent", "{{ [[1]] | tojson(indent=999999999) }}", "too large"},
      {"replace", "{% set a = 'a' * 100000 %}{{ a | replace('a', a) }}", "limit"},
      {"join", "{% set a = 'a' * 1000000 %}{{ range(99999) | join(a) }}", "limit"},
      {"shared_print",
       "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
       "limit"},
      {"shared_json",
       "{% set ns = namespace(x=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | "
       "tojson }}",
       "limit"},
      {"shared_equal",
       "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(90) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = "
       "[ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
       "step limit"},
      {"deep_list", "{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x] %}{% endfor %}",
       "depth limit"},
      {"deep_dict", "{% set ns = namespace(x={}) %}{% for i in range(90000) %}{% set ns.x = {'a': ns.x} %}{% endfor %}",
       "depth limit"},
      {"deep_method",
       "{% set ns = namespace(x=[]) %}{% for i in range(90000) %}{% set ns.x = [ns.x.index] %}{% endfor %}",
       "depth limit"},
      {"namespaces",
       "{% for i in range(99999) %}{% for j in range(99) %}{% set x = namespace(a='aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') "
       "%}{% endfor %}{% endfor %}",
       "limit"},
      {"cycle", "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a }}", "cannot be printed"},
      {"power", "{{ 10 ** 1000000000 }}", "out of range"},
      {"parentheses", "{{ " + repeat("(", kMany) + "1" + repeat(")", kMany) + " }}", "depth limit"},
      {"brackets", "{{ " + repeat("[", kMany) + repeat("]", kMany) + " }}", "depth limit"},
      {"nots", "{{ " + repeat("not ", kMany) + "1 }}", "depth limit"},
      {"minuses", "{{ " + repeat("-", kMany) + "1 }}", "depth limit"},
      {"ifs", repeat("{% if 1 %}", 90'000) + repeat("{% endif %}", 10), "depth limit"},
      {"inline_ifs", "{{ " + repeat("1 if 0 else ", 60'000) + "1 }}", "depth limit"},
      {"sums", "{{ " + repeat("1+", 90'000) + "1 }}", "depth limit"},
      {"dots", "{{ x" + repeat(".a", 90'000) + " }}", "depth limit"},
      {"filters", "{{ 1" + repeat("|abs", 90'000) + " }}", "depth limit"},
      {"subscripts", "{{ " + repeat("a[", kMany) + "0" + repeat("]", kMany) + " }}", "depth limit"},
      {"self_call", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "depth limit"},
      {"self_call_text", "{% macro m(a) %}{{ m(a ~ a) }}{% endmacro %}{{ m('aa') }}", "limit"},
      {"map_of_map", "{{ [[1]] | map('map', 'map') | list }}", "filter"},
      {"long_time", "{{ strftime_now('%999999999d') }}", "too large"},
      {"class", "{{ ''.__class__.__mro__[1].__subclasses__() }}", "'__class__' of str is not allowed"},
      {"class_item", "{{ messages['__class__'] }}", "'__class__' of list is not allowed"},
      {"globals", "{{ range.__globals__ }}", "'__globals__' of function is not allowed"},
      {"attr", "{{ '' | attr('__class__') }}", "not allowed"},
      {"append", "{{ messages.append(1) }}", "'append' of list is not allowed"},
      {"include", "{% include '/etc/passwd' %}", "the tag 'include' is not supported"},
      {"import", "{% import 'os' as os %}", "the tag 'import' is not supported"},
      {"from", "{% from 'x' import y %}", "the tag 'from' is not supported"},
      {"extends", "{% extends 'x' %}", "the tag 'extends' is not supported"},
      {"cycler", "{{ cycler.__init__.__globals__.os.popen('id').read() }}", "'cycler' is undefined"},
      {"self", "{{ self._TemplateReference__context }}", "'self' is undefined"},
      {"raise", "{{ raise_exception('roles\nmust alternate') }}", "the chat template says: roles\\x0amust alternate"},
      {"not_utf8", "{{ '\xff' }}", "not UTF-8"},
      {"large", repeat("a", (1 << 20) + 1), "at most"},
      {"many_tokens", "{{ [" + repeat("1,", 300'000) + "] }}", "too long"},
  };
}

TEST(HostileTemplates, EndInOneLineInTimeAndSpace) {
  for (const Case& each : cases()) {
    const uint64_t before = peak_bytes();
    const auto begin = std::chrono::steady_clock::now();
    const auto result = render(each.source);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    ASSERT_FALSE(result) << each.name << " renders " << result->bytes().substr(0, 100);
    EXPECT_THAT(result.error().message, HasSubstr(each.message)) << each.name;
    EXPECT_THAT(result.error().message, testing::StartsWith("chat template")) << each.name;
    EXPECT_EQ(result.error().message.find('\n'), std::string::npos) << each.name;
    EXPECT_LT(result.error().message.size(), 600U) << each.name;
#ifdef NDEBUG  // the sanitizers' builds are slower and keep freed memory
    EXPECT_LT(seconds.count(), 1.0) << each.name;
    EXPECT_LT(peak_bytes() - before, uint64_t{64} << 20) << each.name;
#endif
  }
}

// A long but honest conversation is far from the limits.
TEST(HostileTemplates, LongConversationsRender) {
  std::vector<Value> messages;
  for (int i = 0; i < 4000; ++i) {
    messages.push_back(Value::dict({{Value::text("role", false), Value::text(i % 2 == 0 ? "user" : "assistant", false)},
                                    {Value::text("content", false), Value::text(repeat("word ", 200), true)}}));
  }
  const auto made = Template::parse(
      "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] | trim + '<|im_end|>' + '\n' }}{% "
      "endfor %}");
  ASSERT_TRUE(made);
  const auto text = made->render({{"messages", Value::list(messages)}});
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_GT(text->size(), 4'000'000U);
}

TEST(Provenance, SurvivesEveryOperation) {
  // The template's own text is "M" and marks; the data's is "d".
  const char* const sources[] = {
      "M{{ d }}M",
      "{{ 'M' + d + 'M' }}",
      "{{ 'M' ~ d ~ 'M' }}",
      "M{{ (' ' + d + ' ') | trim }}M",
      "{{ ['M', d, 'M'] | join }}",
      "{{ 'M'.join([d, d]) }}",
      "{{ 'MxM' | replace('x', d) }}",
      "{{ ('M' + d)[::-1] }}",
      "{{ ('M,' + d).split(',') | join }}",
      "{{ 'M%sM' % d }}",
      "{{ 'M{}M'.format(d) }}",
      "{{ {'M': d}.M }}{{ d | list | join('M') }}",
      "{% macro m(x) %}M{{ x }}{{ caller() }}{% endmacro %}{% call m(d) %}{{ d }}M{% endcall %}",
      "{% set x %}M{{ d }}{% endset %}{{ x }}",
      "{% filter indent(0) %}M{{ d }}{% endfilter %}",
      "{{ d | default('M') }}M{{ d | string | tojson }}",
  };
  for (const char* source : sources) {
    const auto made = Template::parse(source);
    ASSERT_TRUE(made) << made.error().message;
    const auto text = made->render({{"d", Value::text("dd", true)}});
    ASSERT_TRUE(text) << source << ": " << text.error().message;
    EXPECT_THAT(text->bytes(), AnyOf(HasSubstr("dd"), HasSubstr("dMd"))) << source;
    for (const Text::Piece& piece : text->pieces()) {
      const bool has_data = piece.text.find('d') != std::string_view::npos;
      const bool has_marks = piece.text.find('M') != std::string_view::npos;
      EXPECT_EQ(piece.foreign, has_data) << source << " at " << piece.text;
      EXPECT_FALSE(has_data && has_marks) << source;
    }
  }
  const auto upper = Template::parse("{{ 'm' | upper }}{{ d | upper }}{{ d | title }}{{ d | escape }}");
  ASSERT_TRUE(upper);
  const auto text = upper->render({{"d", Value::text("d<", true)}});
  ASSERT_TRUE(text);
  EXPECT_EQ(text->bytes(), "MD<D<d&lt;");
  EXPECT_EQ(text->pieces().size(), 2U);
}

}  // namespace
}  // namespace smelt::jinja
