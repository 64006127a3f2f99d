#include "manual/render.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "manual/inline_text.h"

namespace tako::manual {
namespace {

constexpr std::size_t kWidthMin = 20;
constexpr std::size_t kCodeIndent = 4;
constexpr std::size_t kColumnGap = 2;
constexpr std::size_t kStackIndent = 4;

using Row = std::vector<std::string>;

std::size_t indent_of(std::string_view line) { return std::min(line.find_first_not_of(' '), line.size()); }

// The length of a list item's mark with its blank ("- ", "12. "); 0: the line begins no item.
std::size_t bullet_of(std::string_view line) {
  if (line.starts_with("- ")) return 2;
  const std::size_t digits = line.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string_view::npos) return 0;
  return line.substr(digits).starts_with(". ") ? digits + 2 : 0;
}

bool is_rule(const Row& row) {
  return std::all_of(row.begin(), row.end(),
                     [](const std::string& cell) { return cell.find_first_not_of("-: ") == std::string::npos; });
}

// "| a | b \| c |" -> a, b | c.
Row cells_of(std::string_view line) {
  Row cells;
  std::string cell;
  for (std::size_t i = 1; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size() && line[i + 1] == '|') {
      cell += line[++i];
    } else if (line[i] == '|') {
      const std::size_t from = indent_of(cell);
      cells.push_back(marked(cell.substr(from, cell.find_last_not_of(' ') + 1 - from)));
      cell.clear();
    } else {
      cell += line[i];
    }
  }
  return cells;
}

std::size_t longest_word(std::string_view text) {
  std::size_t longest = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    longest = std::max(longest, width_of(text.substr(0, end)));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return longest;
}

class Renderer {
 public:
  explicit Renderer(Look look) : look_(look), width_(std::max(look.width, kWidthMin)) {}

  void take(std::string_view line) {
    const std::size_t indent = indent_of(line);
    const std::string_view rest = line.substr(indent);
    if (rest.starts_with("```")) {
      fence(rest.substr(3), indent);
    } else if (fenced_) {
      const std::string text(line.substr(std::min(fence_indent_, indent)));
      out_ += text.empty() ? "\n" : std::string(code_indent_, ' ') + text + "\n";
    } else if (rest.empty()) {
      end_block();
      wants_gap_ = true;
    } else if (rest.starts_with("|")) {
      end_paragraph();
      table_.push_back(cells_of(rest));
    } else if (rest.starts_with("#")) {
      end_block();
      heading(rest);
    } else {
      text(rest, indent);
    }
  }

  std::string finish() {
    end_block();
    return std::move(out_);
  }

 private:
  // What commands print stands apart from the commands.
  void fence(std::string_view kind, std::size_t indent) {
    end_block();
    fenced_ = !fenced_;
    if (fenced_) {
      gap();
      fence_indent_ = indent;
      code_indent_ = indent + (kind == "output" ? 2 * kCodeIndent : kCodeIndent);
    }
    wants_gap_ = true;
  }

  void text(std::string_view rest, std::size_t indent) {
    if (const std::size_t bullet = bullet_of(rest)) {
      end_block();
      lead_ = std::string(indent, ' ') + std::string(rest.substr(0, bullet));
      hang_ = lead_.size();
      rest.remove_prefix(bullet);
    } else if (paragraph_.empty()) {
      lead_ = std::string(indent, ' ');
      hang_ = indent;
    }
    if (!paragraph_.empty()) paragraph_ += ' ';
    paragraph_ += rest;
  }

  void heading(std::string_view rest) {
    const std::size_t level = rest.find_first_not_of('#');
    gap();
    for (const std::string& line : wrapped(all_bold(marked(rest.substr(level + 1))), width_)) put(line);
    wants_gap_ = true;
  }

  void end_block() {
    end_paragraph();
    end_table();
  }

  void end_paragraph() {
    if (paragraph_.empty()) return;
    gap();
    std::string lead = lead_;
    for (const std::string& line : wrapped(marked(paragraph_), width_ - std::min(hang_, width_ / 2))) {
      put(lead + line);
      lead = std::string(hang_, ' ');
    }
    paragraph_.clear();
  }

  // As wide as its cells, if there is room; else the widest columns give way, as far as no word is cut. None: there is
  // not even room for the words.
  std::vector<std::size_t> column_widths(const Row& titles) const {
    std::vector<std::size_t> widths;
    std::vector<std::size_t> words;
    const auto measure = [&](const Row& row) {
      widths.resize(std::max(widths.size(), row.size()));
      words.resize(widths.size());
      for (std::size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], width_of(row[i]));
        words[i] = std::max(words[i], longest_word(row[i]));
      }
    };
    measure(titles);
    for (const Row& row : table_) measure(row);
    const std::size_t gaps = kColumnGap * (widths.size() - 1);
    while (std::accumulate(widths.begin(), widths.end(), gaps) > width_) {
      std::size_t widest = widths.size();
      for (std::size_t i = 0; i < widths.size(); ++i) {
        if (widths[i] > words[i] && (widest == widths.size() || widths[i] > widths[widest])) widest = i;
      }
      if (widest == widths.size()) return {};
      --widths[widest];
    }
    return widths;
  }

  // A cell below the other, each with its column's title; the first one stands for the row.
  std::string stacked(const Row& row, const Row& titles) const {
    std::string text;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::size_t indent = i == 0 ? 0 : kStackIndent;
      const bool is_titled = i > 0 && row.size() > 2 && i < titles.size();
      const std::string cell = (is_titled ? titles[i] + ": " : "") + row[i];
      for (const std::string& line : wrapped(cell, width_ - indent)) {
        text += std::string(indent, ' ') + shown(line, look_.bold) + "\n";
      }
    }
    return text;
  }

  std::string text_of(const Row& row, const std::vector<std::size_t>& widths) const {
    std::string text;
    std::vector<std::vector<std::string>> cells;
    std::size_t lines = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      cells.push_back(wrapped(row[i], widths[i]));
      lines = std::max(lines, cells.back().size());
    }
    for (std::size_t line = 0; line < lines; ++line) {
      std::string all;
      std::size_t at = 0;  // the column where the next cell begins
      std::size_t end = 0;
      for (std::size_t i = 0; i < cells.size(); ++i) {
        if (line < cells[i].size() && !cells[i][line].empty()) {
          all += std::string(at - end, ' ') + cells[i][line];
          end = at + width_of(cells[i][line]);
        }
        at += widths[i] + kColumnGap;
      }
      text += shown(all, look_.bold) + "\n";
    }
    return text;
  }

  void end_table() {
    if (table_.empty()) return;
    gap();
    Row titles;
    if (table_.size() > 1 && is_rule(table_[1])) {
      titles = std::move(table_[0]);
      table_.erase(table_.begin(), table_.begin() + 2);
    }
    const std::vector<std::size_t> widths = column_widths(titles);
    if (!widths.empty() && !titles.empty()) {
      Row rule;
      for (const std::size_t width : widths) rule.emplace_back(width, '-');
      for (std::string& title : titles) title = all_bold(title);
      out_ += text_of(titles, widths) + text_of(rule, widths);
    }
    bool tall = false;  // the row before took several lines: without a gap they are hard to tell apart
    for (std::size_t at = 0; at < table_.size(); ++at) {
      const std::string text = widths.empty() ? stacked(table_[at], titles) : text_of(table_[at], widths);
      const bool is_tall = std::count(text.begin(), text.end(), '\n') > 1;
      if (at > 0 && (tall || is_tall)) out_ += '\n';
      out_ += text;
      tall = is_tall;
    }
    table_.clear();
  }

  // A blank line before what comes, if the page has one there.
  void gap() {
    if (wants_gap_ && !out_.empty()) out_ += '\n';
    wants_gap_ = false;
  }

  void put(const std::string& line) { out_ += shown(line, look_.bold) + "\n"; }

  const Look look_;
  const std::size_t width_;
  std::string out_;
  std::string paragraph_;  // lines of it so far, joined
  std::string lead_;       // what stands before its first line
  std::size_t hang_ = 0;   // ... and the columns before the others
  std::vector<Row> table_;
  bool fenced_ = false;
  std::size_t fence_indent_ = 0;
  std::size_t code_indent_ = 0;
  bool wants_gap_ = false;
};

}  // namespace

std::string render(std::string_view markdown, Look look) {
  Renderer renderer(look);
  while (!markdown.empty()) {
    const std::size_t end = std::min(markdown.find('\n'), markdown.size());
    renderer.take(markdown.substr(0, end));
    markdown.remove_prefix(std::min(end + 1, markdown.size()));
  }
  return renderer.finish();
}

}  // namespace tako::manual
