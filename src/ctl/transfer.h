// Values of any size between a ClusterClient and the operator's files: put_value's and get_value's way of doing it, in
// constant memory. On the loop of the program; what blocks goes to the Console's workers, since a proxy may live on
// this loop.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "ctl/cluster_client.h"
#include "ctl/console.h"
#include "ctl/progress.h"
#include "model/checksum.h"
#include "runtime/stream_file.h"

namespace tako::ctl {

// Reads up to so many bytes, fewer only at the end. May block.
using Read = std::function<Result<std::string>(std::size_t bytes)>;

// What is read, in pieces of model::kPieceBytes; counts and sums up what it gave.
class FileSource final : public net::ByteSource {
 public:
  // REQUIRES: console and progress outlive it
  FileSource(Console& console, Progress& progress, Read read)
      : console_(console), progress_(progress), read_(std::move(read)) {}

  Task<Result<Bytes>> next() override;

  // The two that were taken last come again. REQUIRES: nothing else was taken
  void put_back(Bytes first, Bytes second) {
    ahead_.push_back(std::move(first));
    ahead_.push_back(std::move(second));
  }
  std::uint64_t checksum() const { return sum_.value(); }

 private:
  Console& console_;
  Progress& progress_;
  const Read read_;
  std::deque<Bytes> ahead_;
  model::ValueChecksum sum_;
};

// Into a stream, as it comes.
class StreamSink final : public net::HttpSink {
 public:
  explicit StreamSink(Console& console) : console_(console) {}

  Result<bool> begin(const wire::HttpResponse& head) override;
  Status take(Bytes part) override;
  // Whether it is what its checksum says.
  Status check();

 private:
  Console& console_;
  std::unique_ptr<Progress> progress_;
  std::optional<std::uint64_t> expected_;
  std::string piece_;  // of which the end is still to come
  model::ValueChecksum sum_;
};

// Into a file, or behind the part of it that is there.
class PartSink final : public net::HttpSink {
 public:
  PartSink(Console& console, runtime::PartFile& file) : console_(console), file_(file) {}

  Result<bool> begin(const wire::HttpResponse& head) override;
  Status take(Bytes part) override;
  // Whether all of the file is what the checksum says; reads it once more.
  Status check();
  void expect(std::optional<std::uint64_t> checksum) { expected_ = checksum; }
  void end() { progress_.reset(); }

 private:
  Console& console_;
  runtime::PartFile& file_;
  std::unique_ptr<Progress> progress_;
  std::optional<std::uint64_t> expected_;
};

// X-Tako-Checksum; none: this server does not say.
std::optional<std::uint64_t> checksum_in(const wire::HttpHeaders& headers);

}  // namespace tako::ctl
