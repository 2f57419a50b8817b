// A list of open calls; workers take one index at a time from the oldest.
#include "bonus/chain/mempool/sender_pool.hpp"

#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>

namespace bonus::chain::mempool {
namespace {

/// One call of for_each(); lives on its caller's stack, in the list while it has indices to give.
struct Call {
  const std::function<void(std::size_t)>& job;
  std::size_t count = 0;
  std::size_t next = 0;     ///< Guarded by the pool's mutex, as all that changes.
  std::size_t running = 0;  ///< Jobs that were taken and are not done.
};

}  // namespace

struct SenderPool::Impl {
  std::mutex mutex;
  std::condition_variable work;  ///< Something is open, or the end.
  std::condition_variable done;  ///< A call's last job has run.
  std::list<Call*> open;
  bool closing = false;
  std::vector<std::jthread> threads;

  /// Takes an index of `call` and runs it; false when there is none left. `lock` is held before and after.
  bool run_one(Call& call, std::unique_lock<std::mutex>& lock) {
    if (call.next == call.count) return false;
    const std::size_t index = call.next++;
    if (call.next == call.count) open.remove(&call);
    ++call.running;
    lock.unlock();
    call.job(index);
    lock.lock();
    --call.running;
    if (call.running == 0 && call.next == call.count) done.notify_all();
    return true;
  }

  void serve() {
    std::unique_lock lock(mutex);
    while (true) {
      work.wait(lock, [this] { return closing || !open.empty(); });
      if (closing) return;
      (void)run_one(*open.front(), lock);
    }
  }
};

SenderPool::SenderPool(std::size_t workers) : impl_(std::make_unique<Impl>()) {
  for (std::size_t i = 0; i < workers; ++i) impl_->threads.emplace_back([impl = impl_.get()] { impl->serve(); });
}

SenderPool::~SenderPool() {
  {
    const std::scoped_lock lock(impl_->mutex);
    impl_->closing = true;
  }
  impl_->work.notify_all();
  impl_->threads.clear();  // joins
}

void SenderPool::for_each(std::size_t count, const std::function<void(std::size_t)>& job) {
  // One alone is not worth a thread's waking up.
  if (count <= 1 || impl_->threads.empty()) return for_each_in_turn(count, job);
  Call call{job, count};
  std::unique_lock lock(impl_->mutex);
  impl_->open.push_back(&call);
  if (count > impl_->threads.size()) {
    impl_->work.notify_all();
  } else {
    for (std::size_t i = 1; i < count; ++i) impl_->work.notify_one();
  }
  while (impl_->run_one(call, lock)) {
  }
  impl_->done.wait(lock, [&] { return call.running == 0; });
}

ForEach SenderPool::each() {
  return [this](std::size_t count, const std::function<void(std::size_t)>& job) { for_each(count, job); };
}

std::vector<Result<TransactionPtr>> SenderPool::recover_all(std::vector<HashedTransaction> transactions) {
  return chain::recover_all(std::move(transactions), each());
}

std::vector<Result<TransactionPtr>> SenderPool::decode_all(const std::vector<BytesView>& raw) {
  return chain::decode_all(raw, each());
}

}  // namespace bonus::chain::mempool
