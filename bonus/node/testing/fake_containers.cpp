// Echoing containers.
#include "bonus/node/testing/fake_containers.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <deque>

namespace bonus::node::testing {

using compute::ContainerState;
using compute::ContainerStatus;
using runtime::Task;

namespace {

Task<> echo(std::unique_ptr<runtime::ByteStream> stream) {
  Bytes buffer(4096);
  while (true) {
    auto reading = stream->read(buffer);
    const auto n = co_await std::move(reading);
    if (!n || *n == 0) break;
    auto writing = stream->write(BytesView(buffer).first(*n));
    if (!co_await std::move(writing)) break;
  }
  auto closing = stream->close_write();
  std::ignore = co_await std::move(closing);
}

/// Gives its arguments on stderr first, then its input on stdout; ends with 7 at the end of the input.
class EchoSession final : public compute::ExecSession {
 public:
  explicit EchoSession(const compute::ExecRequest& request) {
    const std::string line = fmt::format("{}\n", fmt::join(request.argv, " "));
    push({Frame::Kind::kStderr, Bytes(line.begin(), line.end()), 0});
  }
  Task<Result<Frame>> read() override {
    while (true) {
      {
        const std::scoped_lock lock(mutex_);
        if (!frames_.empty()) {
          Frame out = std::move(frames_.front());
          frames_.pop_front();
          co_return out;
        }
      }
      auto pause = runtime::sleep_for(std::chrono::milliseconds(2));
      if (!co_await std::move(pause)) co_return fail(ErrorCode::kCancelled, "stopped");
    }
  }
  Task<Result<>> write_stdin(BytesView in) override {
    push({Frame::Kind::kStdout, Bytes(in.begin(), in.end()), 0});
    co_return Result<>();
  }
  Task<Result<>> close_stdin() override {
    push({Frame::Kind::kExit, {}, 7});
    co_return Result<>();
  }
  Result<> resize(std::uint16_t columns, std::uint16_t rows) override {
    const std::string line = fmt::format("{}x{}\n", columns, rows);
    push({Frame::Kind::kStdout, Bytes(line.begin(), line.end()), 0});
    return {};
  }
  void kill() override { push({Frame::Kind::kExit, {}, 137}); }

 private:
  void push(Frame frame) {
    const std::scoped_lock lock(mutex_);
    frames_.push_back(std::move(frame));
  }
  std::mutex mutex_;
  std::deque<Frame> frames_;  // guarded by mutex_
};

std::unexpected<Error> unknown(const std::string& id) {
  return fail(ErrorCode::kNotFound, fmt::format("there is no container {}", id));
}

}  // namespace

void FakeContainers::close_port(std::uint16_t port) {
  const std::scoped_lock lock(mutex_);
  closed_.push_back(port);
}
void FakeContainers::fail_next_start(Error error) {
  const std::scoped_lock lock(mutex_);
  next_failure_ = std::move(error);
}
void FakeContainers::leave(const std::string& id) {
  const std::scoped_lock lock(mutex_);
  containers_[id].id = id;
  containers_[id].state = ContainerState::kRunning;
}
void FakeContainers::end(const std::string& id, int exit_code) {
  ContainerStatus changed;
  std::function<void(ContainerStatus)> listener;
  {
    const std::scoped_lock lock(mutex_);
    auto& container = containers_.at(id);
    container.state = ContainerState::kExited;
    container.exit_code = exit_code;
    changed = container;
    listener = listener_;
  }
  if (listener) listener(changed);
}
std::size_t FakeContainers::starts() const {
  const std::scoped_lock lock(mutex_);
  return starts_;
}

Task<Result<ContainerStatus>> FakeContainers::start(std::string id, compute::Workload) {
  const std::scoped_lock lock(mutex_);
  if (next_failure_) co_return fail(*std::exchange(next_failure_, std::nullopt));
  if (containers_.contains(id)) co_return fail(ErrorCode::kExists, "the container exists");
  ++starts_;
  ContainerStatus& made = containers_[id];
  made.id = id;
  made.state = ContainerState::kRunning;
  co_return made;
}

Task<Result<>> FakeContainers::stop(std::string id, Duration) {
  const std::scoped_lock lock(mutex_);
  if (containers_.erase(id) == 0) co_return unknown(id);
  co_return Result<>();
}

Result<ContainerStatus> FakeContainers::status(const std::string& id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = containers_.find(id);
  if (found == containers_.end()) return unknown(id);
  return found->second;
}

std::vector<ContainerStatus> FakeContainers::list() const {
  const std::scoped_lock lock(mutex_);
  std::vector<ContainerStatus> out;
  for (const auto& [_, container] : containers_) out.push_back(container);
  return out;
}

Result<compute::ContainerUsage> FakeContainers::usage(const std::string& id) const {
  const std::scoped_lock lock(mutex_);
  if (!containers_.contains(id)) return unknown(id);
  compute::ContainerUsage out;
  out.memory_bytes = 4096;
  return out;
}

Task<Result<>> FakeContainers::logs(std::string, compute::LogQuery query,
                                    std::function<Task<bool>(compute::LogLine)> sink) {
  for (std::uint64_t i = 0;; ++i) {
    compute::LogLine line;
    line.time_ms = static_cast<UnixMillis>(i);
    line.is_stderr = i % 2 == 1;
    line.text = fmt::format("line {}", i);
    auto giving = sink(std::move(line));
    if (!co_await std::move(giving)) co_return Result<>();
    if (i >= 2 && !query.follow) co_return Result<>();
    if (i < 2) continue;
    auto pause = runtime::sleep_for(std::chrono::milliseconds(5));
    if (!co_await std::move(pause)) co_return fail(ErrorCode::kCancelled, "stopped");
  }
}

Task<Result<std::unique_ptr<compute::ExecSession>>> FakeContainers::exec(std::string id, compute::ExecRequest request) {
  if (auto known = status(id); !known) co_return fail(std::move(known).error());
  co_return std::make_unique<EchoSession>(request);
}

Task<Result<std::unique_ptr<runtime::ByteStream>>> FakeContainers::dial(std::string id, std::uint16_t port) {
  {
    const std::scoped_lock lock(mutex_);
    const auto found = containers_.find(id);
    if (found == containers_.end()) co_return unknown(id);
    if (std::ranges::find(closed_, port) != closed_.end() || found->second.state != ContainerState::kRunning)
      co_return fail(ErrorCode::kUnavailable, fmt::format("nothing listens on port {}", port));
  }
  auto executor = co_await boost::asio::this_coro::executor;
  const runtime::Executor strand = boost::asio::make_strand(executor);
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
    co_return fail(ErrorCode::kIo, "no socket pair");
  CO_TRY_ASSIGN(auto near, runtime::adopt_descriptor(executor, ends[0]));
  CO_TRY_ASSIGN(auto far, runtime::adopt_descriptor(strand, ends[1]));
  auto echoing = echo(std::move(far));
  boost::asio::co_spawn(strand, std::move(echoing), boost::asio::detached);
  co_return std::move(near);
}

void FakeContainers::on_change(std::function<void(ContainerStatus)> listener) {
  const std::scoped_lock lock(mutex_);
  listener_ = std::move(listener);
}

}  // namespace bonus::node::testing
