// Result<T>: a value, or the Error that stands in its place.
//
// Expected failures (a peer is away, a disk is full, a request is malformed) travel as values; exceptions are for
// start-up and for bugs. The code is what a program acts on, the message is one line for a person: it names what is
// wrong and what to do. A default-constructed Result is an internal error, so that one nobody filled in is noticed.
#pragma once

#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace tako {

enum class ErrorCode : unsigned char {
  kInternal = 0,   // a bug, or a state that should not be
  kInvalid,        // the caller's input is wrong
  kNotFound,       // what was asked for is not there
  kTooLarge,       // over a limit
  kUnavailable,    // the party asked is away, or too few are there; it may or may not have been carried out
  kUnsent,         // the party is known to be away: certainly not carried out
  kTimeout,        // the deadline passed
  kOverloaded,     // a bounded queue is full: try later
  kStale,          // the request's configuration is older than the server's
  kConflict,       // somebody else was first, or the name is taken
  kNoSpace,        // the disk is full
  kCorrupt,        // a checksum does not match
  kIo,             // the disk or the system failed
  kStopping,       // the process is shutting down
};

const char* name_of(ErrorCode code);

struct Error {
  Error() = default;
  Error(ErrorCode c, std::string m) : code(c), message(std::move(m)) {}

  ErrorCode code = ErrorCode::kInternal;
  std::string message = "nobody said what happened";
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result() : state_(Error()) {}
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}        // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}    // NOLINT: implicit by design
  Result(ErrorCode code, std::string message) : state_(std::in_place_index<1>, Error(code, std::move(message))) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok()
  T& value() & { ASSERT(ok()); return std::get<0>(state_); }
  const T& value() const& { ASSERT(ok()); return std::get<0>(state_); }
  T&& value() && { ASSERT(ok()); return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !ok()
  const Error& error() const { ASSERT(!ok()); return std::get<1>(state_); }
  ErrorCode code() const { return error().code; }

 private:
  std::variant<T, Error> state_;
};

// Nothing to return but that it worked.
struct Done {};
using Status = Result<Done>;
inline Status ok_status() { return Status(Done{}); }

}  // namespace tako
