#include "replication/replicator.h"

#include <utility>

#include "replication/proposer.h"
#include "replication/reader.h"
#include "replication/repairs.h"
#include "replication/rounds.h"
#include "replication/updater.h"
#include "replication/writer.h"

namespace tako::replication {

using model::ReadLevel;
using model::WriteLevel;

struct Replicator::Parts {
  Parts(runtime::Loop& loop, net::Transport& transport, const runtime::Clock& clock, std::shared_ptr<VersionMark> mark)
      : context(loop, transport, clock, std::move(mark)) {}

  Context context;
  Rounds rounds{context};
  Proposer proposer{context, rounds};
  Updater updater{context, rounds, proposer};
  Repairs repairs{context, rounds, proposer};
  Reader reader{context, rounds, proposer, repairs, updater};
  Writer writer{context, rounds, updater, reader};
};

Replicator::Replicator(runtime::Loop& loop, net::Transport& transport, const runtime::Clock& clock,
                       std::shared_ptr<VersionMark> mark)
    : parts_(std::make_unique<Parts>(loop, transport, clock, std::move(mark))) {}
Replicator::~Replicator() = default;

void Replicator::adopt(std::shared_ptr<const model::Placement> placement) {
  parts_->context.placement = std::move(placement);
}

std::shared_ptr<const model::Placement> Replicator::placement() const { return parts_->context.placement; }

Task<Result<WriteAnswer>> Replicator::write(std::string key, Mutation mutation, WriteLevel level, TimePoint deadline) {
  return parts_->writer.write(std::move(key), std::move(mutation), level, deadline);
}

Task<Result<WriteAnswer>> Replicator::write_large(std::string key, Mutation mutation, net::ByteSource& body,
                                                  WriteLevel level, Duration step) {
  return parts_->writer.write_large(std::move(key), std::move(mutation), body, level, step);
}

Task<Result<UpdateAnswer>> Replicator::update(std::string key, UpdateFn decide, bool want_value, TimePoint deadline) {
  return parts_->updater.update(std::move(key), std::move(decide), want_value, deadline);
}

Task<Result<UpdateAnswer>> Replicator::update_large(std::string key, UpdateFn decide, net::ByteSource& body,
                                                    Duration step) {
  return parts_->updater.update_large(std::move(key), std::move(decide), body, step);
}

Task<Result<ReadAnswer>> Replicator::read(std::string key, ReadLevel level, bool want_value, TimePoint deadline) {
  return parts_->reader.read(std::move(key), level, want_value, deadline);
}

std::unique_ptr<net::ByteSource> Replicator::open(std::string key, const ReadAnswer& answer, std::uint64_t begin,
                                                  std::uint64_t end, Duration step) {
  return parts_->reader.open(std::move(key), answer, begin, end, step);
}

Task<Result<StatAnswer>> Replicator::stat(std::string key, TimePoint deadline) {
  return parts_->reader.stat(std::move(key), deadline);
}

Task<std::optional<model::Ballot>> Replicator::agree(std::string key, std::optional<model::Record> rescued,
                                                     model::Ballot promise, TimePoint deadline) {
  return parts_->proposer.agree(std::move(key), std::move(rescued), promise, deadline);
}

Task<> Replicator::stop() { return parts_->context.gate.drained(); }

const Counters& Replicator::counters() const { return parts_->context.counters; }
std::size_t Replicator::pieces_in_memory() const { return parts_->context.places.used(); }
const VersionClock& Replicator::clock() const { return parts_->context.clock; }

}  // namespace tako::replication
