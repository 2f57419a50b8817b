// Actions of the device core, and the queues of the control thread.
#include "bonus/net/device/core.hpp"

#include <poll.h>

#include <algorithm>

namespace bonus::net::device {
namespace {

constexpr Duration kBlindWait = std::chrono::milliseconds(10);

}  // namespace

void Core::collect(Pending& pending) {
  for (; pending.collected < pending.actions.ready.size(); ++pending.collected) {
    const auto peer = pending.actions.ready[pending.collected];
    Ready& ready = pending.ready.emplace_back();
    ready.peer = peer;
    ready.route = device->peer_route(peer, clock.now());
    if (ready.route) ready.packets = device->take_queued(peer);
  }
  const auto next = device->next_timer();
  if (next && next->time_since_epoch().count() < planned_wake_.load()) wake();
}

void Core::carry_out(Pending& pending) {
  if (pending.actions.empty()) return;
  std::vector<UdpMessage> messages;
  for (const auto& datagram : pending.actions.send) {
    if (datagram.to.via == 0) {
      // A handshake that we begin leaves from where the path was probed.
      const auto& local = datagram.to.local;
      messages.push_back({.to = datagram.to.udp,
                          .bytes = datagram.bytes,
                          .local = local.known() ? local : locals.find(datagram.to.udp, clock.now())});
    } else {
      const BytesView view = datagram.bytes;
      hooks.send_via(datagram.to, {&view, 1});
    }
  }
  if (!messages.empty()) {
    dropped_send += udp->send(messages);
    forget_vanished();
  }
  for (const auto& ready : pending.ready) {
    if (ready.route && !ready.packets.empty()) send_queued(*ready.route, ready.packets);
    hooks.on_session_ready(ready.peer);
  }
  for (const auto& event : pending.actions.events) hooks.on_event(event);
}

void Core::forget_vanished() {
  while (const auto gone = udp->take_vanished()) {
    locals.forget(*gone);
    const std::unique_lock guard(device_mutex);
    device->forget_local(*gone);
  }
}

std::uint32_t Core::path_mtu(tunnel::PeerRef peer) const {
  const std::lock_guard guard(mtu_mutex_);
  const auto found = path_mtus_.find(static_cast<std::uint32_t>(peer));
  return found == path_mtus_.end() ? options.mtu : std::min(found->second, options.mtu);
}

void Core::set_path_mtu(tunnel::PeerRef peer, std::optional<std::uint32_t> mtu) {
  const std::lock_guard guard(mtu_mutex_);
  if (mtu)
    path_mtus_[static_cast<std::uint32_t>(peer)] = std::max<std::uint32_t>(*mtu, 1280);
  else
    path_mtus_.erase(static_cast<std::uint32_t>(peer));
  ++mtu_version;
}

Core::Kind Core::kind_of(const Handshake& handshake) {
  if (handshake.bytes[0] != static_cast<std::uint8_t>(tunnel::MessageType::kInitiation)) return kAnswer;
  const auto mac2 = std::span(handshake.bytes).last<16>();
  return std::ranges::all_of(mac2, [](std::uint8_t b) { return b == 0; }) ? kInitiation : kWithCookie;
}

void Core::push_control(std::span<const Handshake> handshakes) {
  bool was_empty = false;
  {
    const std::lock_guard guard(queue_mutex_);
    was_empty = std::ranges::all_of(control_, [](const auto& queue) { return queue.empty(); });
    for (const auto& handshake : handshakes) {
      auto& queue = control_[kind_of(handshake)];
      if (queue.size() < options.max_control)
        queue.push_back(handshake);
      else
        dropped_control.add();
    }
  }
  if (was_empty) wake();
}

bool Core::push_injected(const tunnel::Endpoint& from, BytesView datagram) {
  {
    const std::lock_guard guard(queue_mutex_);
    if (injected_.size() >= options.max_injected) {
      dropped_injected.add();
      return false;
    }
    injected_.push_back({from, Bytes(datagram.begin(), datagram.end())});
  }
  wake();
  return true;
}

void Core::wake() { std::ignore = ::eventfd_write(work_event_.get(), 1); }

bool Core::has_work() const {
  return stopping || !injected_.empty() ||
         std::ranges::any_of(control_, [](const auto& queue) { return !queue.empty(); });
}

bool Core::wait_for_work() {
  // Announced before the timer is read: a call that makes it earlier afterwards sees the announcement and wakes us.
  planned_wake_.store(std::numeric_limits<Instant::rep>::max());
  {
    const std::shared_lock guard(device_mutex);
    next_timer_ = device->next_timer();
  }
  if (next_timer_) planned_wake_.store(next_timer_->time_since_epoch().count());
  Duration wait = options.forget_keys_after;  // which the caller looks after
  if (next_timer_) wait = std::clamp(*next_timer_ - clock.now(), Duration::zero(), wait);
  if (!work_event_) wait = std::min<Duration>(wait, kBlindWait);
  {
    const std::lock_guard guard(queue_mutex_);
    if (has_work()) wait = Duration::zero();  // what comes from now on is announced by the event
  }
  const auto seconds = std::chrono::floor<std::chrono::seconds>(wait);
  const timespec limit{.tv_sec = seconds.count(), .tv_nsec = std::chrono::nanoseconds(wait - seconds).count()};
  std::array<pollfd, 2> ready{pollfd{.fd = work_event_.get(), .events = POLLIN, .revents = 0},
                              pollfd{.fd = udp->initiations_fd(), .events = POLLIN, .revents = 0}};
  if (::ppoll(ready.data(), ready.size(), &limit, nullptr) <= 0) return false;
  eventfd_t count = 0;
  if (ready[0].revents != 0) std::ignore = ::eventfd_read(work_event_.get(), &count);
  return ready[1].revents != 0;
}

void Core::take_work(std::size_t limit, Work& work) {
  work.control.clear();
  work.injected.clear();
  const auto move = [limit](auto& from, auto& to) {
    const std::size_t count = std::min(limit, from.size());
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(count);
    std::move(from.begin(), end, std::back_inserter(to));
    from.erase(from.begin(), end);
  };
  {
    const std::lock_guard guard(queue_mutex_);
    for (auto& queue : control_) move(queue, work.control);
    move(injected_, work.injected);
    work.backlog = control_[kInitiation].size() + control_[kWithCookie].size();
  }
  work.timer = next_timer_ && clock.now() >= *next_timer_;
}

}  // namespace bonus::net::device
