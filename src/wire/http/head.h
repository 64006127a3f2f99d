// HeadReader: the head of an HTTP message, from complete lines. Part of the parsers in http.h; not for others.
//
// llhttp reads the lines. Before it sees one, the line is checked for what llhttp's builds and versions differ in:
// how lines end, folding, white space and the bytes of a target. So the same bytes have the same meaning with each.
// It writes into the owner's strings, over those of the last message, so that a connection in use allocates nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/http/http.h"

namespace tako::wire {

struct HttpProblem {
  int status = 0;  // what a server answers; 0: there is no problem
  Error error;

  explicit operator bool() const { return status != 0; }
};
HttpProblem http_problem(int status, std::string_view what);

// Where a message's body ends.
struct HttpFraming {
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
};

// Compares a header's word; `lower` is in lower case.
bool same_word(std::string_view text, std::string_view lower);

class HttpHeadReader {
 public:
  enum class Kind : unsigned char { kRequest, kResponse };

  // `target` stays empty for a response. Both must outlive the reader.
  HttpHeadReader(Kind kind, std::string& target, HttpHeaders& headers);
  ~HttpHeadReader();
  HttpHeadReader(const HttpHeadReader&) = delete;
  HttpHeadReader& operator=(const HttpHeadReader&) = delete;

  void reset();
  // Takes bytes up to the end of the head. After it: there is a problem, the head is complete, or all were taken.
  std::size_t feed(std::string_view in);

  bool begun() const { return bytes_ > 0; }
  bool complete() const { return complete_; }
  const HttpProblem& problem() const { return problem_; }
  // The request line begins with HEAD. Known before the line is judged.
  bool is_head() const { return is_head_; }

  // REQUIRES of these: complete()
  const char* method() const;
  int minor() const;
  int status() const;
  bool keep_alive() const { return keep_alive_; }
  // REQUIRES: known headers stand there once (fields.h)
  HttpProblem framing(HttpFraming& framing) const;

 private:
  struct Llhttp;  // llhttp's state, and its callbacks into this

  void note_method(std::string_view part);
  void take_line(std::string_view line);
  void take_request_line(std::string_view line);
  void execute(std::string_view line);
  bool take_name(std::string_view part);
  void end_value();
  void fail(int status, std::string_view what) { problem_ = http_problem(status, what); }

  const Kind kind_;
  std::string& target_;
  HttpHeaders& headers_;
  const std::unique_ptr<Llhttp> llhttp_;
  std::string line_;  // a line of which the end is still to come
  std::size_t bytes_ = 0;
  std::size_t header_count_ = 0;
  bool in_header_ = false;
  bool first_line_done_ = false;
  bool complete_ = false;
  bool is_head_ = false;
  bool keep_alive_ = false;
  HttpProblem problem_;
};

}  // namespace tako::wire
