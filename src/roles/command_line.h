// CommandLine: what a program takes, with its help and its complaints. The only user of CLI11 is behind it: that header
// and the templates it makes cost more time than the rest of a file.
//
// Command and Option are handles: they live as long as the CommandLine. What options are read into outlives it too.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace tako::roles {

class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option& required(bool is = true);
  Option& type(const char* name);  // what its value is called in the help
  Option& env(const char* name);   // where it is taken from when it is not given
  Option& shows_default();
  Option& takes(int values);
  Option& repeatable();           // one value each time it is given
  Option& separated_by(char by);  // several values in one
  Option& between(int min, int max);
  Option& positive();
  Option& one_of(std::vector<std::string> values);

 private:
  CLI::Option* option_;
};

class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  // "-c,--config": an option; "config": positional. T: a string, a number or an optional of one, or a vector of them:
  // those of command_line.cc.
  template <class T>
  Option option(const char* names, T& into, const char* what);
  void flag(const char* names, bool& into, const char* what);
  void footer(const std::string& text);

  // A command below this one, which leaves what it does not know to this one.
  Command sub(const char* name, const char* what, const std::string& footer);
  void needs_sub();
  void when_chosen(std::function<void()> action);

 protected:
  CLI::App* app_;
};

class CommandLine : public Command {
 public:
  // name: as typed, "tako node"
  CommandLine(const char* what, std::string name);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  void takes_one_sub();

  // An exit code: the program ends here, after --help (0, on stdout) or wrong usage (2, one line on stderr). Or after
  // `--complete WORD...` in the first place (0): what could stand where the last WORD does, as completion.cc says.
  std::optional<int> parse(int argc, char** argv);
  int wrong_usage(std::string reason) const;

 private:
  std::unique_ptr<CLI::App> owned_;
  std::string name_;
};

}  // namespace tako::roles
