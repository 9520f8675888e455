// Where the text that fills a gap in a program may end before the model says so. Used by cmd_complete.cc.
#pragma once

#include <string>
#include <string_view>

namespace smelt {

enum class CompletionStop {
  none,   // the model's end tokens alone
  line,   // in front of the first line end behind something other than blanks
  block,  // in front of the first line indented less than the cursor's; at the outermost level, of the first empty line
};

// Takes the text as it comes and gives back what belongs to the completion, holding back the beginning of a line until
// its indentation is known.
class CompletionEnd {
 public:
  // prefix: what stands in front of the gap; the indentation is that of its last line.
  CompletionEnd(CompletionStop stop, std::string_view prefix);
  std::string push(std::string_view piece);
  std::string finish();  // what was held back, when no more comes
  bool stopped() const { return stopped_; }

 private:
  bool ends_at(char c) const;

  CompletionStop stop_;
  size_t indentation_ = 0;
  size_t line_indentation_ = 0;  // of the line that is held back
  bool at_line_start_ = false, has_text_ = false, stopped_ = false;
  std::string held_;
};

}  // namespace smelt
