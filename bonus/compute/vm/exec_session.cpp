// ExecSession over the descriptors of a started exec. One epoll descriptor stands for all of them, so that a wait never
// takes bytes away from a later read.
#include "bonus/compute/vm/exec_session.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <termios.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cstdlib>
#include <optional>

#include "bonus/compute/vm/shim_protocol.hpp"

namespace bonus::compute::vm {
namespace {

namespace net = boost::asio;
constexpr auto kTuple = net::as_tuple(net::use_awaitable);
constexpr std::size_t kChunkBytes = 32 << 10;
constexpr long kDrainNs = 500'000'000;  // output that arrives after the end, or is held open by a child left behind
constexpr int kLost = 255;

class Session final : public ExecSession {
 public:
  Session(ExecProcess process, Fd epoll, net::posix::stream_descriptor waiter, std::unique_ptr<runtime::ByteStream> in)
      : process_(std::move(process)), epoll_(std::move(epoll)), waiter_(std::move(waiter)), in_(std::move(in)) {}

  static Result<std::unique_ptr<ExecSession>> make(const runtime::Executor& executor, ExecProcess process) {
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll) return fail(os_error("making an epoll descriptor"));
    for (const Fd* fd : {&process.control, &process.terminal, &process.out, &process.err}) {
      if (!*fd) continue;
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = fd->get();
      if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd->get(), &event) != 0)
        return fail(os_error("watching a descriptor"));
    }
    // Asio closes what it is given: it gets copies.
    Fd in = process.terminal ? Fd(::fcntl(process.terminal.get(), F_DUPFD_CLOEXEC, 3)) : std::move(process.in);
    TRY_ASSIGN(auto stream, runtime::adopt_descriptor(executor, in.get()));
    (void)in.release();
    net::posix::stream_descriptor waiter(executor);
    boost::system::error_code error;
    const int copy = ::fcntl(epoll.get(), F_DUPFD_CLOEXEC, 3);
    waiter.assign(copy, error);
    if (error) {
      ::close(copy);
      return fail(ErrorCode::kIo, "waiting for an exec: " + error.message());
    }
    return std::make_unique<Session>(std::move(process), std::move(epoll), std::move(waiter), std::move(stream));
  }

  runtime::Task<Result<Frame>> read() override {
    while (true) {
      std::array<epoll_event, 4> events{};
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
      for (int i = 0; i < count; ++i)
        if (auto frame = output(events[static_cast<std::size_t>(i)].data.fd)) co_return std::move(*frame);
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == process_.control.get()) take_exit();
        if (fd == drain_.get()) drained_ = true;
      }
      const bool open = process_.terminal || process_.out || process_.err;
      if (exit_code_ && (!open || drained_)) {
        Frame frame;
        frame.kind = Frame::Kind::kExit;
        frame.exit_code = *exit_code_;
        co_return frame;
      }
      if (count > 0) continue;
      try {
        auto [error] = co_await waiter_.async_wait(net::posix::stream_descriptor::wait_read, kTuple);
        if (error) co_return fail(ErrorCode::kCancelled, "the exec was stopped");
      } catch (const boost::system::system_error&) {
        co_return fail(ErrorCode::kCancelled, "the exec was stopped");
      }
    }
  }

  runtime::Task<Result<>> write_stdin(BytesView in) override {
    auto pending = in_->write(in);
    co_return co_await std::move(pending);
  }

  runtime::Task<Result<>> close_stdin() override {
    if (process_.terminal) {
      // A terminal has no end of file but this character (termios(3), VEOF).
      static constexpr std::array<std::uint8_t, 1> kEndOfFile{4};
      auto pending = in_->write(kEndOfFile);
      co_return co_await std::move(pending);
    }
    auto pending = in_->close_write();
    co_return co_await std::move(pending);
  }

  Result<> resize(std::uint16_t columns, std::uint16_t rows) override {
    if (!process_.terminal) return fail(ErrorCode::kUnsupported, "this exec has no terminal, or it has ended");
    const winsize size{rows, columns, 0, 0};
    if (::ioctl(process_.terminal.get(), TIOCSWINSZ, &size) != 0) return fail(os_error("resizing the terminal"));
    return {};
  }

  void kill() override { ::shutdown(process_.control.get(), SHUT_WR); }  // the helper sees the end and kills

 private:
  // A frame if `fd` is an output that has bytes; an output at its end is closed.
  std::optional<Frame> output(int fd) {
    for (Fd* source : {&process_.terminal, &process_.out, &process_.err}) {
      if (!*source || source->get() != fd) continue;
      Frame frame;
      frame.kind = source == &process_.err ? Frame::Kind::kStderr : Frame::Kind::kStdout;
      frame.data.resize(kChunkBytes);
      const ssize_t n = ::read(fd, frame.data.data(), frame.data.size());
      if (n > 0) {
        frame.data.resize(static_cast<std::size_t>(n));
        return frame;
      }
      if (n == 0 || (errno != EAGAIN && errno != EINTR)) source->reset();  // EIO: the terminal's last user is gone
    }
    return std::nullopt;
  }

  void take_exit() {
    std::array<char, 4096> packet{};
    const ssize_t n = ::recv(process_.control.get(), packet.data(), packet.size() - 1, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    exit_code_ = n > 1 && packet[0] == shim::kExecExited ? std::atoi(packet.data() + 1) : kLost;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, process_.control.get(), nullptr);
    drain_ = Fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    itimerspec after{};
    after.it_value.tv_nsec = kDrainNs;
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = drain_.get();
    if (!drain_ || ::timerfd_settime(drain_.get(), 0, &after, nullptr) != 0 ||
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, drain_.get(), &event) != 0)
      drained_ = true;
  }

  ExecProcess process_;
  Fd epoll_;
  net::posix::stream_descriptor waiter_;
  std::unique_ptr<runtime::ByteStream> in_;
  std::optional<int> exit_code_;
  Fd drain_;
  bool drained_ = false;
};

}  // namespace

Result<std::unique_ptr<ExecSession>> make_exec_session(runtime::Executor executor, ExecProcess process) {
  return Session::make(executor, std::move(process));
}

}  // namespace bonus::compute::vm
