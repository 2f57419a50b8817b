// The wire's arithmetic: lines with rates and bounded queues at both ends, a path with latency, jitter and loss
// between.
#include "bonus/net/topology/wire_core.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace bonus::net::topology {
namespace {

constexpr std::uint8_t kUdpProtocol = 17;
constexpr std::size_t kFrameCost = 128;  // what an empty frame takes of the memory

/// How long `bytes` take on a line.
Duration line_time(std::size_t bytes, std::uint32_t kbit) {
  return Duration(static_cast<std::int64_t>(bytes) * 8 * 1'000'000 / kbit);
}

bool for_nobody(const Ipv6& ip) {
  const bool multicast6 = ip.bytes[0] == 0xff, link_local6 = ip.bytes[0] == 0xfe;
  return multicast6 || link_local6 || (is_ipv4(ip) && ip.bytes[12] >= 224);
}

}  // namespace

WireCore::WireCore(WireConfig config) : config_(std::move(config)), random_(config_.seed) {
  states_.resize(config_.attachments.size());
  last_due_.resize(states_.size() * states_.size());
  index_addresses();
}

void WireCore::index_addresses() {
  routes_.clear();
  for (std::size_t i = 0; i < config_.attachments.size(); ++i)
    for (const auto& address : config_.attachments[i].addresses) routes_[address] = i;
}

Result<> WireCore::update(WireConfig config) {
  std::vector<Attachment> ordered;
  for (const auto& old : config_.attachments) {
    const auto at = std::ranges::find(config.attachments, old.name, &Attachment::name);
    if (at == config.attachments.end() || at->device != old.device || at->network_namespace != old.network_namespace)
      return fail(ErrorCode::kInvalid, fmt::format("attachment {} cannot go while the wire runs", old.name));
    ordered.push_back(std::move(*at));
  }
  if (ordered.size() != config.attachments.size())
    return fail(ErrorCode::kInvalid, "attachments cannot be added while the wire runs");
  config.attachments = std::move(ordered);
  config_ = std::move(config);
  index_addresses();
  return {};
}

void WireCore::offer(std::size_t from, Frame frame, Instant now) {
  const auto view = parse_packet(frame.data);
  if (!view || for_nobody(view->destination)) return;
  const Attachment& sender = config_.attachments[from];
  auto& counters = states_[from].counters;
  const std::size_t packets = segment_count(frame);
  counters.sent += packets;
  counters.sent_bytes += frame.data.size();
  const bool udp = view->protocol == kUdpProtocol;
  if (sender.cut || (sender.udp_blocked && udp)) {
    counters.blocked += packets;
    return;
  }
  if (std::ranges::find(sender.addresses, view->source) == sender.addresses.end()) {
    counters.spoofed += packets;
    return;
  }
  const auto route = routes_.find(view->destination);
  if (route == routes_.end() || route->second == from) {
    counters.unroutable += packets;
    return;
  }
  const std::size_t to = route->second;
  if (segment_bytes(frame) > config_.attachments[to].access.mtu) {
    counters.too_big += packets;
    if (view->dont_fragment) report_too_big(from, to, frame, view->destination, now);
    return;
  }
  const bool one_by_one = sender.access.up_kbit != 0 || config_.attachments[to].access.down_kbit != 0;
  if (!one_by_one || packets == 1) return send(from, to, std::move(frame), udp, now);
  for (auto& part : split(frame)) send(from, to, std::move(part), udp, now);
}

void WireCore::send(std::size_t from, std::size_t to, Frame frame, bool udp, Instant now) {
  const Access& access = config_.attachments[from].access;
  if (access.up_kbit == 0) return roll(from, to, std::move(frame), udp, now);
  auto& state = states_[from];
  const Instant start = std::max(now, state.up_free);
  if (start - now > line_time(access.queue_bytes, access.up_kbit)) {
    ++state.counters.queue_up;
    return;
  }
  state.up_free = start + line_time(frame.data.size(), access.up_kbit);
  roll(from, to, std::move(frame), udp, state.up_free);
}

void WireCore::roll(std::size_t from, std::size_t to, Frame frame, bool udp, Instant leaves) {
  const Attachment &a = config_.attachments[from], &b = config_.attachments[to];
  const Path& path = config_.paths[a.region * config_.regions + b.region];
  const double arrives = (1 - path.loss) * (1 - a.access.loss) * (1 - b.access.loss);
  if (arrives >= 1) return fly(from, to, std::move(frame), udp, leaves);
  const std::size_t packets = segment_count(frame);
  std::vector<bool> lost(packets);
  std::size_t gone = 0;
  for (std::size_t i = 0; i < packets; ++i) {
    lost[i] = random_.chance(1 - arrives);
    gone += lost[i] ? 1 : 0;
  }
  states_[from].counters.lost += gone;
  if (gone == 0) return fly(from, to, std::move(frame), udp, leaves);
  if (gone == packets) return;
  auto parts = split(frame);
  for (std::size_t i = 0; i < parts.size(); ++i)
    if (!lost[i]) fly(from, to, std::move(parts[i]), udp, leaves);
}

void WireCore::fly(std::size_t from, std::size_t to, Frame frame, bool udp, Instant leaves) {
  const Attachment &a = config_.attachments[from], &b = config_.attachments[to];
  const Path& path = config_.paths[a.region * config_.regions + b.region];
  if (bytes_ + frame.data.size() + kFrameCost > config_.max_bytes) {
    states_[from].counters.overflow += segment_count(frame);
    return;
  }
  Instant due = leaves + path.latency + a.access.latency + b.access.latency;
  if (path.jitter.count() > 0) due += random_.between(Duration(0), path.jitter);
  Instant& last = last_due_[from * states_.size() + to];
  last = due = std::max(due, last);
  Flying flying;
  flying.due = due;
  flying.from = static_cast<std::uint32_t>(from);
  flying.to = static_cast<std::uint32_t>(to);
  flying.udp = udp;
  flying.frame = std::move(frame);
  bytes_ += flying.frame.data.size() + kFrameCost;
  push(std::move(flying));
}

bool WireCore::later(const Flying& a, const Flying& b) { return a.due != b.due ? a.due > b.due : a.order > b.order; }

void WireCore::push(Flying flying) {
  flying.order = order_++;
  heap_.push_back(std::move(flying));
  std::ranges::push_heap(heap_, later);
}

void WireCore::deliver(Instant now, std::vector<Delivery>& out, std::size_t most) {
  for (std::size_t i = 0; i < most && !heap_.empty() && heap_.front().due <= now; ++i) {
    std::ranges::pop_heap(heap_, later);
    Flying flying = std::move(heap_.back());
    heap_.pop_back();
    const Attachment& to = config_.attachments[flying.to];
    auto& state = states_[flying.to];
    const std::size_t size = flying.frame.data.size(), packets = segment_count(flying.frame);
    const auto drop = [&](std::uint64_t& counter) {
      counter += packets;
      bytes_ -= size + kFrameCost;
    };
    if (to.cut || (to.udp_blocked && flying.udp)) {
      drop(states_[flying.from].counters.blocked);
      continue;
    }
    if (to.access.down_kbit != 0 && !flying.shaped) {
      const Instant start = std::max(flying.due, state.down_free);
      if (start - flying.due > line_time(to.access.queue_bytes, to.access.down_kbit)) {
        drop(state.counters.queue_down);
        continue;
      }
      state.down_free = flying.due = start + line_time(size, to.access.down_kbit);
      flying.shaped = true;
      push(std::move(flying));
      continue;
    }
    state.counters.received += packets;
    state.counters.received_bytes += size;
    bytes_ -= size + kFrameCost;
    out.push_back({flying.to, std::move(flying.frame)});
  }
}

std::optional<Instant> WireCore::next_timer() const {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().due;
}

void WireCore::report_too_big(std::size_t from, std::size_t to, const Frame& frame, const Ipv6& destination,
                              Instant now) {
  Ipv6 router = destination;  // the provider's end of that line: the first address of its network
  router.bytes[15] = 1;
  auto message = packet_too_big(frame.data, router, config_.attachments[to].access.mtu);
  if (!message) return;
  const Path& path = config_.paths[config_.attachments[from].region * config_.regions + config_.attachments[to].region];
  fly(to, from, std::move(*message), false, now + path.latency);
}

}  // namespace bonus::net::topology
