// Inbound path. The order of one datagram: index -> decrypt -> replay window -> inner source -> coalesce -> TUN.
#include "bonus/net/device/receiver.hpp"

#include <algorithm>

#include "bonus/net/device/checksum.hpp"
#include "bonus/net/device/icmp.hpp"

namespace bonus::net::device {
namespace {

constexpr std::size_t kCacheEntries = 1024;
constexpr std::size_t kMaxRun = 256;
constexpr Duration kForeignPause = std::chrono::milliseconds(250);
constexpr std::uint8_t kFirstWireGuard = 1, kTransport = 4;

}  // namespace

Receiver::Receiver(Core& core)
    : core_(core),
      coalescer_({.tcp = core.tun.has_tcp_offload(), .udp = core.tun.has_udp_offload()}),
      cache_(kCacheEntries),
      run_fresh_(new bool[kMaxRun]) {
  run_counters_.reserve(kMaxRun);
  run_plain_.reserve(kMaxRun);
}

// Everything but transport data. True when there is transport data, too.
bool Receiver::serve_control(const Message& message, Instant now) {
  bool bulk = false;
  for (std::size_t at = 0; at < message.bytes.size(); at += message.segment) {
    const std::uint8_t first = message.bytes[at];
    if (first == kTransport) {
      bulk = true;
      continue;
    }
    const auto datagram = message.bytes.subspan(at, std::min(message.segment, message.bytes.size() - at));
    if (first < kFirstWireGuard || first > kTransport) {
      counters.foreign.add();
      if (message.from.via == 0) {
        core_.locals.note(message.from.udp, message.from.local, now);
        core_.hooks.on_foreign_datagram(message.from.udp, datagram);
      }
    } else if (tunnel::message_type(datagram)) {
      counters.control.add();
      Core::Handshake& handshake = handshakes_.emplace_back();
      handshake.from = message.from;
      handshake.size = datagram.size();
      std::ranges::copy(datagram, handshake.bytes.begin());
    } else {
      counters.malformed.add();
    }
  }
  return bulk;
}

void Receiver::receive(std::span<const Message> messages, Instant now) {
  std::uint32_t bulk = 0;  // bit i: messages[i]
  static_assert(UdpSocket::kBatch <= 32);
  messages = messages.first(std::min<std::size_t>(messages.size(), 32));
  for (std::size_t i = 0; i < messages.size(); ++i) bulk |= std::uint32_t{serve_control(messages[i], now)} << i;
  if (!handshakes_.empty()) {
    core_.push_control(handshakes_);
    handshakes_.clear();
  }
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if ((bulk >> i & 1) != 0) decrypt(messages[i], now);
  }
  coalescer_.take([&](std::span<const iovec> pieces) {
    counters.writes.add();
    if (!core_.tun.write(pieces)) counters.refused.add(pieces.size() - 1);
  });
}

void Receiver::forget_ended(Instant now) {
  const std::uint64_t version = core_.device->version();
  for (Entry& entry : cache_) {
    if (!entry.session || (entry.used && entry.version == version && !entry.session->expired(now))) continue;
    entry.used = false;
    entry.session = {};
  }
  cipher_.forget();
}

Receiver::Entry* Receiver::find(std::uint32_t index, Instant now) {
  Entry& entry = cache_[index % kCacheEntries];
  const std::uint64_t version = core_.device->version(), mtu_version = core_.mtu_version.load();
  if (entry.used && entry.index == index && entry.version == version && entry.mtu_version == mtu_version) return &entry;
  entry.used = false;
  entry.session = nullptr;
  {
    const std::shared_lock guard(core_.device_mutex);
    entry.session = core_.device->session_by_index(index);
  }
  if (!entry.session || entry.session->expired(now)) return nullptr;
  entry.index = index;
  entry.source.reset();
  entry.mtu = core_.path_mtu(entry.session->peer);
  entry.version = version;
  entry.mtu_version = mtu_version;
  entry.used = true;
  return &entry;
}

void Receiver::decrypt(const Message& message, Instant now) {
  Run run;
  run.from = message.from;
  for (std::size_t at = 0; at < message.bytes.size(); at += message.segment) {
    const auto datagram = message.bytes.subspan(at, std::min(message.segment, message.bytes.size() - at));
    if (datagram[0] != kTransport) continue;
    if (tunnel::message_type(datagram) != tunnel::MessageType::kTransport) {
      counters.malformed.add();
      continue;
    }
    const std::uint32_t index = tunnel::receiver_index(datagram);
    if (run.entry == nullptr || run.entry->index != index || run_plain_.size() == kMaxRun) {
      finish(run, now);
      run.entry = find(index, now);
      if (run.entry != nullptr && run.entry->session->expired(now)) run.entry = nullptr;
      if (run.entry == nullptr) {
        counters.unknown_session.add();
        continue;
      }
    }
    const std::uint64_t counter = tunnel::transport_counter(datagram);
    const auto plain = datagram.subspan(tunnel::kTransportHeader, datagram.size() - tunnel::kTransportOverhead);
    if (!cipher_.open(run.entry->session->receive_key, counter, plain.data(), plain.size())) {
      counters.authentication.add();
      continue;
    }
    run_counters_.push_back(counter);
    run_plain_.push_back(plain);
    run.bytes += datagram.size();
  }
  finish(run, now);
}

bool Receiver::may_come_from(Entry& entry, const Ipv6& source) {
  if (entry.source == source) return true;
  const std::shared_lock guard(core_.device_mutex);
  if (!core_.device->allowed_source(entry.session->peer, source)) return false;
  entry.source = source;
  return true;
}

void Receiver::finish(Run& run, Instant now) {
  if (run_plain_.empty()) return;
  tunnel::Session& session = *run.entry->session;
  const std::size_t count = run_plain_.size();
  const std::size_t fresh = session.accept(run_counters_, {run_fresh_.get(), count});
  counters.replay.add(count - fresh);
  bool data = false;
  for (std::size_t i = 0; i < count; ++i) {
    if (!run_fresh_[i] || run_plain_[i].empty()) continue;  // empty: a keepalive
    data = true;
    const auto size = tunnel::trim_packet(run_plain_[i]);
    const auto addresses = tunnel::packet_addresses(run_plain_[i]);
    if (!size || !addresses) {
      counters.malformed.add();
      continue;
    }
    if (!may_come_from(*run.entry, addresses->source)) {
      counters.source.add();
      if (is_overlay(addresses->source) && now >= run.entry->foreign) {
        run.entry->foreign = now + kForeignPause;
        core_.hooks.on_foreign_source(run.entry->session->peer, addresses->source);
      }
      continue;
    }
    const auto packet = run_plain_[i].first(*size);
    if (core_.options.clamp_mss) clamp_mss(packet, run.entry->mtu);
    coalescer_.add(packet);
    counters.packets.add();
    counters.bytes.add(*size);
  }
  if (fresh != 0 && session.note_received(now, run.from, fresh, run.bytes, data)) {
    const auto shared = run.entry->session;  // the cache may change under us
    core_.locked([&](tunnel::Device& device, Instant at, tunnel::Actions& actions) {
      device.on_received(shared, run.from, at, actions);
    });
  }
  run_counters_.clear();
  run_plain_.clear();
  run.bytes = 0;
}

}  // namespace bonus::net::device
