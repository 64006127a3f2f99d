// The manual: the pages of `tako help`. They are the files *.md of this folder, in the order of meson.build, which
// pages.py turns into source. Constant data: any thread, at any time.
#pragma once

#include <span>
#include <string_view>

namespace tako::manual {

struct Page {
  std::string_view topic;  // the file's name without .md
  std::string_view title;  // its first heading: the line that `tako help` shows
  std::string_view text;   // Markdown, all of it
};

// In reading order.
std::span<const Page> pages();

// Null: there is no such topic.
const Page* find(std::string_view topic);

}  // namespace tako::manual
