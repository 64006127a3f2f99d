// Workers: threads for what blocks (a read that misses the cache, a batch with its sync, a small file).
//
// run() is called on a loop and resumes there. With 0 threads the work is done at once on the caller's stack: the
// simulator's way, where virtual time must not pass while a job is open.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>

#include "runtime/task.h"

namespace tako::runtime {

class Workers {
 public:
  explicit Workers(unsigned threads) : pool_(threads ? std::make_unique<asio::thread_pool>(threads) : nullptr) {}
  ~Workers() { join(); }

  // RETURNS what `work` returns (not void). The caller's frame stays suspended meanwhile, so `work` may refer to it.
  template <class F>
  Task<std::invoke_result_t<F>> run(F work) {
    using R = std::invoke_result_t<F>;
    if (!pool_) co_return work();
    auto submit = [this, &work](auto handler) {
      auto job = [&work, handler = std::move(handler)]() mutable {
        R result = work();
        const Executor home = asio::get_associated_executor(handler);
        asio::post(home, [handler = std::move(handler), result = std::move(result)]() mutable {
          std::move(handler)(std::move(result));
        });
      };
      asio::post(*pool_, std::move(job));
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void(R)>(submit, use_task);
  }

  // Waits for the jobs that were submitted. Not from a loop that a job needs.
  void join() {
    if (pool_) pool_->join();
  }

 private:
  std::unique_ptr<asio::thread_pool> pool_;
};

}  // namespace tako::runtime
