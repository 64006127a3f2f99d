// The fuzz targets as ordinary tests: over every file of their corpora, and over mutations of those.
//
// The mutations are the same on every run. A target that aborts prints the file and the mutation's number first.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.h"
#include "target.h"

namespace tako::fuzz {
namespace {

constexpr int kMutationsPerFile = 300;

struct Input {
  std::string name;
  std::string bytes;
};

std::vector<Input> corpus_of(const std::string& target) {
  std::vector<Input> corpus;
  for (const auto& entry : std::filesystem::directory_iterator(TAKO_FUZZ_CORPUS "/" + target)) {
    std::ifstream file(entry.path(), std::ios::binary);
    corpus.push_back({entry.path().filename().string(), std::string(std::istreambuf_iterator<char>(file), {})});
  }
  const auto by_name = [](const Input& a, const Input& b) { return a.name < b.name; };
  std::sort(corpus.begin(), corpus.end(), by_name);
  return corpus;
}

// One edit: a bit, a byte, a stretch removed, repeated, or taken from another input.
void mutate(Random& random, std::string& bytes, const std::string& other) {
  if (bytes.empty()) bytes = "x";
  const std::size_t at = random.below(bytes.size());
  const std::size_t length = random.between(1, std::min<std::size_t>(16, bytes.size() - at));
  switch (random.below(6)) {
    case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8))); break;
    case 1: bytes[at] = static_cast<char>(random.next()); break;
    case 2: bytes.erase(at, length); break;
    case 3: bytes.insert(at, std::string(bytes, at, length)); break;
    case 4: bytes[at] = "\r\n \t:;,0\xff"[random.below(9)]; break;
    default: {
      const std::size_t from = other.empty() ? 0 : random.below(other.size());
      bytes.replace(at, length, other.substr(from, length));
      break;
    }
  }
}

// What is running, for the signal handler.
const char* running_file = "";
int running_mutation = 0;

void on_abort(int signal) {
  std::fprintf(stderr, "input: %s, mutation %d\n", running_file, running_mutation);
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void replay(const std::string& name, void (*target)(std::string_view)) {
  const std::vector<Input> corpus = corpus_of(name);
  REQUIRE(corpus.size() >= 3);
  std::signal(SIGABRT, on_abort);
  Random random(1);
  for (const Input& input : corpus) {
    running_file = input.name.c_str();
    running_mutation = 0;
    target(input.bytes);
    for (int mutation = 1; mutation <= kMutationsPerFile; ++mutation) {
      running_mutation = mutation;
      std::string bytes = input.bytes;
      for (std::uint64_t edits = random.between(1, 4); edits > 0; --edits) {
        mutate(random, bytes, corpus[random.below(corpus.size())].bytes);
      }
      target(bytes);
    }
  }
}

TEST_CASE("configurations: the corpus and its mutations keep every property") { replay("fuzz_config", fuzz_config); }
TEST_CASE("frames: the corpus and its mutations keep every property") { replay("fuzz_frame", fuzz_frame); }
TEST_CASE("HTTP requests: the corpus and its mutations keep every property") {
  replay("fuzz_http_request", fuzz_http_request);
}
TEST_CASE("HTTP responses: the corpus and its mutations keep every property") {
  replay("fuzz_http_response", fuzz_http_response);
}
TEST_CASE("memcached: the corpus and its mutations keep every property") { replay("fuzz_memcached", fuzz_memcached); }
TEST_CASE("messages: the corpus and its mutations keep every property") { replay("fuzz_message", fuzz_message); }

}  // namespace
}  // namespace tako::fuzz
