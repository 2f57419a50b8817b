// A path manager that relays, fed with payloads, frames, links and time in any order. Nothing may crash, grow beyond
// its bounds, or answer more than it was sent by somebody who has proven nothing.
#include <cstdlib>
#include <memory>

#include "bonus/net/nat/path_manager.hpp"
#include "bonus/net/nat/path_message.hpp"
#include "bonus/net/nat/relay_message.hpp"
#include "bonus/net/nat/wire.hpp"
#include "bonus/runtime/sim/events.hpp"
#include "bonus/runtime/sim/random.hpp"

using namespace bonus;
using namespace bonus::net;
using namespace bonus::net::nat;

namespace {

crypto::Ed25519KeyPair root(std::uint8_t number) {
  crypto::Ed25519Seed seed;
  seed.bytes.fill(number);
  return crypto::Ed25519KeyPair::from_seed(seed);
}
crypto::X25519Public key(std::uint8_t number) {
  crypto::X25519Public out;
  out.bytes.fill(number);
  return out;
}
UdpEndpoint endpoint(std::uint8_t number) {
  UdpEndpoint out;
  out.address.bytes[10] = out.address.bytes[11] = 0xff;
  out.address.bytes[12] = 8;
  out.address.bytes[15] = number;
  out.port = 51820;
  return out;
}

struct Known {
  NodeRecord record;
  Bytes encoded;
};
Known make_known(std::uint8_t number, UnixSeconds now) {
  Known out;
  out.record.tunnel = certify_tunnel_key(root(number), key(number), now - 1, now + 86400);
  out.record.endpoints.push_back({RecordEndpoint::Kind::kObserved, endpoint(number), {}});
  if (number > 2) out.record.endpoints.push_back({RecordEndpoint::Kind::kRelay, endpoint(1), key(1)});
  out.record.flags = number <= 2 ? kRelays : 0U;
  out.record.sequence = 1;
  out.record.expires = now + 86400;
  out.encoded = sign_record(out.record, root(number)).value();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  runtime::sim::Events events;
  runtime::sim::SeededRandom random(1);
  static const std::vector<Known> known = [] {
    std::vector<Known> out;
    for (std::uint8_t i = 1; i <= 5; ++i) out.push_back(make_known(i, runtime::sim::Events().unix_s()));
    return out;
  }();
  PathOptions options;
  options.max_peers = 8;
  options.relay = RelayLimits{};
  options.relay->clients = 4;
  const auto own = root(100);
  PathManager manager(own, key(100), random, events, options);
  Instant now = events.now();
  Actions out;
  manager.set_self(make_known(100, events.unix_s()).encoded);
  manager.set_local_addresses({{endpoint(100).address, 128}}, 51820, now, out);
  manager.set_relays({known[0].record, known[1].record}, now, out);
  (void)manager.connect(known[2].record, now, out);

  std::vector<Actions::Send> sent = out.sends;
  const auto check = [&](std::size_t limit) {
    if (out.sends.size() > limit || manager.peers().size() > 8 || manager.endpoints().size() > kMaxRecordEndpoints)
      std::abort();
    for (const auto& send : out.sends)
      if (!send.mtu_probe && send.payload.size() > kMaxPathPayload) std::abort();
    if (!out.sends.empty()) sent = out.sends;
    out = {};
  };
  check(64);
  Reader in(BytesView(data, size));
  for (int step = 0; step < 200 && in.ok(); ++step) {
    const std::uint8_t op = in.u8();
    const std::uint8_t who = static_cast<std::uint8_t>(1 + in.u8() % 7);
    const PathEndpoint from{endpoint(who), (op & 0x40) != 0 ? 1U : (op & 0x80) != 0 ? kViaLink | 1U : 0U};
    switch (op % 10) {
      case 0:
      case 1: {
        const BytesView payload = in.block(1300);
        manager.on_payload(op % 10 == 0 ? DatagramKind::kPath : DatagramKind::kRelay, key(who), from, payload, now,
                           out);
        // Keys 6 and 7 are strangers without a record: at most one answer, not larger.
        if (who > 5 && from.via == 0) {
          std::size_t bytes = 0;
          for (const auto& send : out.sends)
            if (send.to == key(who)) bytes += send.payload.size();
          if (bytes > payload.size()) std::abort();
        }
        check(64);
        break;
      }
      case 2: {  // an honest answer to what was sent last
        for (const auto& send : sent) {
          const auto probe = decode_path(send.payload);
          if (send.kind != DatagramKind::kPath || !probe || !std::holds_alternative<Probe>(*probe)) continue;
          Ack ack;
          ack.id = std::get<Probe>(*probe).id;
          ack.challenge = who;
          ack.observed = endpoint(100);
          ack.size = static_cast<std::uint16_t>(send.payload.size());
          ack.need_record = (op & 0x40) != 0;
          manager.on_payload(DatagramKind::kPath, send.to, send.path, encode(ack), now, out);
          break;
        }
        check(64);
        break;
      }
      case 3: {  // an honest relay
        for (const auto& send : sent) {
          const auto asked = decode_relay(send.payload);
          if (send.kind != DatagramKind::kRelay || !asked) continue;
          Bytes answer;
          if (const auto* m = std::get_if<Register>(&*asked))
            answer = m->cookie == 0 ? encode(Challenge{m->id, 7}) : encode(Registered{m->id, endpoint(100), 90});
          if (const auto* m = std::get_if<Keep>(&*asked)) answer = encode(Registered{m->id, endpoint(100), 90});
          if (const auto* m = std::get_if<Open>(&*asked)) answer = encode(Opened{m->peer, m->nonce, who, m->expires});
          if (answer.empty()) continue;
          manager.on_payload(DatagramKind::kRelay, send.to, send.path, answer, now, out);
          break;
        }
        check(64);
        break;
      }
      case 4:
        events.run_until(now + std::chrono::milliseconds(1 + in.u16()));
        now = events.now();
        manager.on_timer(now, out);
        check(512);
        break;
      case 5: {
        const BytesView raw = in.block(1300);
        Bytes frame(raw.begin(), raw.end());
        (void)manager.on_relayed(frame, from, now);
        break;
      }
      case 6: {  // a probe with a valid record
        Probe probe;
        probe.id = who;
        probe.record = known[(who - 1U) % known.size()].encoded;
        probe.sequence = 1;
        manager.on_payload(DatagramKind::kPath, key(static_cast<std::uint8_t>((who - 1U) % known.size() + 1)), from,
                           encode(probe), now, out);
        check(64);
        break;
      }
      case 7:
        if (op & 0x40) {
          manager.link_up(key(who), {endpoint(who), kViaLink | who}, root(who).public_key(), now, out);
        } else {
          manager.link_down(kViaLink | who, now, out);
        }
        check(64);
        break;
      case 8:
        if (op & 0x40) {
          manager.forget(key(who), out);
        } else {
          (void)manager.connect(known[(who - 1U) % known.size()].record, now, out);
        }
        check(64);
        break;
      default:
        manager.on_traffic(key(who), (op & 0x40) != 0, now, out);
        check(64);
        break;
    }
  }
  return 0;
}
