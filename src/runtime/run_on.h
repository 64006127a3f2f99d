// run_on(loop, task): run a task on another loop and resume here with what it returned. The message between loops.
#pragma once

#include <exception>
#include <utility>

#include <asio/co_spawn.hpp>

#include "runtime/loop.h"

namespace tako::runtime {

template <class T>
Task<T> run_on(Loop& there, Task<T> task) {
  co_return co_await asio::co_spawn(there.executor(), std::move(task), use_task);
}

}  // namespace tako::runtime
