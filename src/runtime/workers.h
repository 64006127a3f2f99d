// Workers: threads for what blocks (a read that misses the cache, a batch with its sync, a small file).
//
// run() is called on a loop and resumes there. With 0 threads the work is done at once on the caller's stack: the
// simulator's way, where virtual time must not pass while a job is open.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "runtime/task.h"

namespace asio {
class thread_pool;
}

namespace tako::runtime {

class Workers {
 public:
  explicit Workers(unsigned threads);
  ~Workers();

  // RETURNS what `work` returns (not void). The caller's frame stays suspended meanwhile, so `work` may refer to it.
  template <class F>
  Task<std::invoke_result_t<F>> run(F work) {
    if (!pool_) co_return work();
    std::optional<std::invoke_result_t<F>> result;
    auto job = [&] { result.emplace(work()); };
    const Job erased{[](void* self) { (*static_cast<decltype(job)*>(self))(); }, &job};
    co_await submit(erased);
    co_return std::move(*result);
  }

  // Waits for the jobs that were submitted. Not from a loop that a job needs.
  void join();

 private:
  // A reference to something callable that waits in a frame: the way to the threads and back is compiled once.
  struct Job {
    void (*run)(void* self);
    void* self;
  };

  Task<> submit(Job job);

  std::unique_ptr<asio::thread_pool> pool_;
};

}  // namespace tako::runtime
