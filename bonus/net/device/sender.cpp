// Outbound path. The order of one packet: split -> route -> MTU -> counter -> write -> encrypt -> gather -> sendmmsg.
#include "bonus/net/device/sender.hpp"

#include <algorithm>

#include "bonus/net/device/checksum.hpp"
#include "bonus/net/device/icmp.hpp"

namespace bonus::net::device {
namespace {

constexpr std::size_t kCacheEntries = 1024;
constexpr std::size_t kLargestDatagram = kMaxIpPacket + tunnel::kTransportOverhead + tunnel::kPadding;
constexpr std::size_t kArenaBytes = 4 * kLargestDatagram;

std::size_t slot_of(const Ipv6& address) {
  std::uint64_t a, b;
  std::memcpy(&a, address.bytes.data(), 8);
  std::memcpy(&b, address.bytes.data() + 8, 8);
  return static_cast<std::size_t>(((a ^ (b * 0x9e3779b97f4a7c15ull)) * 0xff51afd7ed558ccdull) >> 54);
}
bool is_multicast(const Ipv6& address) {
  return address.bytes[0] == 0xff || (is_ipv4(address) && address.bytes[12] >= 224);
}
static_assert(kCacheEntries == std::size_t{1} << (64 - 54));

}  // namespace

Sender::Sender(Core& core) : core_(core), cache_(kCacheEntries), arena_(kArenaBytes), scratch_(kMaxIpPacket) {}

void Sender::forget_ended(Instant now) {
  const std::uint64_t version = core_.device->version();
  for (Entry& entry : cache_) {
    if (!entry.route.session || (entry.used && entry.version == version && !entry.route.session->expired(now)))
      continue;
    entry.used = false;
    entry.route = {};
  }
  cipher_.forget();
}

Sender::Entry* Sender::find(const Ipv6& destination, Instant now) {
  Entry& entry = cache_[slot_of(destination)];
  const std::uint64_t version = core_.device->version(), mtu_version = core_.mtu_version.load();
  if (entry.used && entry.version == version && entry.mtu_version == mtu_version && entry.destination == destination &&
      entry.route.session->may_send(now))
    return &entry;
  entry.used = false;
  entry.route = {};
  std::optional<tunnel::Route> route;
  {
    const std::shared_lock guard(core_.device_mutex);
    route = core_.device->find_route(destination, now);
  }
  if (!route) return nullptr;
  entry = {.destination = destination,
           .route = std::move(*route),
           .mtu = 0,
           .version = version,  // read before the look-up: at worst it is looked up once too often
           .mtu_version = mtu_version,
           .used = true};
  entry.mtu = core_.path_mtu(entry.route.peer);
  return &entry;
}

void Sender::send(const VnetHeader& header, BytesView packet, Instant now) {
  const auto splitter = Splitter::open(header, packet);
  const auto addresses = tunnel::packet_addresses(packet);
  if (!splitter || !addresses) {
    counters.malformed.add();
    return;
  }
  Entry* entry = find(addresses->destination, now);
  if (entry == nullptr) {
    queue(*splitter, addresses->destination);
    return;
  }
  if (splitter->size(0) > entry->mtu && refuse_too_big(*splitter, entry->mtu)) return;
  encrypt(*splitter, entry->route, entry->mtu, now);
}

void Sender::send_over(const tunnel::Route& route, BytesView packet, Instant now) {
  const auto splitter = Splitter::open({}, packet);
  if (splitter) encrypt(*splitter, route, core_.path_mtu(route.peer), now);
}

// The device keeps whole packets, a bounded number, until there is a session.
void Sender::queue(const Splitter& splitter, const Ipv6& destination) {
  if (is_multicast(destination)) {  // the kernel's own chatter: nobody is asked who that is
    counters.no_session.add(splitter.count());
    return;
  }
  // Packets sent before go first: they may have been for the session that has just ended.
  flush();
  std::optional<tunnel::Route> route;  // a session that came up in this moment
  core_.locked([&](tunnel::Device& device, Instant now, tunnel::Actions& actions) {
    for (std::size_t i = 0; i < splitter.count() && !route; ++i) {
      splitter.write(i, scratch_.data());
      route = device.send_session(destination, {scratch_.data(), splitter.size(i)}, now, actions);
    }
  });
  if (!route) {
    counters.no_session.add(splitter.count());
    return;
  }
  encrypt(splitter, *route, core_.path_mtu(route->peer), core_.clock.now());
}

bool Sender::refuse_too_big(const Splitter& splitter, std::uint32_t mtu) {
  splitter.write(0, scratch_.data());
  Bytes answer = packet_too_big({scratch_.data(), splitter.size(0)}, mtu);
  const bool may_fragment = scratch_[0] >> 4 == 4 && (scratch_[6] & 0x40) == 0;
  if (may_fragment) return false;  // IPv4 without DF: the outer packet is fragmented instead
  counters.too_big.add(splitter.count());
  if (answer.empty()) return true;
  VnetHeader header;
  const iovec pieces[2] = {{&header, sizeof header}, {answer.data(), answer.size()}};
  std::ignore = core_.tun.write(pieces);
  return true;
}

std::uint8_t* Sender::reserve(const tunnel::Endpoint& to, std::size_t datagram) {
  Group* group = groups_.empty() ? nullptr : &groups_.back();
  if (group == nullptr || group->closed || datagram > group->segment || group->count >= UdpSocket::kMaxSegments ||
      group->length + datagram > UdpSocket::kMaxMessage || group->to != to) {
    if (used_ + datagram > arena_.size()) flush();
    groups_.push_back({.to = to, .offset = used_, .length = 0, .segment = datagram, .count = 0, .closed = false});
    group = &groups_.back();
  } else if (used_ + datagram > arena_.size()) {
    flush();
    return reserve(to, datagram);
  }
  std::uint8_t* out = &arena_[used_];
  used_ += datagram;
  group->length += datagram;
  ++group->count;
  group->closed = datagram < group->segment;
  return out;
}

void Sender::encrypt(const Splitter& splitter, const tunnel::Route& route, std::uint32_t mtu, Instant now) {
  tunnel::Session& session = *route.session;
  const std::size_t count = splitter.count();
  auto counter = session.claim(count);
  if (!counter) {
    counters.no_session.add(count);
    return;
  }
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i, ++*counter) {
    const std::size_t size = splitter.size(i);
    const std::size_t rounded = (size + tunnel::kPadding - 1) / tunnel::kPadding * tunnel::kPadding;
    const std::size_t padded = std::max(size, std::min<std::size_t>(rounded, mtu));
    const std::size_t datagram = padded + tunnel::kTransportOverhead;
    std::uint8_t* out = reserve(route.endpoint, datagram);
    const std::uint32_t type = static_cast<std::uint32_t>(tunnel::MessageType::kTransport);
    std::memcpy(out, &type, 4);
    std::memcpy(out + 4, &session.remote_index, 4);
    std::memcpy(out + 8, &*counter, 8);
    std::uint8_t* plain = out + tunnel::kTransportHeader;
    splitter.write(i, plain);
    if (count == 1 && core_.options.clamp_mss) clamp_mss({plain, size}, mtu);
    std::memset(plain + size, 0, padded - size);
    cipher_.seal(session.send_key, *counter, plain, padded);
    bytes += datagram;
  }
  counters.packets.add(count);
  counters.bytes.add(bytes);
  if (session.note_sent(now, count, bytes, true)) {
    core_.locked(
        [&](tunnel::Device& device, Instant at, tunnel::Actions& actions) { device.on_sent(session, at, actions); });
  }
}

void Sender::flush() {
  messages_.clear();
  for (const Group& group : groups_) {
    const BytesView bytes(&arena_[group.offset], group.length);
    if (group.to.via == 0) {
      messages_.push_back({.to = group.to.udp, .bytes = bytes, .segment = group.segment, .local = group.to.local});
      continue;
    }
    std::vector<BytesView> datagrams;
    for (std::size_t at = 0; at < bytes.size(); at += group.segment)
      datagrams.push_back(bytes.subspan(at, std::min(group.segment, bytes.size() - at)));
    core_.hooks.send_via(group.to, datagrams);
  }
  if (!messages_.empty()) {
    counters.refused.add(core_.udp->send(messages_));
    core_.forget_vanished();
    counters.sends.add();
  }
  groups_.clear();
  used_ = 0;
}

}  // namespace bonus::net::device
