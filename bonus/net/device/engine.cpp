// The engine's three threads and its thread-safe face.
#include "bonus/net/device/engine.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

#include "bonus/base/log.hpp"
#include "bonus/net/device/core.hpp"
#include "bonus/net/device/receiver.hpp"
#include "bonus/net/device/sender.hpp"

namespace bonus::net::device {
namespace {

// Sent at once when so much is gathered: a whole message for UDP_SEGMENT.
constexpr std::size_t kFlushBytes = 56 * 1024;
constexpr std::size_t kControlBatch = 256;
// A busy control thread gathers for so long: under a flood it is woken once a batch instead of once a datagram. A new
// session then waits this much longer.
constexpr std::size_t kBusyBatch = 8;
constexpr auto kGatherTime = std::chrono::milliseconds(2);
constexpr int kRetryMs = 100;
// Packets of the TUN between two looks at whether to stop: its queue need never be empty.
constexpr int kTunBurst = 4096;

// Waits until `fd` can be read. False: the engine stops.
bool wait_readable(int fd, int stop, int timeout_ms) {
  std::array<pollfd, 2> wait{pollfd{.fd = stop, .events = POLLIN, .revents = 0},
                             pollfd{.fd = fd, .events = POLLIN, .revents = 0}};
  std::ignore = ::poll(wait.data(), fd < 0 ? 1 : 2, timeout_ms);
  return wait[0].revents == 0;
}

// What is due every so often.
class Periodic {
 public:
  explicit Periodic(Duration every) : every_(every) {}
  bool due(Instant now) {
    if (now < next_) return false;
    next_ = now + every_;
    return true;
  }
  [[nodiscard]] int wait_ms() const {
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(every_).count());
  }

 private:
  Duration every_;
  Instant next_;
};

}  // namespace

struct Engine::Impl {
  Impl(Tun tun, std::unique_ptr<UdpSocket> udp, std::unique_ptr<tunnel::Device> device, const EngineOptions& options,
       EngineHooks& hooks, const runtime::Clock& clock)
      : core(std::move(tun), std::move(udp), std::move(device), options, hooks, clock),
        outbound(core),
        inbound(core),
        control_outbound(core),
        control_inbound(core) {
    core.send_queued = [this](const tunnel::Route& route, std::span<const Bytes> packets) {
      const std::lock_guard guard(control_mutex);
      for (const auto& packet : packets) control_outbound.send_over(route, packet, core.clock.now());
      control_outbound.flush();
    };
  }

  Core core;
  Fd stop_event;
  Sender outbound;   // the outbound thread's
  Receiver inbound;  // the inbound thread's
  // Whoever carries out actions; recursive, as sending may lead to actions.
  std::recursive_mutex control_mutex;
  Sender control_outbound;
  Receiver control_inbound;
  std::array<std::thread, 3> threads;

  void run_outbound() {
    std::vector<std::uint8_t> buffer(kMaxIpPacket + 1);
    bool reported = false;
    Periodic forgetting(core.options.forget_keys_after);
    while (wait_readable(core.tun.fd(), stop_event.get(), forgetting.wait_ms())) {
      if (const Instant now = core.clock.now(); forgetting.due(now)) outbound.forget_ended(now);
      for (int i = 0; i < kTunBurst; ++i) {
        VnetHeader header;
        const auto size = core.tun.read(header, buffer);
        if (!size) {
          if (!reported) log::error("net", "tun_failed", {{"error", size.error().message}});
          reported = true;
          if (!wait_readable(-1, stop_event.get(), kRetryMs)) return;
          break;
        }
        if (*size == 0) break;
        reads.add();
        outbound.send(header, BytesView(buffer).first(*size), core.clock.now());
        if (outbound.pending() >= kFlushBytes) outbound.flush();
      }
      outbound.flush();
    }
  }

  void run_inbound() {
    std::array<Receiver::Message, UdpSocket::kBatch> messages;
    bool more = false;  // the last batch was full: the next one waits already
    Periodic forgetting(core.options.forget_keys_after);
    while (more ? !core.stopping : wait_readable(core.udp->fd(), stop_event.get(), forgetting.wait_ms())) {
      if (const Instant now = core.clock.now(); forgetting.due(now)) inbound.forget_ended(now);
      const auto received = core.udp->receive(more);
      if (received.empty()) continue;
      receives.add();
      for (std::size_t i = 0; i < received.size(); ++i)
        messages[i] = {.from = {.udp = received[i].from, .via = 0, .local = received[i].local},
                       .bytes = received[i].bytes,
                       .segment = received[i].segment};
      inbound.receive({messages.data(), received.size()}, core.clock.now());
    }
  }

  void run_control() {
    // On Linux a thread has its own nice value; refused without privilege, and then it stays as it is.
    std::ignore = ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), core.options.control_nice);
    Core::Work work;
    Periodic forgetting(core.options.forget_keys_after);
    while (!core.stopping) {
      bool behind = core.wait_for_work() && receive_initiations();
      if (const Instant now = core.clock.now(); forgetting.due(now)) {
        const std::lock_guard guard(control_mutex);
        control_outbound.forget_ended(now);
        control_inbound.forget_ended(now);
      }
      core.take_work(kControlBatch, work);
      behind = behind || work.backlog > core.options.under_load_control;
      serve_handshakes(work, behind);
      for (auto& item : work.injected) {
        const Receiver::Message message{.from = item.from, .bytes = item.bytes, .segment = item.bytes.size()};
        const std::lock_guard guard(control_mutex);
        control_inbound.receive({&message, 1}, core.clock.now());
      }
      if (work.timer)
        core.locked([this](tunnel::Device& device, Instant now, tunnel::Actions& actions) {
          device.note_wall_clock(now, core.clock.unix_ms());
          device.on_timer(now, actions);
        });
      if (work.control.size() >= kBusyBatch) std::this_thread::sleep_for(kGatherTime);
    }
  }

  // Into the queues, one batch. True: more are waiting.
  bool receive_initiations() {
    std::array<Receiver::Message, UdpSocket::kBatch> messages;
    bool more = true;
    for (std::size_t total = 0; more && total < kControlBatch; total += UdpSocket::kBatch) {
      const auto received = core.udp->receive_initiations(more);
      if (received.empty()) continue;
      for (std::size_t i = 0; i < received.size(); ++i)
        messages[i] = {.from = {.udp = received[i].from, .via = 0, .local = received[i].local},
                       .bytes = received[i].bytes,
                       .segment = received[i].segment};
      const std::lock_guard guard(control_mutex);
      control_inbound.receive({messages.data(), received.size()}, core.clock.now());
    }
    return more;
  }

  // One lock a datagram, so that bulk never waits for more than one handshake; one system call for all answers.
  void serve_handshakes(const Core::Work& work, bool loaded) {
    if (work.control.empty()) return;
    Core::Pending pending;
    for (const auto& item : work.control) {
      core.locked(pending, [&](tunnel::Device& device, Instant now, tunnel::Actions& actions) {
        device.set_under_load(loaded);
        device.on_handshake_datagram(item.from, BytesView(item.bytes).first(item.size), now, actions);
      });
    }
    core.carry_out(pending);
  }

  Counter reads, receives;
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() { stop(); }

Result<std::unique_ptr<Engine>> Engine::start(Tun tun, std::unique_ptr<UdpSocket> udp,
                                              std::unique_ptr<tunnel::Device> device, const EngineOptions& options,
                                              EngineHooks& hooks, const runtime::Clock& clock) {
  auto impl = std::make_unique<Impl>(std::move(tun), std::move(udp), std::move(device), options, hooks, clock);
  impl->stop_event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!impl->stop_event) return fail(os_error("making", "an event descriptor"));
  std::unique_ptr<Engine> engine(new Engine(std::move(impl)));
  Impl* self = engine->impl_.get();
  try {
    self->threads[0] = std::thread([self] { self->run_control(); });
    self->threads[1] = std::thread([self] { self->run_inbound(); });
    self->threads[2] = std::thread([self] { self->run_outbound(); });
  } catch (const std::system_error& error) {
    engine->stop();
    return fail(ErrorCode::kIo, std::string("cannot start a thread of the tunnel: ") + error.what());
  }
  const char* names[] = {"tunnel-control", "tunnel-in", "tunnel-out"};
  for (std::size_t i = 0; i < 3; ++i) ::pthread_setname_np(self->threads[i].native_handle(), names[i]);
  return engine;
}

void Engine::stop() {
  impl_->core.stopping = true;
  if (impl_->stop_event) std::ignore = ::eventfd_write(impl_->stop_event.get(), 1);
  impl_->core.wake();
  for (auto& thread : impl_->threads) {
    if (thread.joinable()) thread.join();
  }
}

void Engine::with_device(const std::function<void(tunnel::Device&, Instant, tunnel::Actions&)>& fn) {
  impl_->core.locked(fn);
}

void Engine::read_device(const std::function<void(const tunnel::Device&, Instant)>& fn) const {
  const std::shared_lock guard(impl_->core.device_mutex);
  fn(*impl_->core.device, impl_->core.clock.now());
}

Result<> Engine::send_datagram(const UdpEndpoint& to, BytesView datagram) {
  const UdpMessage message{.to = to, .bytes = datagram, .local = impl_->core.locals.find(to, impl_->core.clock.now())};
  const bool refused = impl_->core.udp->send({&message, 1}) != 0;
  impl_->core.forget_vanished();
  if (refused) return fail(ErrorCode::kIo, "the system refused a datagram to " + to_string(to));
  return {};
}

bool Engine::inject(std::uint32_t via, const UdpEndpoint& from, BytesView datagram) {
  if (datagram.empty() || via == 0) return false;
  const tunnel::Endpoint endpoint{.udp = from, .via = via};
  const auto type = tunnel::message_type(datagram);
  if (!type) return false;
  if (*type == tunnel::MessageType::kTransport) return impl_->core.push_injected(endpoint, datagram);
  Core::Handshake handshake;
  handshake.from = endpoint;
  handshake.size = datagram.size();
  std::ranges::copy(datagram, handshake.bytes.begin());
  impl_->core.push_control({&handshake, 1});
  return true;
}

bool Engine::inject_inner(BytesView packet) {
  VnetHeader header;
  const iovec pieces[2] = {{&header, sizeof header}, {const_cast<std::uint8_t*>(packet.data()), packet.size()}};
  return impl_->core.tun.write(pieces);
}

void Engine::set_path_mtu(tunnel::PeerRef peer, std::uint32_t mtu) { impl_->core.set_path_mtu(peer, mtu); }
void Engine::clear_path_mtu(tunnel::PeerRef peer) { impl_->core.set_path_mtu(peer, std::nullopt); }
std::uint16_t Engine::local_port() const { return impl_->core.udp->port(); }
const std::string& Engine::tun_name() const { return impl_->core.tun.name(); }

EngineStats Engine::stats() const {
  EngineStats out;
  const Impl& impl = *impl_;
  for (const Sender* sender : {&impl.outbound, &impl.control_outbound}) {
    const auto& c = sender->counters;
    out.sent_packets += c.packets.get();
    out.sent_bytes += c.bytes.get();
    out.udp_sends += c.sends.get();
    out.dropped_malformed += c.malformed.get();
    out.dropped_no_session += c.no_session.get();
    out.dropped_send += c.refused.get();
    out.packet_too_big += c.too_big.get();
  }
  for (const Receiver* receiver : {&impl.inbound, &impl.control_inbound}) {
    const auto& c = receiver->counters;
    out.received_packets += c.packets.get();
    out.received_bytes += c.bytes.get();
    out.tun_writes += c.writes.get();
    out.dropped_unknown_session += c.unknown_session.get();
    out.dropped_authentication += c.authentication.get();
    out.dropped_replay += c.replay.get();
    out.dropped_source += c.source.get();
    out.dropped_malformed += c.malformed.get();
    out.dropped_tun += c.refused.get();
    out.foreign_datagrams += c.foreign.get();
    out.control_datagrams += c.control.get();
  }
  out.tun_reads = impl.reads.get();
  out.udp_receives = impl.receives.get();
  out.dropped_control = impl.core.dropped_control.get();
  out.dropped_injected = impl.core.dropped_injected.get();
  out.dropped_send += impl.core.dropped_send;
  out.dropped_control += impl.core.udp->initiation_overflows();
  out.receive_overflows = impl.core.udp->receive_overflows();
  return out;
}

}  // namespace bonus::net::device
