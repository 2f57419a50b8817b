// For tests of shells: two threads that run an io_context, and running a coroutine on it from the test's thread.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <functional>
#include <thread>
#include <vector>

#include "bonus/runtime/task.hpp"

namespace bonus::node::testing {

class LoopFixture : public ::testing::Test {
 protected:
  LoopFixture() {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { io_.run(); });
  }
  ~LoopFixture() override { finish(); }
  /// Before the members of a derived fixture are destroyed: nothing runs any more.
  void finish() {
    guard_.reset();
    io_.stop();
    for (auto& thread : threads_)
      if (thread.joinable()) thread.join();
  }
  /// The result of `task`, which runs on a strand of its own.
  template <class T>
  T await(runtime::Task<T> task) {
    return boost::asio::co_spawn(boost::asio::make_strand(io_), std::move(task), boost::asio::use_future).get();
  }
  /// Generous: the machine may be busy. No test asserts how long something took.
  static bool eventually(const std::function<bool()>& condition) {
    for (int i = 0; i < 1200; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
    return false;
  }
  [[nodiscard]] runtime::Executor executor() { return io_.get_executor(); }

  boost::asio::io_context io_;

 private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_ = boost::asio::make_work_guard(io_);
  std::vector<std::thread> threads_;
};

}  // namespace bonus::node::testing
