#include "manual/inline_text.h"

namespace tako::manual {
namespace {

constexpr char kBoldOn = '\x01';
constexpr char kBoldOff = '\x02';

bool is_mark(char c) { return c == kBoldOn || c == kBoldOff; }
bool begins_letter(char c) { return !is_mark(c) && (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

// Each word on its own, so that a line can end between them.
void append_bold(std::string& out, std::string_view text) {
  out += kBoldOn;
  for (const char c : text) {
    if (c == ' ') {
      out += {kBoldOff, ' ', kBoldOn};
    } else {
      out += c;
    }
  }
  out += kBoldOff;
}

// [text](where) at `at`: the text is shown. False: there is none.
bool append_link(std::string& out, std::string_view markdown, std::size_t& at) {
  const std::size_t middle = markdown.find("](", at);
  if (middle == std::string_view::npos) return false;
  const std::size_t end = markdown.find(')', middle);
  if (end == std::string_view::npos || markdown.substr(at + 1, middle - at - 1).find('[') != std::string_view::npos) {
    return false;
  }
  out += marked(markdown.substr(at + 1, middle - at - 1));
  at = end + 1;
  return true;
}

// `code` or **bold** at `at`.
bool append_span(std::string& out, std::string_view markdown, std::size_t& at, std::string_view fence) {
  if (!markdown.substr(at).starts_with(fence)) return false;
  const std::size_t begin = at + fence.size();
  const std::size_t end = markdown.find(fence, begin);
  if (end == std::string_view::npos || end == begin) return false;
  append_bold(out, markdown.substr(begin, end - begin));
  at = end + fence.size();
  return true;
}

// The longest beginning of `word` that fits into `width` columns; one letter at least.
std::size_t fitting(std::string_view word, std::size_t width) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (!begins_letter(word[i])) continue;
    if (columns == width && columns > 0) return i;
    ++columns;
  }
  return word.size();
}

}  // namespace

std::string marked(std::string_view markdown) {
  std::string out;
  for (std::size_t at = 0; at < markdown.size();) {
    if (append_span(out, markdown, at, "`") || append_span(out, markdown, at, "**")) continue;
    if (markdown[at] == '[' && append_link(out, markdown, at)) continue;
    out += markdown[at++];
  }
  return out;
}

std::string all_bold(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    if (!is_mark(c)) plain += c;
  }
  std::string out;
  if (!plain.empty()) append_bold(out, plain);
  return out;
}

std::size_t width_of(std::string_view text) {
  std::size_t columns = 0;
  for (const char c : text) columns += begins_letter(c) ? 1 : 0;
  return columns;
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  std::size_t used = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ' ') {
      ++at;
      continue;
    }
    std::string_view word = text.substr(at, text.find(' ', at) - at);
    at += word.size();
    if (used > 0 && used + 1 + width_of(word) > width) {
      lines.emplace_back();
      used = 0;
    }
    if (used > 0) {
      lines.back() += ' ';
      ++used;
    }
    while (width_of(word) > width) {
      const std::size_t part = fitting(word, width);
      lines.back() += word.substr(0, part);
      lines.emplace_back();
      word.remove_prefix(part);
    }
    lines.back() += word;
    used += width_of(word);
  }
  return lines;
}

std::string shown(std::string_view text, bool bold) {
  std::string out;
  for (const char c : text) {
    if (!is_mark(c)) {
      out += c;
    } else if (bold) {
      out += c == kBoldOn ? "\x1b[1m" : "\x1b[0m";
    }
  }
  return out;
}

}  // namespace tako::manual
