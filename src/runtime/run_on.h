// run_on(loop, task): run a task on another loop and resume here with what it returned. The message between loops.
//
// The way there and back knows nothing of the result, which waits in the caller's frame: so it is compiled once
// (Loop::visit), not again for every type of result in every file.
#pragma once

#include <optional>
#include <utility>

#include "runtime/loop.h"

namespace tako::runtime {

namespace detail {

template <class T>
Task<> keep_result(Task<T> task, std::optional<T>& result) {
  T value = co_await std::move(task);
  result.emplace(std::move(value));
}

}  // namespace detail

template <class T>
Task<T> run_on(Loop& there, Task<T> task) {
  std::optional<T> result;
  Task<> keeping = detail::keep_result(std::move(task), result);
  co_await there.visit(std::move(keeping));
  co_return std::move(*result);
}

inline Task<> run_on(Loop& there, Task<> task) { return there.visit(std::move(task)); }

}  // namespace tako::runtime
