#include "node/standing.h"

#include "base/log.h"
#include "wire/codec.h"

namespace tako::node {
namespace {

constexpr char kMarkKey[] = "standing";
constexpr std::uint8_t kMarkFormat = 1;
constexpr std::size_t kBootIdBytesMax = 128;

}  // namespace

// mark := format:u8 clean:u8 incarnation:u64 boot_id:text word:u64[1024]
std::string Standing::encode(bool clean) const {
  wire::Writer writer;
  writer.u8(kMarkFormat);
  writer.u8(clean ? 1 : 0);
  writer.u64(incarnation());
  writer.text(boot_id_);
  for (const auto& word : words_) writer.u64(word.load(std::memory_order_relaxed));
  return writer.take();
}

Status Standing::decode(const std::string& mark) {
  wire::Reader reader{std::string_view(mark)};
  const std::uint8_t format = reader.u8();
  marked_clean_ = reader.u8() == 1;
  incarnation_ = reader.u64();
  marked_boot_id_ = reader.text(kBootIdBytesMax);
  for (auto& word : words_) word = reader.u64();
  const Status finished = reader.finish("mark");
  if (format != kMarkFormat || !finished) {
    return {ErrorCode::kCorrupt,
            "the node's own mark in its database does not decode; wipe the data folder to start as a new node"};
  }
  return ok_status();
}

Task<Status> Standing::load(store::Engine& engine, Start start) {
  boot_id_ = start.boot_id;
  const auto mark = co_await engine.get(store::Family::kSystem, kMarkKey);
  if (!mark) co_return mark.error();
  if (!mark->has_value()) {
    incarnation_ = start.fresh_incarnation;
  } else {
    Status decoded = decode(**mark);
    if (!decoded) co_return decoded;
    const bool machine_restarted = !boot_id_.empty() && boot_id_ != marked_boot_id_;
    if (machine_restarted && !marked_clean_ && !start.sync_always) {
      log::warn("standing_lost", {{"reason", "the machine stopped without a clean stop and sync is an interval"}});
      for (auto& word : words_) word = 0;
      raise_incarnation(std::max(incarnation(), start.fresh_incarnation));
    }
  }
  co_return co_await save(engine);
}

Task<Status> Standing::save(store::Engine& engine) {
  store::Batch batch;
  batch.put(store::Family::kSystem, kMarkKey, encode(false));
  co_return co_await engine.write(std::move(batch));
}

Task<Status> Standing::save_clean_stop(store::Engine& engine) {
  store::Batch batch;
  batch.put(store::Family::kSystem, kMarkKey, encode(true));
  co_return co_await engine.write(std::move(batch));
}

void Standing::set_votes_everywhere() {
  for (auto& word : words_) word = ~0ull;
}

bool Standing::blank() const {
  for (const auto& word : words_) {
    if (word.load(std::memory_order_relaxed)) return false;
  }
  return true;
}

void Standing::raise_incarnation(std::uint64_t above) { incarnation_ = above + 1; }

}  // namespace tako::node
