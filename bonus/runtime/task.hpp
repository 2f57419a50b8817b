// Task: the coroutine type of all shells. Cores never use it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "bonus/base/result.hpp"
#include "bonus/base/time.hpp"

namespace bonus::runtime {

template <class T = void>
using Task = boost::asio::awaitable<T>;
using Executor = boost::asio::any_io_executor;

/// Owns spawned coroutines. `stop()` cancels all (boost::asio terminal cancellation) and `join()` waits for their end.
/// An exception that leaves a task is logged with the task's name and ends only that task. Thread-safe.
/// Each task runs on a strand of its own over `executor`. In a stopped task the operation under way fails with
/// kCancelled and every later co_await throws Asio's operation_aborted, so that even a loop which ignores errors ends;
/// clean up by destructors.
class TaskGroup {
 public:
  explicit TaskGroup(Executor executor);
  ~TaskGroup();  ///< stop(), without waiting.
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  void spawn(std::string name, Task<> task);
  void stop();
  [[nodiscard]] Task<> join();
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] const Executor& executor() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with completion handlers, which may run after the group is gone
};

/// Suspends for `duration`. kCancelled when the task is stopped.
[[nodiscard]] Task<Result<>> sleep_for(Duration duration);

/// Threads for calls that block (RocksDB, unpacking, waiting for a child). `queue_limit` bounds waiting jobs.
class BlockingPool {
 public:
  BlockingPool(std::size_t threads, std::size_t queue_limit);
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;
  /// Runs `work` on a pool thread; false when the queue is full.
  [[nodiscard]] bool post(std::function<void()> work);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::runtime
