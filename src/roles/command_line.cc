#include "roles/command_line.h"

#include <algorithm>
#include <cstdint>
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
