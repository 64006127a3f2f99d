#include "roles/command_line.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <type_traits>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/log.h"

namespace tako::roles {

namespace {

constexpr int kExitUsage = 2;

template <class T>
constexpr bool is_number = std::is_unsigned_v<T>;
template <class T>
constexpr bool is_number<std::optional<T>> = is_number<T>;
template <class T>
constexpr bool is_number<std::vector<T>> = is_number<T>;

// CLI11 takes -1 as the largest number there is, and what is above that too.
std::string whole_number(const std::string& text) {
  constexpr std::size_t kDigitsMax = 18;
  if (text.find_first_not_of("0123456789") != std::string::npos) return "'" + text + "' is no whole number from 0 on";
  return text.size() > kDigitsMax ? text + " is too large" : "";
}

// Its own check of this names the largest double in its complaint.
std::string above_zero(const std::string& text) {
  return text.find_first_not_of('0') == std::string::npos ? "a number above 0 is expected" : "";
}

std::string joined(const std::vector<std::string>& values, const char* by) {
  std::string all;
  for (const std::string& value : values) all += (all.empty() ? "" : by) + value;
  return all;
}

// Answers `--complete WORD...` from the options that have been declared.
class Completer {
 public:
  explicit Completer(CLI::App* app) : apps_{app} {}

  void pass(const std::string& word) {
    if (awaited_) {
      awaited_ = nullptr;
    } else if (word.size() > 1 && word[0] == '-' && !only_positional_) {
      pass_option(word);
    } else if (CLI::App* below = positional_ == 0 ? sub_of(word) : nullptr) {
      apps_.push_back(below);
    } else {
      ++positional_;
    }
  }

  void complete(const std::string& start) {
    const std::size_t equals = start.starts_with("--") ? start.find('=') : std::string::npos;
    if (awaited_) {
      offer_values(*awaited_, start, "");
    } else if (equals != std::string::npos) {
      const CLI::Option* option = option_of(start.substr(0, equals));
      if (option) offer_values(*option, start.substr(equals + 1), start.substr(0, equals + 1));
    } else if (start.starts_with("-") && !only_positional_) {
      offer_options(start);
    } else {
      offer_words(start);
    }
  }

 private:
  void pass_option(const std::string& word) {
    only_positional_ = word == "--";
    const bool is_long = word.starts_with("--");
    if (only_positional_ || (is_long && word.find('=') != std::string::npos)) return;
    const CLI::Option* option = option_of(is_long ? word : word.substr(0, 2));
    // `-p8080` has its value with it.
    if (option && option->get_items_expected_max() > 0 && (is_long || word.size() == 2)) awaited_ = option;
  }

  CLI::App* sub_of(const std::string& name) const {
    for (CLI::App* below : apps_.back()->get_subcommands([](CLI::App*) { return true; })) {
      if (below->get_name() == name) return below;
    }
    return nullptr;
  }

  // A command leaves options that it does not know to those above.
  const CLI::Option* option_of(const std::string& name) const {
    for (auto app = apps_.rbegin(); app != apps_.rend(); ++app) {
      if (const CLI::Option* option = (*app)->get_option_no_throw(name)) return option;
    }
    return nullptr;
  }

  void offer(const std::string& word, const std::string& start, const std::string& what) {
    if (!word.starts_with(start)) return;
    std::cout << word << '\t' << what.substr(0, what.find('\n')) << '\n';
    ++offered_;
  }

  void offer_options(const std::string& start) {
    for (auto app = apps_.rbegin(); app != apps_.rend(); ++app) {
      for (const CLI::Option* option : (*app)->get_options()) {
        if (app != apps_.rbegin() && option == (*app)->get_help_ptr()) continue;
        for (const std::string& name : option->get_lnames()) offer("--" + name, start, option->get_description());
        if (start.size() != 2 || start[1] == '-') continue;
        for (const std::string& name : option->get_snames()) offer("-" + name, start, option->get_description());
      }
    }
  }

  void offer_values(const CLI::Option& option, const std::string& start, const std::string& before) {
    const std::string type = option.get_type_name();
    if (type.starts_with("FILE")) std::cout << ":file\n";
    if (type.starts_with("DIR")) std::cout << ":folder\n";
    offered_ += type.starts_with("FILE") || type.starts_with("DIR") ? 1 : 0;
    const std::size_t list = type.find('{');
    if (list == std::string::npos) return;
    std::string values = type.substr(list + 1, type.find('}', list) - list - 1) + ",";
    for (std::size_t end; (end = values.find(',')) != std::string::npos; values.erase(0, end + 1)) {
      offer(before + values.substr(0, end), before + start, "");
    }
  }

  void offer_words(const std::string& start) {
    if (positional_ == 0) {
      for (const CLI::App* below : apps_.back()->get_subcommands([](CLI::App*) { return true; })) {
        offer(below->get_name(), start, below->get_description());
      }
    }
    std::size_t at = positional_;
    for (const CLI::Option* option : apps_.back()->get_options()) {
      if (!option->get_positional()) continue;
      if (at < static_cast<std::size_t>(option->get_items_expected_max())) {
        offer_values(*option, start, "");
        break;
      }
      at -= static_cast<std::size_t>(option->get_items_expected_max());
    }
    if (offered_ == 0 && start.empty()) offer_options("--");
  }

  std::vector<CLI::App*> apps_;           // from the program to the command that was named last
  const CLI::Option* awaited_ = nullptr;  // the next word is its value
  std::size_t positional_ = 0;            // words that are no options, of the last command
  bool only_positional_ = false;          // after "--"
  std::size_t offered_ = 0;
};

}  // namespace

Option& Option::required(bool is) { return option_->required(is), *this; }
Option& Option::type(const char* name) { return option_->type_name(name), *this; }
Option& Option::env(const char* name) { return option_->envname(name), *this; }
Option& Option::shows_default() { return option_->capture_default_str(), *this; }
Option& Option::takes(int values) { return option_->expected(values), *this; }
Option& Option::repeatable() { return option_->allow_extra_args(false), *this; }
Option& Option::separated_by(char by) { return option_->delimiter(by), *this; }
Option& Option::between(int min, int max) { return option_->check(CLI::Range(min, max)), *this; }
Option& Option::one_of(std::vector<std::string> values) {
  const std::string list = "{" + joined(values, ",") + "}";
  const auto is_one = [values](const std::string& text) -> std::string {
    if (std::find(values.begin(), values.end(), text) != values.end()) return "";
    return "there is no '" + text + "'; there are " + joined(values, ", ");
  };
  option_->check(CLI::Validator(is_one, list));
  return *this;
}
Option& Option::positive() { return option_->check(above_zero), *this; }

template <class T>
Option Command::option(const char* names, T& into, const char* what) {
  CLI::Option* option = app_->add_option(names, into, what);
  if constexpr (is_number<T>) option->check(whole_number);
  return Option(option);
}
template Option Command::option(const char*, std::string&, const char*);
template Option Command::option(const char*, std::vector<std::string>&, const char*);
template Option Command::option(const char*, unsigned&, const char*);
template Option Command::option(const char*, std::vector<unsigned>&, const char*);
template Option Command::option(const char*, std::uint16_t&, const char*);
template Option Command::option(const char*, std::optional<std::uint16_t>&, const char*);
template Option Command::option(const char*, std::uint64_t&, const char*);

void Command::flag(const char* names, bool& into, const char* what) { app_->add_flag(names, into, what); }
void Command::footer(const std::string& text) { app_->footer(text); }
void Command::needs_sub() { app_->require_subcommand(1); }
void Command::when_chosen(std::function<void()> action) { app_->callback(std::move(action)); }

Command Command::sub(const char* name, const char* what, const std::string& footer) {
  CLI::App* below = app_->add_subcommand(name, what)->fallthrough();
  below->footer(footer);
  return Command(below);
}

CommandLine::CommandLine(const char* what, std::string name)
    : Command(nullptr), owned_(std::make_unique<CLI::App>(what, name)), name_(std::move(name)) {
  app_ = owned_.get();
}

CommandLine::~CommandLine() = default;

// An unknown one is named as such then; 0 or 1: that none was given is for the caller to say.
void CommandLine::takes_one_sub() { app_->require_subcommand(0, 1); }

std::optional<int> CommandLine::parse(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--complete") == 0) {
    Completer completer(app_);
    for (int i = 2; i + 1 < argc; ++i) completer.pass(argv[i]);
    completer.complete(argc > 2 ? argv[argc - 1] : "");
    return 0;
  }
  try {
    app_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app_->help();
    return 0;
  } catch (const CLI::ParseError& e) {
    return wrong_usage(e.what());
  }
  return std::nullopt;
}

int CommandLine::wrong_usage(std::string reason) const {
  for (char& c : reason) c = c == '\n' ? ' ' : c;
  log::tell(name_ + ": " + reason + "; see " + name_ + " --help");
  return kExitUsage;
}

}  // namespace tako::roles
