// offload(pool, fn): awaits a blocking function that runs on a BlockingPool, then continues on the caller's executor.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <memory>
#include <utility>

#include "bonus/runtime/task.hpp"

namespace bonus::runtime {

/// `fn` returns Result<T>. kExhausted when the pool's queue is full. Cancellation does not interrupt a running `fn`.
template <class T>
[[nodiscard]] Task<Result<T>> offload(BlockingPool& pool, std::function<Result<T>()> fn) {
  auto executor = co_await boost::asio::this_coro::executor;
  auto initiate = [&pool, executor](auto handler, std::function<Result<T>()> work) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto job = [shared, executor, work = std::move(work)]() mutable {
      auto result = std::make_shared<Result<T>>(work());
      boost::asio::post(executor, [shared, result]() mutable { (*shared)(std::move(*result)); });
    };
    if (!pool.post(std::move(job)))
      boost::asio::post(executor, [shared]() mutable {
        (*shared)(Result<T>(std::unexpected(Error{ErrorCode::kExhausted, "too many blocking operations are waiting"})));
      });
  };
  try {
    co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(Result<T>)>(
        initiate, boost::asio::use_awaitable, std::move(fn));
  } catch (const boost::system::system_error&) {
    co_return ::bonus::fail(ErrorCode::kCancelled, "the task was stopped");  // before the work was handed over
  }
}

}  // namespace bonus::runtime
