// ContainerService: opening, questions, logs, exec, dial.
#include "bonus/compute/vm/container_service.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <filesystem>
#include <system_error>

#include "bonus/base/log.hpp"
#include "bonus/compute/vm/exec_session.hpp"
#include "bonus/compute/vm/log_reader.hpp"
#include "bonus/compute/vm/netns.hpp"
#include "bonus/compute/vm/service_impl.hpp"

namespace bonus::compute::vm {
namespace {

namespace net = boost::asio;
constexpr std::size_t kLogBatch = 256;
constexpr auto kLogPoll = std::chrono::milliseconds(100);
constexpr auto kDialTimeout = std::chrono::seconds(5);

std::unexpected<Error> unknown(const std::string& id) {
  return fail(ErrorCode::kNotFound, fmt::format("there is no container '{}' here", id.substr(0, 80)));
}
std::unexpected<Error> not_running(const std::string& id) {
  return fail(ErrorCode::kConflict, fmt::format("the container {} is not running", id));
}
bool is_final(ContainerState state) { return state == ContainerState::kExited || state == ContainerState::kFailed; }

}  // namespace

Result<std::unique_ptr<ContainerService>> ContainerService::open(runtime::Executor executor,
                                                                 runtime::BlockingPool& pool, runtime::Clock& clock,
                                                                 ImageSource& images, VmOptions options) {
  auto impl = std::make_shared<Impl>(std::move(executor), pool, clock, images, std::move(options));
  TRY(impl->open());
  return std::unique_ptr<ContainerService>(new ContainerService(std::move(impl)));
}

ContainerService::~ContainerService() { impl_->tasks.stop(); }

runtime::Task<> ContainerService::shutdown() {
  auto self = impl_;
  self->tasks.stop();
  auto ended = self->tasks.join();
  co_await std::move(ended);
  self->launcher->leave();
  self->lock.reset();
}

runtime::Task<Result<ContainerStatus>> ContainerService::start(std::string id, Workload workload) {
  return Impl::start(impl_, std::move(id), std::move(workload));
}
runtime::Task<Result<>> ContainerService::stop(std::string id, Duration grace) {
  return Impl::stop(impl_, std::move(id), grace);
}
Result<ContainerStatus> ContainerService::status(const std::string& id) const { return impl_->status(id); }
std::vector<ContainerStatus> ContainerService::list() const { return impl_->list(); }
Result<ContainerUsage> ContainerService::usage(const std::string& id) const { return impl_->usage(id); }
runtime::Task<Result<>> ContainerService::logs(std::string id, LogQuery query,
                                               std::function<runtime::Task<bool>(LogLine)> sink) {
  return Impl::logs(impl_, std::move(id), query, std::move(sink));
}
runtime::Task<Result<std::unique_ptr<ExecSession>>> ContainerService::exec(std::string id, ExecRequest request) {
  return Impl::exec(impl_, std::move(id), std::move(request));
}
runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> ContainerService::dial(std::string id, std::uint16_t port) {
  return Impl::dial(impl_, std::move(id), port);
}
void ContainerService::on_change(std::function<void(ContainerStatus)> listener) { impl_->listen(std::move(listener)); }

Result<ContainerStatus> ContainerService::Impl::status(const std::string& id) const {
  const std::scoped_lock guard(mutex);
  const auto it = entries.find(id);
  if (it == entries.end()) return unknown(id);
  return it->second.record.status;
}

std::vector<ContainerStatus> ContainerService::Impl::list() const {
  const std::scoped_lock guard(mutex);
  std::vector<ContainerStatus> out;
  for (const auto& [_, entry] : entries) out.push_back(entry.record.status);
  return out;
}

Result<ContainerUsage> ContainerService::Impl::usage(const std::string& id) const {
  pid_t shim_pid = -1;
  std::uint64_t cpu_before = 0, throttled_before = 0;
  {
    const std::scoped_lock guard(mutex);
    const auto it = entries.find(id);
    if (it == entries.end()) return unknown(id);
    if (it->second.running) shim_pid = it->second.running->shim_pid;
    cpu_before = it->second.record.cpu_ns_before;
    throttled_before = it->second.record.throttled_ns_before;
  }
  ContainerUsage out = launcher->usage(id, shim_pid);
  if (shim_pid < 0) out.cpu_ns = out.throttled_ns = 0;  // ended runs are in the sums already
  out.cpu_ns += cpu_before;
  out.throttled_ns += throttled_before;
  return out;
}

void ContainerService::Impl::listen(std::function<void(ContainerStatus)> new_listener) {
  std::vector<ContainerStatus> tell;
  {
    const std::scoped_lock guard(mutex);
    listener = std::move(new_listener);
    if (listener) tell.swap(untold);
  }
  for (const auto& status : tell) notify(status);
}

void ContainerService::Impl::notify(const ContainerStatus& status) {
  const std::scoped_lock guard(mutex);
  if (!listener) {
    std::erase_if(untold, [&](const auto& old) { return old.id == status.id; });
    untold.push_back(status);
    return;
  }
  auto tell = [call = listener, status] { call(status); };
  net::post(teller, std::move(tell));
}

runtime::Task<Result<>> ContainerService::Impl::logs(Self self, std::string id, LogQuery query,
                                                     std::function<runtime::Task<bool>(LogLine)> sink) {
  std::error_code error;
  if (!is_valid_id(id) || !std::filesystem::is_directory(self->launcher->log_folder_of(id), error))
    co_return unknown(id);
  // Shared with the blocking job that uses it.
  auto reader = std::make_shared<LogReader>(self->launcher->log_folder_of(id), query.tail);
  while (true) {
    // Asked before reading: what was written until the end is then read after it.
    const auto now = self->status(id);
    const bool ended = !now || is_final(now->state);
    std::function<Result<std::vector<LogLine>>()> read = [reader] { return reader->next(kLogBatch); };
    auto pending = self->blocking(std::move(read));
    CO_TRY_ASSIGN(auto lines, co_await std::move(pending));
    for (auto& line : lines) {
      auto given = sink(std::move(line));
      if (!co_await std::move(given)) co_return Result<>();
    }
    if (!lines.empty()) continue;
    if (!query.follow || ended) co_return Result<>();
    auto pause = runtime::sleep_for(kLogPoll);
    CO_TRY(co_await std::move(pause));
  }
}

runtime::Task<Result<std::unique_ptr<ExecSession>>> ContainerService::Impl::exec(Self self, std::string id,
                                                                                 ExecRequest request) {
  std::string folder;
  {
    const std::scoped_lock guard(self->mutex);
    const auto it = self->entries.find(id);
    if (it == self->entries.end()) co_return unknown(id);
    if (!it->second.running || it->second.record.status.state != ContainerState::kRunning) co_return not_running(id);
    folder = fmt::format("{}/exec-{}", self->launcher->folder_of(id), ++self->exec_count);
  }
  // Shared: std::function wants what can be copied.
  auto made = std::make_shared<ExecProcess>();
  std::function<Result<>()> work = [self, id, folder, request = std::move(request), made]() -> Result<> {
    TRY_ASSIGN(*made, start_exec(*self->launcher, id, folder, request));
    return {};
  };
  auto pending = self->blocking(std::move(work));
  CO_TRY(co_await std::move(pending));
  auto executor = co_await net::this_coro::executor;
  co_return make_exec_session(executor, std::move(*made));
}

runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> ContainerService::Impl::dial(Self self, std::string id,
                                                                                         std::uint16_t port) {
  if (port == 0) co_return fail(ErrorCode::kInvalid, "port 0 cannot be dialled");
  Result<std::unique_ptr<runtime::ByteStream>> last = fail(ErrorCode::kUnavailable, "not tried");
  for (const int family : {AF_INET, AF_INET6}) {
    auto socket = std::make_shared<Fd>();  // shared: std::function wants what can be copied
    {
      const std::scoped_lock guard(self->mutex);
      const auto it = self->entries.find(id);
      if (it == self->entries.end()) co_return unknown(id);
      if (!it->second.running || !it->second.running->network) co_return not_running(id);
      *socket = Fd(::fcntl(it->second.running->network.get(), F_DUPFD_CLOEXEC, 3));
    }
    std::function<Result<>()> work = [socket, family]() -> Result<> {
      TRY_ASSIGN(*socket, socket_in(*socket, family));
      return {};
    };
    auto pending = self->blocking(std::move(work));
    CO_TRY(co_await std::move(pending));
    auto attempt = connect_loopback(std::move(*socket), family, port, kDialTimeout);
    auto stream = co_await std::move(attempt);
    if (stream) co_return stream;
    // What IPv4 said is the better answer: few programs listen on IPv6 alone.
    if (family == AF_INET) last = std::move(stream);
    if (last.error().code != ErrorCode::kUnavailable) break;
  }
  co_return last;
}

}  // namespace bonus::compute::vm
