// TaskGroup and sleep_for on Boost.Asio.
#include "bonus/runtime/task.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <map>
#include <mutex>

#include "bonus/base/log.hpp"

namespace bonus::runtime {

namespace net = boost::asio;

namespace {
constexpr auto kTuple = net::as_tuple(net::use_awaitable);

// One spawned coroutine. The signal is touched only on `strand`, on which the coroutine runs too: a cancellation_signal
// has no lock of its own.
struct Entry {
  explicit Entry(const Executor& executor) : strand(net::make_strand(executor)) {}
  net::strand<Executor> strand;
  net::cancellation_signal signal;
  std::string name;
  bool cancelled = false;  // on the strand
};

void log_escape(const std::string& name, const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& e) {
    // What Asio throws out of a co_await in a stopped task: the normal end of it.
    if (e.code() != net::error::operation_aborted)
      log::error("runtime", "task_failed", {{"task", name}, {"error", e.what()}});
  } catch (const std::exception& e) {
    log::error("runtime", "task_failed", {{"task", name}, {"error", e.what()}});
  } catch (...) {
    log::error("runtime", "task_failed", {{"task", name}, {"error", "unknown exception"}});
  }
}
}  // namespace

struct TaskGroup::State {
  explicit State(Executor e) : executor(std::move(e)) {}
  const Executor executor;
  mutable std::mutex mutex;
  bool stopped = false;  // guarded by mutex, as all below
  std::uint64_t next_id = 0;
  std::map<std::uint64_t, std::shared_ptr<Entry>> entries;  // shared with posted cancellations
  std::map<std::uint64_t, std::function<void()>> joiners;

  void finished(std::uint64_t id) {
    std::map<std::uint64_t, std::function<void()>> wake;
    {
      const std::scoped_lock lock(mutex);
      entries.erase(id);
      if (entries.empty()) wake.swap(joiners);
    }
    for (auto& [_, fn] : wake) fn();
  }
};

TaskGroup::TaskGroup(Executor executor) : state_(std::make_shared<State>(std::move(executor))) {}
TaskGroup::~TaskGroup() { stop(); }

const Executor& TaskGroup::executor() const { return state_->executor; }

std::size_t TaskGroup::size() const {
  const std::scoped_lock lock(state_->mutex);
  return state_->entries.size();
}

void TaskGroup::spawn(std::string name, Task<> task) {
  auto entry = std::make_shared<Entry>(state_->executor);
  entry->name = std::move(name);
  std::uint64_t id = 0;
  {
    const std::scoped_lock lock(state_->mutex);
    if (state_->stopped) return;  // destroys the task, which has not begun
    id = state_->next_id++;
    state_->entries.emplace(id, entry);
  }
  // Connecting the slot and starting happen on the strand; a stop() that comes in between leaves its mark in
  // `cancelled`.
  auto start = [state = state_, entry, id, task = std::move(task)]() mutable {
    if (entry->cancelled) {
      state->finished(id);
      return;
    }
    auto done = [state, entry, id](const std::exception_ptr& failure) {
      if (failure) log_escape(entry->name, failure);
      state->finished(id);
    };
    net::co_spawn(entry->strand, std::move(task), net::bind_cancellation_slot(entry->signal.slot(), std::move(done)));
  };
  net::post(entry->strand, std::move(start));
}

void TaskGroup::stop() {
  std::vector<std::shared_ptr<Entry>> all;
  {
    const std::scoped_lock lock(state_->mutex);
    state_->stopped = true;
    for (auto& [_, entry] : state_->entries) all.push_back(entry);
  }
  for (auto& entry : all) {
    auto cancel = [entry] {
      entry->cancelled = true;
      entry->signal.emit(net::cancellation_type::terminal);
    };
    net::post(entry->strand, std::move(cancel));
  }
}

Task<> TaskGroup::join() {
  auto state = state_;  // the group may be destroyed while we wait
  auto executor = co_await net::this_coro::executor;
  auto timer = std::make_shared<net::steady_timer>(executor, net::steady_timer::time_point::max());
  std::uint64_t id = 0;
  {
    const std::scoped_lock lock(state->mutex);
    if (state->entries.empty()) co_return;
    id = state->next_id++;
    auto wake = [timer, executor] {
      auto expire = [timer] { timer->expires_at(net::steady_timer::time_point::min()); };
      net::post(executor, std::move(expire));
    };
    state->joiners.emplace(id, std::move(wake));
  }
  (void)co_await timer->async_wait(kTuple);
  const std::scoped_lock lock(state->mutex);
  state->joiners.erase(id);
}

Task<Result<>> sleep_for(Duration duration) {
  auto executor = co_await net::this_coro::executor;
  net::steady_timer timer(executor);
  timer.expires_after(duration);
  try {
    auto [error] = co_await timer.async_wait(kTuple);
    if (error) co_return fail(ErrorCode::kCancelled, "the task was stopped");
  } catch (const boost::system::system_error&) {
    co_return fail(ErrorCode::kCancelled, "the task was stopped");
  }
  co_return Result<>();
}

}  // namespace bonus::runtime
