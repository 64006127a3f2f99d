// DigestCheck: whether a body is what its client says it is: Content-MD5, Digest (RFC 3230), Repr-Digest and
// Content-Digest (RFC 9530), with MD5, SHA-256 and SHA-512; other algorithms are passed over. Pure; one per request.
//
// Fed while the body comes. What a client sent wrong is kInvalid: a header that cannot be read, or one that the body
// does not match. Without a header it costs nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "wire/http/http.h"

namespace tako::wire {

class DigestCheck {
 public:
  static Result<DigestCheck> of(const HttpHeaders& headers);

  bool any() const { return !expected_.empty(); }
  void add(std::string_view data) {
    for (Digest& digest : running_) digest.add(data);
  }
  // All of the body was added. Once.
  Status finish();

 private:
  struct Expected {
    std::string header;  // as the client may call it
    Digest::Kind kind;
    std::string value;
  };
  static constexpr std::size_t kDigestsMax = 16;  // in all headers of a request

  Status take(std::string_view header, std::string_view value);
  Status expect(std::string header, Digest::Kind kind, std::string_view base64);

  std::vector<Expected> expected_;
  std::vector<Digest> running_;  // one of each kind that is expected
};

}  // namespace tako::wire
