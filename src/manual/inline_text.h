// Text within a line: words with marks, so that bold text has a width, and can be wrapped, like any other.
// A mark is one byte of no width. Internal to render.cc.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tako::manual {

// Markdown within a paragraph or a cell -> text with marks. No mark spans a blank.
std::string marked(std::string_view markdown);
// The same, all of it bold.
std::string all_bold(const std::string& text);

// Columns on a screen: letters, not bytes; marks have none.
std::size_t width_of(std::string_view text);

// Lines of at most `width` columns; a word that is longer is cut. At least one line.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

// Marks become the terminal's escape sequences, or nothing.
std::string shown(std::string_view text, bool bold);

}  // namespace tako::manual
