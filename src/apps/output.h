// Results go to standard output through print; all else goes to standard error. Commands return print's error: a full
// disk is an input error, and a reader that has left (`| head -1`) ends the program quietly.
#pragma once

#include <string_view>

#include "base/result.h"

namespace smelt {

// To be called before any file is opened: a standard stream that the caller closed is replaced by one that fails, lest
// a model file take its number and messages be written into it.
void keep_standard_streams();

// Buffered when standard output is not a terminal.
Status print(std::string_view text);
// print and flush_output, for text that is to be seen as it comes.
Status print_now(std::string_view text);
Status flush_output();
// True once the reader of standard output has closed it; errors after that are not worth a message.
bool output_is_closed();

// A line on standard error. Failures there are ignored: nobody is left to be told.
void note(std::string_view line);

}  // namespace smelt
