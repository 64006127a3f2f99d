// The terminal of a tool that has a page of text to show. Main thread, without loops.
#pragma once

#include <cstddef>
#include <string>

namespace tako::runtime {

struct Terminal {
  std::size_t width = 0;  // columns of the output; 0: it is not a terminal
  bool bold = false;      // it knows bold text
};

Terminal output_terminal();

// The process becomes the user's pager ($PAGER, else less), which reads `text`: there is no child whose signals and
// exit code would have to be passed on. RETURNS: only if there is none, or none is wanted (PAGER is empty).
void become_pager(const std::string& text);

}  // namespace tako::runtime
