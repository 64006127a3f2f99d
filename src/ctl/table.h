// Table: rows for people. Columns as wide as their widest cell, two spaces between them, titles in the first line if
// there are any. Colour is a word of meaning (good, doubtful, bad) that becomes escape codes only where asked for.
// A value on the stack of a verb.
#pragma once

#include <string>
#include <vector>

namespace tako::ctl {

enum class Tone : unsigned char { kPlain, kGood, kDoubtful, kBad, kFaint };
enum class Align : unsigned char { kLeft, kRight };

struct Cell {
  Cell(std::string t) : text(std::move(t)) {}                    // NOLINT: implicit by design
  Cell(const char* t) : text(t) {}                               // NOLINT
  Cell(std::string t, Tone meaning) : text(std::move(t)), tone(meaning) {}

  std::string text;
  Tone tone = Tone::kPlain;
};

class Table {
 public:
  // Columns without a title: an empty string. All titles empty: no title line.
  explicit Table(std::vector<std::string> titles) : titles_(std::move(titles)), aligns_(titles_.size(), Align::kLeft) {}

  void align(std::size_t column, Align align) { aligns_[column] = align; }
  // REQUIRES: as many cells as columns
  void add(std::vector<Cell> row);

  std::string text(bool colour) const;

 private:
  std::vector<std::string> titles_;
  std::vector<Align> aligns_;
  std::vector<std::vector<Cell>> rows_;
};

std::string coloured(const std::string& text, Tone tone, bool colour);

}  // namespace tako::ctl
