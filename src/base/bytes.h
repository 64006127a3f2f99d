// Bytes: an immutable run of bytes, cheap to copy and to slice.
//
// A value is received once and handed to every replica, so copies share one buffer (an atomic count; safe to pass
// between loops). Keys are std::string: they are short, and compared and owned everywhere.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"

namespace tako {

class Bytes {
 public:
  Bytes() = default;
  explicit Bytes(std::string data)
      : owner_(std::make_shared<const std::string>(std::move(data))), view_(*owner_) {}

  static Bytes copy_of(std::string_view data) { return Bytes(std::string(data)); }

  std::string_view view() const { return view_; }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

  // The part [from, from + count), sharing the buffer. REQUIRES: from + count <= size()
  Bytes slice(std::size_t from, std::size_t count) const {
    ASSERT(from <= size() && count <= size() - from);
    Bytes part;
    part.owner_ = owner_;
    part.view_ = view_.substr(from, count);
    return part;
  }

  friend bool operator==(const Bytes& a, const Bytes& b) { return a.view_ == b.view_; }

 private:
  std::shared_ptr<const std::string> owner_;
  std::string_view view_;
};

}  // namespace tako
