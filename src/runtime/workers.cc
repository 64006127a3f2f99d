#include "runtime/workers.h"

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>

namespace tako::runtime {

Workers::Workers(unsigned threads) : pool_(threads ? std::make_unique<asio::thread_pool>(threads) : nullptr) {}

Workers::~Workers() { join(); }

void Workers::join() {
  if (pool_) pool_->join();
}

Task<> Workers::submit(Job job) {
  auto start = [this, job](auto handler) {
    auto doing = [job, handler = std::move(handler)]() mutable {
      job.run(job.self);
      const Executor home = asio::get_associated_executor(handler);
      asio::post(home, [handler = std::move(handler)]() mutable { std::move(handler)(); });
    };
    asio::post(*pool_, std::move(doing));
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(start, use_task);
}

}  // namespace tako::runtime
