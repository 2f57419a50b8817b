// Devices, the loop, the control socket.
#include "bonus/net/topology/wire.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>
#include <cstring>

#include "bonus/net/topology/capture.hpp"

namespace bonus::net::topology {
namespace {

namespace json = boost::json;

constexpr std::size_t kFrameBytes = sizeof(VnetHeader) + 65536;
constexpr int kReadsPerTurn = 32;
constexpr std::size_t kWritesPerTurn = 256;
constexpr Duration kSlack = std::chrono::microseconds(20);  // early by this much, for fewer turns under load
// linux/if_tun.h of 6.2; Debian 12's headers are older than many kernels.
constexpr unsigned kTunUso4 = 0x20, kTunUso6 = 0x40;

constexpr std::uint64_t kTagTimer = 1 << 16, kTagSignal = kTagTimer + 1, kTagListener = kTagTimer + 2,
                        kTagClient = kTagTimer + 16;

Result<Fd> open_tun(const std::string& device) {
  Fd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return fail(os_error("/dev/net/tun"));
  ifreq request{};
  if (device.size() >= sizeof request.ifr_name) return fail(ErrorCode::kInvalid, "device name too long: " + device);
  std::memcpy(request.ifr_name, device.data(), device.size());
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) return fail(os_error("attaching to " + device));
  constexpr unsigned kOld = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  // Whole trains of segments through two system calls; older kernels cut UDP themselves.
  if (::ioctl(fd.get(), TUNSETOFFLOAD, kOld | kTunUso4 | kTunUso6) != 0 && ::ioctl(fd.get(), TUNSETOFFLOAD, kOld) != 0)
    return fail(os_error("offloads of " + device));
  return fd;
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  std::memcpy(out.sun_path, path.data(), std::min(path.size(), sizeof out.sun_path - 1));
  return out;
}

json::object counters_json(const WireCounters& c) {
  return {{"sent", c.sent},
          {"sent_bytes", c.sent_bytes},
          {"received", c.received},
          {"received_bytes", c.received_bytes},
          {"lost", c.lost},
          {"queue_up", c.queue_up},
          {"queue_down", c.queue_down},
          {"blocked", c.blocked},
          {"unroutable", c.unroutable},
          {"spoofed", c.spoofed},
          {"too_big", c.too_big},
          {"overflow", c.overflow}};
}

Result<WireConfig> read_config(const std::string& path) {
  TRY_ASSIGN(const auto text, whole_file(path));
  return WireConfig::from_json(text);
}

}  // namespace

Wire::Wire(WireFiles files, WireConfig config, runtime::Clock& clock)
    : files_(std::move(files)), clock_(clock), core_(std::move(config)), started_(clock.now()), buffer_(kFrameBytes) {}

Wire::~Wire() {
  if (listener_) ::unlink(files_.control.c_str());
}

Result<std::unique_ptr<Wire>> Wire::open(const WireFiles& files, runtime::Clock& clock) {
  TRY_ASSIGN(auto config, read_config(files.config));
  std::unique_ptr<Wire> out(new Wire(files, std::move(config), clock));
  out->epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  out->timer_.reset(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, number);
  out->signals_.reset(::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!out->epoll_ || !out->timer_ || !out->signals_) return fail(os_error("epoll"));
  TRY(out->watch(out->timer_.get(), kTagTimer));
  TRY(out->watch(out->signals_.get(), kTagSignal));
  TRY(out->start_capture());
  TRY(out->open_devices());
  if (!files.control.empty()) TRY(out->open_control());
  return out;
}

Result<> Wire::start_capture() {
  const std::string& path = core_.config().capture;
  if (path == capture_path_) return {};
  capture_.reset();
  capture_path_.clear();
  if (path.empty()) return {};
  TRY_ASSIGN(capture_, Capture::create(path));
  capture_path_ = path;
  return {};
}

Result<> Wire::watch(int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail(os_error("epoll_ctl"));
  return {};
}

Result<> Wire::open_devices() {
  for (const auto& attachment : core_.config().attachments) {
    Fd fd;
    TRY(in_namespace(attachment.network_namespace, [&]() -> Result<> {
      TRY_ASSIGN(fd, open_tun(attachment.device));
      return {};
    }));
    TRY(watch(fd.get(), devices_.size()));
    devices_.push_back(std::move(fd));
  }
  write_errors_.resize(devices_.size());
  return {};
}

Result<> Wire::open_control() {
  if (files_.control.size() >= sizeof(sockaddr_un::sun_path))
    return fail(ErrorCode::kInvalid, "the control socket's path is too long: " + files_.control);
  Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  ::unlink(files_.control.c_str());
  const sockaddr_un address = unix_address(files_.control);
  const mode_t old = ::umask(0177);
  const int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::umask(old);
  if (bound != 0 || ::listen(fd.get(), kClients) != 0) return fail(os_error(files_.control));
  listener_ = std::move(fd);
  return watch(listener_.get(), kTagListener);
}

Result<> Wire::run() {
  constexpr int kEvents = 64;
  std::array<epoll_event, kEvents> events;
  for (;;) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), kEvents, -1);
    if (count < 0 && errno != EINTR) return fail(os_error("epoll_wait"));
    for (int i = 0; i < count; ++i) {
      const std::uint64_t tag = events[static_cast<std::size_t>(i)].data.u64;
      if (tag < devices_.size()) take_in(tag);
      if (tag == kTagTimer) {
        std::uint64_t ticks = 0;
        static_cast<void>(::read(timer_.get(), &ticks, sizeof ticks));
      }
      if (tag == kTagSignal && take_signal()) return {};
      if (tag == kTagListener) accept_client();
      if (tag >= kTagClient) serve_client(tag - kTagClient);
    }
    if (lost_devices_ == devices_.size()) return fail(ErrorCode::kNotFound, "all devices are gone");
    give_out();
    arm();
  }
}

bool Wire::take_signal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != sizeof info) return false;
  fmt::print(stderr, "{}\n", stats());
  return info.ssi_signo != SIGUSR1;
}

void Wire::take_in(std::size_t attachment) {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t n = ::read(devices_[attachment].get(), buffer_.data(), buffer_.size());
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      // The device is gone, and would be ready for ever.
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, devices_[attachment].get(), nullptr);
      ++lost_devices_;
      return;
    }
    if (n < static_cast<ssize_t>(sizeof(VnetHeader))) return;
    Frame frame;
    std::memcpy(&frame.vnet, buffer_.data(), sizeof frame.vnet);
    frame.data.assign(buffer_.begin() + sizeof frame.vnet, buffer_.begin() + n);
    if (capture_) capture_->add(frame.data, clock_.unix_ms());
    core_.offer(attachment, std::move(frame), clock_.now());
  }
}

void Wire::give_out() {
  due_.clear();
  core_.deliver(clock_.now() + kSlack, due_, kWritesPerTurn);
  for (auto& [to, frame] : due_) {
    std::array<iovec, 2> parts{iovec{&frame.vnet, sizeof frame.vnet}, iovec{frame.data.data(), frame.data.size()}};
    if (::writev(devices_[to].get(), parts.data(), parts.size()) < 0) ++write_errors_[to];
  }
}

void Wire::arm() {
  itimerspec when{};
  if (const auto next = core_.next_timer()) {
    constexpr std::int64_t kSecond = 1'000'000'000;
    // Zero would disarm it: what is due already fires at once.
    const std::int64_t ns = std::max<std::int64_t>(next->time_since_epoch().count(), 1);
    when.it_value.tv_sec = ns / kSecond;
    when.it_value.tv_nsec = ns % kSecond;
  }
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Wire::accept_client() {
  Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  const auto slot = std::ranges::find_if(clients_, [](const Fd& d) { return !d; });
  if (!fd || slot == clients_.end()) return;
  if (watch(fd.get(), kTagClient + static_cast<std::uint64_t>(slot - clients_.begin()))) *slot = std::move(fd);
}

void Wire::serve_client(std::size_t slot) {
  if (slot >= clients_.size() || !clients_[slot]) return;
  std::array<char, 64> word{};
  const ssize_t n = ::recv(clients_[slot].get(), word.data(), word.size(), 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n > 0) {
    const std::string answer = command({word.data(), static_cast<std::size_t>(n)});
    if (::send(clients_[slot].get(), answer.data(), answer.size(), MSG_NOSIGNAL) >= 0) return;
  }
  clients_[slot].reset();
}

std::string Wire::command(std::string_view word) {
  if (word == "stats") {
    if (capture_) capture_->flush();
    return stats();
  }
  if (word != "reload") return "error: the wire knows reload and stats";
  auto config = read_config(files_.config);
  auto done = config ? core_.update(std::move(*config)) : fail(std::move(config).error());
  if (done) done = start_capture();
  return done ? "ok" : "error: " + done.error().message;
}

std::string Wire::stats() const {
  json::array list;
  const auto& attachments = core_.config().attachments;
  for (std::size_t i = 0; i < attachments.size(); ++i) {
    json::object item = counters_json(core_.counters(i));
    item["name"] = attachments[i].name;
    item["write_errors"] = i < write_errors_.size() ? write_errors_[i] : 0;
    list.push_back(std::move(item));
  }
  return json::serialize(json::object{
      {"seed", core_.config().seed},
      {"uptime_ms", std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - started_).count()},
      {"bytes_on_the_way", core_.bytes_on_the_way()},
      {"attachments", std::move(list)}});
}

Result<std::string> ask_wire(const std::string& control, std::string_view command) {
  const Fd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const timeval patience{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const sockaddr_un address = unix_address(control);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(ErrorCode::kUnavailable, "the wire does not answer: " + std::generic_category().message(errno));
  std::string answer(128 << 10, '\0');
  if (::send(fd.get(), command.data(), command.size(), MSG_NOSIGNAL) < 0) return fail(os_error("asking the wire"));
  const ssize_t n = ::recv(fd.get(), answer.data(), answer.size(), 0);
  if (n <= 0) return fail(ErrorCode::kUnavailable, "the wire does not answer");
  answer.resize(static_cast<std::size_t>(n));
  if (answer.starts_with("error: ")) return fail(ErrorCode::kInvalid, answer.substr(7));
  return answer;
}

}  // namespace bonus::net::topology
