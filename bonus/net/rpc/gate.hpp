// Gate: lets a coroutine wait for a gRPC callback thread. One waiter at a time.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <mutex>

#include "bonus/runtime/task.hpp"

namespace bonus::net::rpc {

/// Thread-safe. Kept by shared_ptr because cancellation may outlive the operation that waited.
class Gate : public std::enable_shared_from_this<Gate> {
 public:
  /// True when opened, false when the waiting coroutine was cancelled. An open() without waiter is remembered once.
  [[nodiscard]] runtime::Task<bool> wait() {
    auto initiate = [self = shared_from_this()](auto handler) { self->enqueue(std::move(handler)); };
    co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(bool)>(
        initiate, boost::asio::use_awaitable);
  }
  void open() { complete(true); }

 private:
  template <class Handler>
  void enqueue(Handler handler) {
    auto executor = boost::asio::get_associated_executor(handler);
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    auto work = boost::asio::make_work_guard(executor);
    auto resume = [handler = std::move(handler), executor, work = std::move(work)](bool opened) mutable {
      boost::asio::post(executor, [handler = std::move(handler), opened]() mutable { std::move(handler)(opened); });
      work.reset();
    };
    {
      const std::lock_guard lock(mutex_);
      if (!opened_) {
        waiter_ = std::move(resume);
        if (slot.is_connected()) {
          slot.assign([weak = weak_from_this()](boost::asio::cancellation_type) {
            if (auto self = weak.lock()) self->complete(false);
          });
        }
        return;
      }
      opened_ = false;
    }
    resume(true);
  }

  void complete(bool opened) {
    std::move_only_function<void(bool)> waiter;
    {
      const std::lock_guard lock(mutex_);
      if (!waiter_) {
        opened_ = opened_ || opened;
        return;
      }
      waiter = std::exchange(waiter_, nullptr);
    }
    waiter(opened);
  }

  std::mutex mutex_;
  bool opened_ = false;
  std::move_only_function<void(bool)> waiter_;
};

}  // namespace bonus::net::rpc
