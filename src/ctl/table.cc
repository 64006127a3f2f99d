#include "ctl/table.h"

#include <algorithm>

#include "base/check.h"

namespace tako::ctl {
namespace {

// Columns on a screen, as far as UTF-8 tells: code points.
std::size_t width_of(const std::string& text) {
  std::size_t width = 0;
  for (const char c : text) width += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return width;
}

void trim_right(std::string& line) {
  while (line.ends_with(' ')) line.pop_back();
}

}  // namespace

std::string coloured(const std::string& text, Tone tone, bool colour) {
  const char* code = nullptr;
  switch (tone) {
    case Tone::kPlain: break;
    case Tone::kGood: code = "\x1b[32m"; break;
    case Tone::kDoubtful: code = "\x1b[33m"; break;
    case Tone::kBad: code = "\x1b[31m"; break;
    case Tone::kFaint: code = "\x1b[2m"; break;
  }
  if (!code || !colour || text.empty()) return text;
  return code + text + "\x1b[0m";
}

void Table::add(std::vector<Cell> row) {
  ASSERT(row.size() == titles_.size());
  rows_.push_back(std::move(row));
}

std::string Table::text(bool colour) const {
  std::vector<std::size_t> widths;
  for (const std::string& title : titles_) widths.push_back(width_of(title));
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i].text));
  }

  std::string out;
  const auto add_line = [&](const std::vector<Cell>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width_of(row[i].text), ' ');
      if (i > 0) line += "  ";
      if (aligns_[i] == Align::kRight) line += padding;
      line += coloured(row[i].text, row[i].tone, colour);
      if (aligns_[i] == Align::kLeft) line += padding;
    }
    trim_right(line);
    out += line + "\n";
  };
  const auto empty = [](const std::string& title) { return title.empty(); };
  if (!std::all_of(titles_.begin(), titles_.end(), empty)) {
    std::vector<Cell> head;
    for (const std::string& title : titles_) head.emplace_back(title, Tone::kFaint);
    add_line(head);
  }
  for (const auto& row : rows_) add_line(row);
  return out;
}

}  // namespace tako::ctl
