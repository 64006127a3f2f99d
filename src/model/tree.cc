#include "model/tree.h"

#include <charconv>
#include <cstdio>
#include <map>
#include <sstream>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

namespace tako::model {
namespace {

// What is wrong with the document; caught in parse_tree.
struct Fault {
  ErrorCode code;
  unsigned line;
  std::string message;
};

unsigned line_of(const YAML::Mark& mark) { return mark.line < 0 ? 1 : static_cast<unsigned>(mark.line) + 1; }

// The length of the UTF-8 sequence at the front of `text`, 0 if there is none (RFC 3629).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first < 0xe0) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    const bool sane = first == 0xe0 ? byte(1) >= 0xa0 : first == 0xed ? byte(1) < 0xa0 : true;
    return sane && tail(1) && tail(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first < 0xf5) {
    const bool sane = first == 0xf0 ? byte(1) >= 0x90 : first == 0xf4 ? byte(1) < 0x90 : true;
    return sane && tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

// yaml-cpp stops in silence at some control codes and guesses at other encodings.
void check_text(std::string_view text) {
  unsigned line = 1;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t length = sequence_length(text.substr(i));
    if (length == 0) throw Fault{ErrorCode::kInvalid, line, "not UTF-8; save the file in that encoding"};
    if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f) {
      throw Fault{ErrorCode::kInvalid, line, "a control character; take it out"};
    }
    if (c == '\n') ++line;
    i += length;
  }
}

// Lines whose indentation contains a tab: yaml-cpp takes one for a single blank, which is never what was meant.
std::vector<bool> tabbed_lines(std::string_view text) {
  std::vector<bool> tabbed(1);
  bool indenting = true;
  for (const char c : text) {
    if (c == '\n') {
      tabbed.push_back(false);
      indenting = true;
    } else if (indenting && c == '\t') {
      tabbed.back() = true;
    } else if (c != ' ') {
      indenting = false;
    }
  }
  return tabbed;
}

class Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string_view text) : tabbed_(tabbed_lines(text)) {}

  Tree take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) {
      throw Fault{ErrorCode::kInvalid, line_of(mark),
                  "a second document begins here; expected one (is the indentation right?)"};
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { leaf(mark, anchor, Tree{}); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Tree scalar = Tree::plain(value);
    scalar.quoted = tag != "?" && tag != "tag:yaml.org,2002:int" && tag != "tag:yaml.org,2002:bool";
    leaf(mark, anchor, std::move(scalar));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Fault{ErrorCode::kInvalid, line_of(mark), "an alias within its own anchor"};
    count(mark, count_nodes(found->second));
    put(found->second);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(mark, anchor, Tree::list(), style);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(mark, anchor, Tree::map(), style);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Level {
    Tree tree;
    YAML::anchor_t anchor;
  };

  static std::size_t count_nodes(const Tree& tree) {
    std::size_t sum = 1;
    for (const Tree& item : tree.items) sum += count_nodes(item);
    return sum;
  }

  void count(const YAML::Mark& mark, std::size_t more) {
    nodes_ += more;
    if (nodes_ > kTreeNodesMax) {
      throw Fault{ErrorCode::kTooLarge, line_of(mark),
                  "too large: more than " + std::to_string(kTreeNodesMax) + " values, aliases counted in full"};
    }
  }

  void arrive(const YAML::Mark& mark) {
    count(mark, 1);
    const unsigned line = line_of(mark);
    const bool in_block = !levels_.empty() && !levels_.back().tree.flow;
    if (in_block && line <= tabbed_.size() && tabbed_[line - 1]) {
      throw Fault{ErrorCode::kInvalid, line, "a tab in the indentation; YAML is indented with spaces"};
    }
  }

  void leaf(const YAML::Mark& mark, YAML::anchor_t anchor, Tree tree) {
    arrive(mark);
    tree.line = line_of(mark);
    if (anchor != 0) anchors_[anchor] = tree;
    put(std::move(tree));
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, Tree tree, YAML::EmitterStyle::value style) {
    arrive(mark);
    if (levels_.size() >= kTreeDepthMax) throw Fault{ErrorCode::kInvalid, line_of(mark), "nested too deeply"};
    tree.line = line_of(mark);
    tree.flow = style == YAML::EmitterStyle::Flow;
    levels_.push_back({std::move(tree), anchor});
  }

  void close() {
    Level level = std::move(levels_.back());
    levels_.pop_back();
    if (level.anchor != 0) anchors_[level.anchor] = level.tree;
    put(std::move(level.tree));
  }

  void put(Tree tree) {
    if (levels_.empty()) {
      root_ = std::move(tree);
    } else {
      levels_.back().tree.items.push_back(std::move(tree));
    }
  }

  std::vector<bool> tabbed_;
  std::vector<Level> levels_;
  std::map<YAML::anchor_t, Tree> anchors_;
  std::size_t nodes_ = 0;
  unsigned documents_ = 0;
  Tree root_;
};

// JSON writes a character beyond 16 bits as two escapes (RFC 8259 §7), which yaml-cpp refuses; YAML has one for it.
std::string join_surrogates(std::string_view text) {
  const auto unit = [&](std::size_t at) {
    unsigned value = 0;
    if (text.substr(at, 2) != "\\u" || text.size() < at + 6) return 0u;
    const auto [end, error] = std::from_chars(text.data() + at + 2, text.data() + at + 6, value, 16);
    return error == std::errc() && end == text.data() + at + 6 ? value : 0u;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const unsigned high = text[i] == '\\' ? unit(i) : 0;
    const unsigned low = high >= 0xd800 && high < 0xdc00 ? unit(i + 6) : 0;
    if (low >= 0xdc00 && low < 0xe000) {
      char escape[16];
      std::snprintf(escape, sizeof escape, "\\U%08x", 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
      out += escape;
      i += 12;
    } else {
      const std::size_t length = text[i] == '\\' ? 2 : 1;  // an escaped backslash begins no escape
      out += text.substr(i, length);
      i += length;
    }
  }
  return out;
}

Tree parse(std::string_view text) {
  if (text.size() > kTreeBytesMax) {
    throw Fault{ErrorCode::kTooLarge, 1, "the file is larger than " + std::to_string(kTreeBytesMax >> 20) + " MiB"};
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  check_text(text);
  // yaml-cpp overlooks an open quote if a line end follows.
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  Builder builder(text);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool json = first != std::string_view::npos && text[first] == '{';
  std::istringstream stream(json ? join_surrogates(text) : std::string(text));
  YAML::Parser parser(stream);
  while (parser.HandleNextDocument(builder)) {}
  return builder.take();
}

}  // namespace

Result<Tree> parse_tree(std::string_view text, std::string_view name) {
  const auto fault = [&](ErrorCode code, unsigned line, const std::string& message) {
    return Error(code, std::string(name) + ":" + std::to_string(line) + ": " + message);
  };
  try {
    return parse(text);
  } catch (const Fault& f) {
    return fault(f.code, f.line, f.message);
  } catch (const YAML::Exception& e) {
    return fault(ErrorCode::kInvalid, line_of(e.mark), "neither YAML nor JSON: " + printable(e.msg));
  }
}

}  // namespace tako::model
