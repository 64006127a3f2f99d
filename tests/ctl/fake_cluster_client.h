// A ClusterClient whose answers a test lays down, and a Console over strings.
#pragma once

#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "ctl/cluster_client.h"
#include "ctl/console.h"
#include "runtime/files.h"
#include "support/run_loop.h"

namespace tako::ctl_test {

using runtime::Task;

class FakeClusterClient final : public ctl::ClusterClient {
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
  void answer(int status, wire::HttpHeaders headers, const std::string& body) {
    wire::HttpResponse response;
    response.status = status;
    response.headers = std::move(headers);
    response.body = Bytes::copy_of(body);
    answers_.push_back(std::move(response));
  }
  // The next download breaks after so many bytes.
  void break_after(std::size_t bytes) { break_after_ = bytes; }
  void fail(ErrorCode code, const std::string& message) { answers_.push_back(Error(code, message)); }

  Task<Result<wire::HttpResponse>> request(std::string method, std::string target, wire::HttpHeaders headers,
                                           Bytes body) override {
    Asked asked;
    asked.method = std::move(method);
    asked.target = std::move(target);
    asked.headers = std::move(headers);
    asked.body = std::string(body.view());
    asked_.push_back(std::move(asked));
    co_return next();
  }

  Task<Result<wire::HttpResponse>> upload(ctl::Upload upload) override {
    Asked asked;
    asked.method = upload.size ? "PUT " + std::to_string(*upload.size) : "PUT chunked";
    asked.target = std::move(upload.target);
    asked.headers = std::move(upload.headers);
    bool more = true;
    while (more) {
      const Result<Bytes> piece = co_await upload.body->next();
      if (!piece) co_return piece.error();
      more = !piece->empty();
      if (more) CHECK(asked.body.size() % model::kPieceBytes == 0);
      asked.body += piece->view();
    }
    asked_.push_back(std::move(asked));
    co_return next();
  }

  Task<Result<wire::HttpResponse>> download(std::string target, wire::HttpHeaders headers,
                                            net::HttpSink& sink) override {
    Asked asked;
    asked.method = "GET";
    asked.target = std::move(target);
    asked.headers = std::move(headers);
    asked_.push_back(std::move(asked));
    auto response = next();
    if (!response) co_return response;
    response->content_length = response->body.size();
    const Result<bool> wanted = sink.begin(*response);
    if (!wanted) co_return wanted.error();
    if (!*wanted) co_return response;
    Bytes body = std::exchange(response->body, Bytes());
    const std::size_t bytes = std::min(body.size(), break_after_);
    for (std::size_t at = 0; at < bytes; at += 100'000) {
      const Status taken = sink.take(body.slice(at, std::min<std::size_t>(100'000, bytes - at)));
      if (!taken) co_return taken.error();
    }
    if (bytes < body.size()) co_return Error(ErrorCode::kUnavailable, "the proxy went away");
    co_return response;
  }

  Result<wire::HttpResponse> next() {
    Result<wire::HttpResponse> next = Error(ErrorCode::kUnsent, "nothing more was laid down");
    if (!answers_.empty()) {
      next = std::move(answers_.front());
      answers_.pop_front();
    }
    return next;
  }

  std::deque<Result<wire::HttpResponse>> answers_;
  std::deque<Asked> asked_;
  std::size_t break_after_ = ~std::size_t{0};
};

struct Desk {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  ctl::Console console{in, out, err};
  FakeClusterClient client;
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
