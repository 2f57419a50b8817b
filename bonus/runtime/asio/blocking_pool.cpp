// BlockingPool: threads that run what may block, behind a bounded queue.
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "bonus/base/log.hpp"
#include "bonus/base/queue.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::runtime {

struct BlockingPool::Impl {
  explicit Impl(std::size_t limit) : queue(limit) {}
  std::mutex mutex;
  std::condition_variable changed;
  BoundedQueue<std::function<void()>> queue;  // guarded by mutex
  bool closing = false;                       // guarded by mutex
  std::vector<std::jthread> threads;

  void run() {
    while (true) {
      std::optional<std::function<void()>> job;
      {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return closing || !queue.empty(); });
        job = queue.pop();
        if (!job) return;  // closing, and all that was accepted has run
      }
      try {
        (*job)();
      } catch (const std::exception& e) {
        log::error("runtime", "blocking_job_failed", {{"error", e.what()}});
      } catch (...) {
        log::error("runtime", "blocking_job_failed", {{"error", "unknown exception"}});
      }
    }
  }
};

BlockingPool::BlockingPool(std::size_t threads, std::size_t queue_limit) : impl_(std::make_unique<Impl>(queue_limit)) {
  for (std::size_t i = 0; i < std::max<std::size_t>(threads, 1); ++i)
    impl_->threads.emplace_back([this] { impl_->run(); });
}

BlockingPool::~BlockingPool() {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->closing = true;
  }
  impl_->changed.notify_all();
  impl_->threads.clear();  // joins
}

bool BlockingPool::post(std::function<void()> work) {
  {
    const std::scoped_lock lock(impl_->mutex);
    if (impl_->closing || !impl_->queue.push(std::move(work))) return false;
  }
  impl_->changed.notify_one();
  return true;
}

}  // namespace bonus::runtime
