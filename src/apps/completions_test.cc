// The completion scripts say what CLI11's tree says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "apps/completion_tree.h"
#include "apps/options.h"

namespace smelt {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

class Completions : public testing::Test {
 protected:
  Completions() {
    CLI::App* run = app_.add_subcommand("run", "Continue a text");
    add_model(*run, model_);
    add_int(*run, "-n,--n-predict", n_, {0}, "tokens: at most [all]");
    run->add_option("-f,--file", file_, "it's a file")->type_name("FILE");
    CLI::App* kl = app_.add_subcommand("eval", "Measure")->add_subcommand("kl", "Compare");
    kl->add_option("--kind", kind_, "which")->type_name("f16|f32");
  }
  CLI::App app_{"test", "smelt"};
  std::string model_, file_, kind_;
  int64_t n_ = 0;
};

TEST_F(Completions, ReadsTheTree) {
  const CompletionNode root = completion_tree(app_);
  std::vector<std::string> paths;
  for (const CompletionNode* node : all_nodes(root)) paths.push_back(node->path);
  EXPECT_THAT(paths, ElementsAre("smelt", "smelt run", "smelt eval", "smelt eval kl"));
  const CompletionNode& run = root.children[0];
  ASSERT_EQ(run.arguments.size(), 1U);
  EXPECT_EQ(run.arguments[0].name, "MODEL");
  EXPECT_EQ(run.arguments[0].kind, ValueKind::file);
  ASSERT_EQ(run.options.size(), 3U);  // --help is the first
  EXPECT_EQ(run.options[1].short_name, "-n");
  EXPECT_EQ(run.options[1].long_name, "--n-predict");
  EXPECT_EQ(run.options[1].kind, ValueKind::other);
  EXPECT_THAT(root.children[1].children[0].options[1].choices, ElementsAre("f16", "f32"));
}

TEST_F(Completions, WritesEveryOptionForEveryShell) {
  const CompletionNode root = completion_tree(app_);
  const std::string bash = bash_completions(root);
  EXPECT_THAT(bash, HasSubstr("'smelt run'|'smelt eval'|'smelt eval kl') path="));
  EXPECT_THAT(bash, HasSubstr("'smelt run -f'|'smelt run --file') _smelt_files; return ;;"));
  EXPECT_THAT(bash, HasSubstr("'smelt eval kl --kind') _smelt_words 'f16 f32'; return ;;"));
  const std::string zsh = zsh_completions(root);
  EXPECT_THAT(zsh, HasSubstr("'*'{-n,--n-predict}'[tokens\\: at most \\[all\\]]:value: '"));
  EXPECT_THAT(zsh, HasSubstr("'*'{-f,--file}'[it'\\''s a file]:value:_files'"));
  EXPECT_THAT(zsh, HasSubstr("_smelt_eval_kl() {"));
  EXPECT_THAT(zsh, EndsWith("  compdef _smelt smelt\nfi\n"));
  const std::string fish = fish_completions(root);
  EXPECT_THAT(fish, HasSubstr("-n '__smelt_at smelt run' -s f -l file -r -F -d 'it\\'s a file'"));
  EXPECT_THAT(fish, HasSubstr("-n '__smelt_at smelt eval kl' -l kind -x -a 'f16 f32' -d 'which'"));
}

}  // namespace
}  // namespace smelt
