// Running a coroutine, and everything it starts, on a strand of its own: executors of the node have several threads.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bonus/runtime/task.hpp"

namespace bonus::node {

/// Awaits `task` on a fresh strand over the caller's executor.
template <class T>
[[nodiscard]] runtime::Task<T> on_strand(runtime::Task<T> task) {
  auto executor = co_await boost::asio::this_coro::executor;
  auto strand = boost::asio::make_strand(executor);
  co_return co_await boost::asio::co_spawn(strand, std::move(task), boost::asio::use_awaitable);
}

}  // namespace bonus::node
