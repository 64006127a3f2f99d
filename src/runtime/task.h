// Task<T>: the coroutine type of the request path, Asio's awaitable with the executor known at compile time.
//
// g++ 12 miscompiles some forms (scripts/tidy.py knows them). The rule that avoids all of them: name it, then await it.
// `co_await` is a whole statement; parameters are taken by value or refer to what outlives the loop; a Task is
// awaited where it is made, or handed to Loop::spawn.
#pragma once

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>

namespace tako::runtime {

using Executor = asio::io_context::executor_type;

template <class T = void>
using Task = asio::awaitable<T, Executor>;

inline constexpr asio::use_awaitable_t<Executor> use_task{};

}  // namespace tako::runtime
