// tako help: the topics of the manual, or one of its pages.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "manual/manual.h"
#include "manual/render.h"
#include "roles/command_line.h"
#include "roles/roles.h"
#include "runtime/pager.h"

namespace tako::roles {
namespace {

constexpr std::size_t kWidthPlain = 80;
constexpr std::size_t kWidthMax = 100;  // longer lines are hard to read
constexpr std::size_t kTopicColumns = 19;

std::vector<std::string> topics() {
  std::vector<std::string> names;
  for (const manual::Page& page : manual::pages()) names.emplace_back(page.topic);
  return names;
}

std::string list_of_topics() {
  std::string text = "The manual of Tako. tako help TOPIC shows a page:\n\n";
  for (const manual::Page& page : manual::pages()) {
    std::string line = "  " + std::string(page.topic);
    line.resize(kTopicColumns, ' ');
    // "HTTP: requests, ...": the topic says the first half.
    const std::size_t what = page.title.find(": ");
    text += line + std::string(page.title.substr(what == std::string_view::npos ? 0 : what + 2)) + "\n";
  }
  return text + "\ntako --help lists the programs, and tako PROGRAM --help the options of one.\n";
}

void show(const manual::Page& page) {
  const runtime::Terminal terminal = runtime::output_terminal();
  const std::size_t width = terminal.width > 0 ? std::min(terminal.width, kWidthMax) : kWidthPlain;
  const std::string text = manual::render(page.text, {width, terminal.bold});
  if (terminal.width > 0) runtime::become_pager(text);
  std::fputs(text.c_str(), stdout);
}

}  // namespace

int run_help(int argc, char** argv) {
  std::string topic;
  CommandLine app("Shows the manual, which is inside this program.", "tako help");
  app.option("topic", topic, "the page; without it, the list of all").type("TOPIC").one_of(topics());
  app.footer("Example: tako help http");
  if (const auto ended = app.parse(argc, argv)) return *ended;
  if (topic.empty()) {
    std::fputs(list_of_topics().c_str(), stdout);
  } else {
    show(*manual::find(topic));
  }
  return 0;
}

}  // namespace tako::roles
