// A Door whose answers a test lays down, and a Console over strings.
#pragma once

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "ctl/console.h"
#include "ctl/door.h"
#include "runtime/files.h"
#include "support/run_loop.h"

namespace tako::ctl_test {

using runtime::Task;

class FakeDoor final : public ctl::Door {
 public:
  struct Asked {
    std::string method;
    std::string target;
    wire::HttpHeaders headers;
    std::string body;
  };

  void answer(int status, const std::string& body) {
    wire::HttpResponse response;
    response.status = status;
    response.body = Bytes::copy_of(body);
    answers_.push_back(std::move(response));
  }
  void fail(ErrorCode code, const std::string& message) { answers_.push_back(Error(code, message)); }

  Task<Result<wire::HttpResponse>> request(std::string method, std::string target, wire::HttpHeaders headers,
                                           Bytes body) override {
    Asked asked;
    asked.method = std::move(method);
    asked.target = std::move(target);
    asked.headers = std::move(headers);
    asked.body = std::string(body.view());
    asked_.push_back(std::move(asked));
    Result<wire::HttpResponse> next = Error(ErrorCode::kUnsent, "nothing more was laid down");
    if (!answers_.empty()) {
      next = std::move(answers_.front());
      answers_.pop_front();
    }
    co_return next;
  }

  std::deque<Result<wire::HttpResponse>> answers_;
  std::deque<Asked> asked_;
};

struct Desk {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  ctl::Console console{in, out, err};
  FakeDoor door;
  test::VirtualLoop world;

  // Runs a verb to its exit code. `make` makes the task.
  template <class F>
  int run(F make) {
    return world.run(std::move(make));
  }
};

// A folder of its own, gone afterwards.
struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tako-ctl-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    path = name;
    auto opened = runtime::DiskFiles::open(path);
    REQUIRE(opened.ok());
    files = std::move(*opened);
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
  std::unique_ptr<runtime::DiskFiles> files;
};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace tako::ctl_test
