#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "manual/inline_text.h"
#include "manual/manual.h"
#include "manual/render.h"

namespace tako::manual_test {
namespace {

using manual::render;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::string line;
  for (const char c : text) {
    if (c == '\n') {
      lines.push_back(line);
      line.clear();
    } else {
      line += c;
    }
  }
  CHECK(line.empty());
  return lines;
}

TEST_CASE("every topic has one page, found by its name") {
  std::set<std::string_view> topics;
  for (const manual::Page& page : manual::pages()) {
    CHECK(topics.insert(page.topic).second);
    CHECK(manual::find(page.topic) == &page);
    CHECK(page.text.starts_with("# " + std::string(page.title) + "\n"));
    CHECK(page.title.size() <= 60);  // beside its topic in 80 columns
  }
  CHECK(topics.count("http") == 1);
  CHECK(manual::find("") == nullptr);
  CHECK(manual::find("htt") == nullptr);
}

TEST_CASE("no page is wider than the terminal, but for commands, and those fit 80 columns") {
  for (const manual::Page& page : manual::pages()) {
    for (const std::size_t width : {20, 40, 60, 80, 100}) {
      bool code = false;
      for (const std::string& line : lines_of(render(page.text, {width, false}))) {
        code = line.starts_with("    ");
        INFO(page.topic << ": " << line);
        CHECK(manual::width_of(line) <= (code && width < 80 ? 80 : width));
        CHECK((line.empty() || line.back() != ' '));
      }
    }
  }
}

TEST_CASE("no mark of Markdown is left, and without bold no byte that drives a terminal") {
  for (const manual::Page& page : manual::pages()) {
    const std::string text = render(page.text, {80, false});
    for (const char* mark : {"```", "**", "](", "\\|", "|---"}) {
      INFO(page.topic << " " << mark);
      CHECK(text.find(mark) == std::string::npos);
    }
    for (const char c : text) CHECK((static_cast<unsigned char>(c) >= 0x20 || c == '\n'));
  }
}

TEST_CASE("a paragraph is laid out for the width, and a list item hangs below its text") {
  CHECK(render("one two three\nfour five six\n\n- seven eight nine ten\n  eleven\n", {20, false}) ==
        "one two three four\nfive six\n\n- seven eight nine\n  ten eleven\n");
  CHECK(render("12. a b c d e f g h i j k l\n", {20, false}) == "12. a b c d e f g h\n    i j k l\n");
}

TEST_CASE("a fenced block is copied as it is, also within a list item") {
  CHECK(render("a\n\n```sh\nx  **y** `z`\n```\n\nb\n", {20, false}) == "a\n\n    x  **y** `z`\n\nb\n");
  CHECK(render("```sh\nx\n```\n```output\ny\n```\n", {20, false}) == "    x\n\n        y\n");
  CHECK(render("1. a\n\n   ```sh\n   x\n     y\n   ```\n", {20, false}) == "1. a\n\n       x\n         y\n");
}

TEST_CASE("code, bold and links are shown without their marks; bold is on only where asked for") {
  CHECK(render("`a b` **c** [tako help d](d.md) e*\n", {80, false}) == "a b c tako help d e*\n");
  CHECK(render("`a b` c\n", {80, true}) == "\x1b[1ma\x1b[0m \x1b[1mb\x1b[0m c\n");
  CHECK(render("a ` b [c] (d)\n", {80, false}) == "a ` b [c] (d)\n");
}

TEST_CASE("a table's columns are as wide as their cells where there is room") {
  CHECK(render("| a | b |\n|---|---|\n| `w=x\\|y` | second |\n| 1 | 2 |\n", {40, false}) ==
        "a      b\n-----  ------\nw=x|y  second\n1      2\n");
}

TEST_CASE("where there is none the widest column is wrapped, and tall rows stand apart") {
  CHECK(render("| a | b |\n|---|---|\n| one | two three four five six |\n| 1 | 2 |\n", {20, false}) ==
        "a    b\n---  ---------------\none  two three four\n     five six\n\n1    2\n");
}

TEST_CASE("where not even the words have room the cells stand below each other, with their titles") {
  CHECK(render("| a | b | c |\n|---|---|---|\n| first | --wide-option | one two three four |\n| 1 | 2 | 3 |\n",
               {20, false}) ==
        "first\n    b: --wide-option\n    c: one two three\n    four\n\n1\n    b: 2\n    c: 3\n");
}

TEST_CASE("a word that is longer than the line is cut, not lost") {
  CHECK(render("abcdefghijklmnopqrstuvwxyz\n", {20, false}) == "abcdefghijklmnopqrst\nuvwxyz\n");
  CHECK(render("ääääääääääääääääääääb\n", {20, false}) == "ääääääääääääääääääää\nb\n");
}

}  // namespace
}  // namespace tako::manual_test
