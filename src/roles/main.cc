// Name -> program, by the first argument or by the name that the binary was called by (`ln -s tako tako-ctl`).
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "roles/roles.h"
#include "runtime/signals.h"

namespace {

using tako::runtime::Life;

struct Program {
  const char* name;
  int (*run)(int, char**);
  const char* what;
  Life life = Life::kServer;
};

constexpr Program kPrograms[] = {
    {"cluster", tako::roles::run_cluster, "a whole cluster in one process, to try it or for one machine"},
    {"node", tako::roles::run_node, "stores keys"},
    {"proxy", tako::roles::run_proxy, "serves HTTP in front of the nodes"},
    {"coordinator", tako::roles::run_coordinator, "keeps the configuration and hands it out"},
    {"ctl", tako::roles::run_ctl, "looks after a cluster, and gets and puts values", Life::kTool},
    {"help", tako::roles::run_help, "the manual: lists its topics, or shows one", Life::kTool},
    {"completion", tako::roles::run_completion, "for bash, zsh and fish: completes commands at TAB", Life::kTool},
};

constexpr char kComplete[] = "--complete";  // what the scripts of `tako completion` ask

const Program* find(const std::string& name) {
  for (const Program& program : kPrograms) {
    if (name == program.name) return &program;
  }
  return nullptr;
}

void print_help(std::FILE* to) {
  std::fputs("Tako, a distributed key-value store.\n\nUsage: tako PROGRAM [OPTIONS]\n\nPrograms:\n", to);
  for (const Program& program : kPrograms) std::fprintf(to, "  %-12s %s\n", program.name, program.what);
  std::fputs(
      "\n  tako PROGRAM --help says what each one takes; tako --version prints the version.\n"
      "  tako help lists the topics of the manual; tako help start is where to begin.\n\n"
      "Example: tako cluster conf/local_cluster.yaml -p 8080\n",
      to);
}

struct Chosen {
  const Program* program = nullptr;
  int argc = 0;
  char** argv = nullptr;  // from its name on
};

Chosen choose(int argc, char** argv) {
  const std::string path = argc > 0 ? argv[0] : "";
  const std::string called = path.substr(path.rfind('/') + 1);
  if (called.starts_with("tako-")) {
    if (const Program* program = find(called.substr(5))) return {program, argc, argv};
  }
  if (argc < 2) return {};
  // The words of a program: it completes them itself.
  if (argc > 3 && std::strcmp(argv[1], kComplete) == 0) {
    std::swap(argv[1], argv[2]);
  }
  return {find(argv[1]), argc - 1, argv + 1};
}

// The first word: a program, or one of the options that stand alone.
int complete(const std::string& start) {
  for (const Program& program : kPrograms) {
    if (std::string_view(program.name).starts_with(start)) std::printf("%s\t%s\n", program.name, program.what);
  }
  for (const char* option : {"--help", "--version"}) {
    if (start.starts_with("-") && std::string_view(option).starts_with(start)) std::printf("%s\t\n", option);
  }
  return 0;
}

int run(const Chosen& chosen, int argc, char** argv) {
  if (chosen.program) return chosen.program->run(chosen.argc, chosen.argv);
  if (argc < 2) {
    print_help(stderr);
    return 2;
  }
  const std::string first = argv[1];
  if (first == kComplete) return complete(argc > 2 ? argv[2] : "");
  if (first == "--version" || first == "-V") {
    std::puts("tako " TAKO_VERSION);
    return 0;
  }
  if (first == "--help" || first == "-h") {
    print_help(stdout);
    return 0;
  }
  std::fprintf(stderr, "tako: there is no program '%s'; see tako --help\n", first.c_str());
  return 2;
}

// Whatever was printed, and by whom: what could not be written was not said.
int close_output(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  if (code != 0) return code;
  std::fprintf(stderr, "tako: cannot write the output: %s\n", std::strerror(errno));
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  tako::runtime::settle_descriptors();
  const Chosen chosen = choose(argc, argv);
  tako::runtime::settle_signals(chosen.program ? chosen.program->life : Life::kTool);
  return close_output(run(chosen, argc, argv));
}
