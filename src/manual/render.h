// render(): a page of the manual as text for a terminal.
//
// It knows the part of Markdown that the pages use: headings, paragraphs, lists (also nested), tables, fenced blocks,
// `code`, **bold** and [links](x.md). Everything but fenced blocks is laid out anew for the width: these are copied as
// they are, because a command that is broken over two lines is another command. Those of the kind "output" stand
// further in.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tako::manual {

struct Look {
  std::size_t width = 80;  // columns; fewer than 20 are taken as 20
  bool bold = false;       // headings and `code` stand out, by the escape sequences of a terminal
};

std::string render(std::string_view markdown, Look look);

}  // namespace tako::manual
