// What an attacker can make these cores do: reflection, forged and replayed datagrams, relays without permission.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "bonus/net/nat/budget.hpp"
#include "bonus/net/nat/observed.hpp"
#include "bonus/net/nat/path_message.hpp"
#include "bonus/net/nat/relay_client.hpp"
#include "bonus/net/nat/relay_message.hpp"
#include "bonus/net/nat/sim_net.hpp"

namespace bonus::net::nat::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Ipv6 kVictim = v4(5, 5, 5, 5);

struct Counter {
  std::size_t packets = 0, bytes = 0, largest = 0;
  void add(std::size_t size) { ++packets, bytes += size, largest = std::max(largest, size); }
};

/// Counts what is sent to the victim's address.
Counter& watch(Internet& net, Counter& counter) {
  net.tap = [&counter](const UdpEndpoint&, const UdpEndpoint& to, const Bytes& datagram) {
    if (to.address == kVictim) counter.add(datagram.size());
  };
  return counter;
}

Bytes seal(Host& from, const Host& to, DatagramKind kind, const Bytes& payload) {
  return from.sealer().seal(kind, to.key(), payload).value();
}

TEST(Attack, AThirdPartyCannotMakeANodeFloodAVictim) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Pair pair(seed, Router::kOpen, Router::kPort);
    pair.settle();
    Host& mallory = *pair.a;
    mallory.connect(*pair.b);  // a peer with a confirmed path: its introductions are listened to
    pair.net.run(seconds(3));
    ASSERT_TRUE(mallory.paths().path(pair.b->key()));
    Counter victim;
    watch(pair.net, victim);
    const auto path = mallory.paths().path(pair.b->key())->path;
    // Different nonces, origins and ports; as the rendezvous' own word and as the introduced peer's.
    for (unsigned i = 0; i < 200; ++i) {
      Introduce m;
      pair.net.random.fill(m.origin.bytes);
      m.nonce = i;
      m.attested = {kVictim, static_cast<std::uint16_t>(1000 + i)};
      for (std::uint16_t port = 0; port < kMaxIntroduced; ++port)
        m.endpoints.push_back({kVictim, static_cast<std::uint16_t>(2000 + port)});
      mallory.send_raw(path, seal(mallory, *pair.b, DatagramKind::kPath, encode(m)));
      pair.net.run(milliseconds(50));
    }
    pair.net.run(seconds(5));
    EXPECT_GE(victim.packets, 1U);  // the attack really reached the code that probes
    EXPECT_LE(victim.packets, 5U);
    EXPECT_LE(victim.largest, 128U);
  }
}

TEST(Attack, ARendezvousIsAskedByWhoIsThereOnlyAndCostsMoreThanItCauses) {
  Pair pair(3, Router::kOpen, Router::kPort);
  pair.settle();
  Host& mallory = *pair.a;
  Host& relay = *pair.net.relays[0];
  Counter victim;
  watch(pair.net, victim);
  Rendezvous m;
  m.target = pair.b->key();
  m.nonce = 7;
  for (std::uint16_t port = 0; port < kMaxIntroduced; ++port)
    m.endpoints.push_back({kVictim, static_cast<std::uint16_t>(2000 + port)});
  const Bytes request = seal(mallory, relay, DatagramKind::kPath, encode(m));
  mallory.send_raw({{relay.address, 51820}, 0}, request);
  pair.net.run(seconds(5));
  EXPECT_GE(victim.packets, 1U);
  EXPECT_LE(victim.packets, 5U);
  EXPECT_LE(victim.bytes, request.size());
  // The same from an address that is not the registered one: the relay does nothing.
  Counter all;
  pair.net.tap = [&](const UdpEndpoint& from, const UdpEndpoint&, const Bytes& datagram) {
    if (from.address == relay.address) all.add(datagram.size());
  };
  m.nonce = 8;
  const Bytes spoofed = seal(mallory, relay, DatagramKind::kPath, encode(m));
  pair.net.arrive({kVictim, 9}, {relay.address, 51820}, spoofed);
  pair.net.run(milliseconds(500));
  EXPECT_EQ(all.packets, 0U);
}

TEST(Attack, AReplayedProbeGetsOneSmallAnswerAndChangesNothing) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Pair pair(seed, Router::kOpen, Router::kOpen);
    pair.settle();
    std::vector<Bytes> captured;
    pair.net.tap = [&](const UdpEndpoint& from, const UdpEndpoint& to, const Bytes& datagram) {
      if (from.address == pair.a->address && to.address == pair.b->address) captured.push_back(datagram);
    };
    pair.a->connect(*pair.b);
    pair.net.run(seconds(3));
    pair.a->set_address(v4(8, 8, 1, 77), nullptr);  // probes with the "roamed" flag as well
    pair.net.run(seconds(3));
    const auto before = pair.b->paths().path(pair.a->key());
    ASSERT_TRUE(before);
    ASSERT_GE(captured.size(), 4U);
    Counter victim;
    watch(pair.net, victim);
    std::size_t replayed = 0;
    for (const Bytes& datagram : captured) {
      pair.net.arrive({kVictim, 4444}, {pair.b->address, 51820}, datagram);
      replayed += datagram.size();
      pair.net.run(milliseconds(10));
    }
    pair.net.run(seconds(10));
    EXPECT_LE(victim.packets, captured.size());
    EXPECT_LE(victim.bytes, replayed);
    const auto after = pair.b->paths().path(pair.a->key());
    ASSERT_TRUE(after);
    EXPECT_EQ(after->path, before->path);
  }
}

TEST(Attack, ForgedAnswersProveNothing) {
  Internet net(4);
  Host& a = net.add_host("a", v4(8, 8, 1, 1), nullptr);
  Host& b = net.add_host("b", v4(8, 8, 2, 1), nullptr);
  Host& mallory = net.add_host("m", v4(6, 6, 6, 6), nullptr);
  for (Host* host : {&a, &b, &mallory}) host->start();
  b.powered = false;
  std::vector<Bytes> probes;
  net.tap = [&](const UdpEndpoint&, const UdpEndpoint& to, const Bytes& datagram) {
    if (to.address == b.address) probes.push_back(datagram);
  };
  a.connect(b);
  for (int i = 0; i < 200; ++i) {
    // Mallory does not know the ids; and does not have b's key, so its answers are its own.
    Ack ack;
    ack.id = static_cast<std::uint64_t>(i);
    ack.challenge = 5;
    ack.observed = {a.address, 51820};
    ack.size = kMinProbePayload;
    mallory.send_raw({{a.address, 51820}, 0}, seal(mallory, a, DatagramKind::kPath, encode(ack)));
    Confirm confirm;
    confirm.challenge = static_cast<std::uint64_t>(i);
    mallory.send_raw({{a.address, 51820}, 0}, seal(mallory, a, DatagramKind::kPath, encode(confirm)));
    // What a sent comes back to it, or with a changed byte.
    if (!probes.empty()) {
      Bytes echo = probes[static_cast<std::size_t>(i) % probes.size()];
      net.arrive({b.address, 51820}, {a.address, 51820}, echo);
      echo[static_cast<std::size_t>(i) % echo.size()] ^= 1;
      net.arrive({b.address, 51820}, {a.address, 51820}, echo);
    }
    net.run(milliseconds(20));
  }
  EXPECT_FALSE(a.paths().path(b.key()));
  EXPECT_FALSE(a.paths().path(mallory.key()));
  EXPECT_TRUE(a.history.empty());
}

TEST(Attack, AnAnswerFromAnotherAddressThanTheProbedOneProvesNothing) {
  Internet net(4);
  Host& a = net.add_host("a", v4(8, 8, 1, 1), nullptr);
  Host& b = net.add_host("b", v4(8, 8, 2, 1), nullptr);
  a.start();
  b.start();
  // Everything of b arrives from the victim's address: a man in the middle wants the path to go there.
  net.rewrite = [&](const UdpEndpoint& from) { return from.address == b.address ? UdpEndpoint{kVictim, 1} : from; };
  a.connect(b);
  net.run(seconds(5));
  EXPECT_FALSE(a.paths().path(b.key()));
}

TEST(Attack, NothingIsAmplifiedBeforeRoutability) {
  // Every kind of message from addresses that have proven nothing, sealed with keys that are valid but unknown, and
  // with the key of a client that is registered elsewhere.
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Pair pair(seed, Router::kOpen, Router::kOpen);
    pair.settle();
    Host& relay = *pair.net.relays[0];
    Host& stranger = pair.net.add_host("s", v4(6, 6, 6, 6), nullptr);
    stranger.start();
    for (Host* target : {&relay, pair.b}) {
      for (Host* sender : {&stranger, pair.a}) {
        std::vector<std::pair<DatagramKind, Bytes>> payloads;
        Probe probe;
        probe.id = 5;
        probe.want_record = true;
        payloads.emplace_back(DatagramKind::kPath, encode(probe));
        probe.size = kMaxPathPayload;
        payloads.emplace_back(DatagramKind::kPath, encode(probe));
        probe.record = sender->encode_record();
        probe.sequence = sender->record().sequence;
        payloads.emplace_back(DatagramKind::kPath, encode(probe));
        payloads.emplace_back(DatagramKind::kPath, encode(Ack{false, 1, 2, {kVictim, 1}, 40, {}}));
        payloads.emplace_back(DatagramKind::kPath, encode(Confirm{true, false, 1, {kVictim, 1}}));
        payloads.emplace_back(DatagramKind::kPath, encode(Rendezvous{false, pair.b->key(), 1, NatKind::kCone, {}}));
        payloads.emplace_back(DatagramKind::kPath,
                              encode(Introduce{false, pair.b->key(), 1, NatKind::kCone, {kVictim, 1}, {}}));
        payloads.emplace_back(DatagramKind::kPath, encode(nat::Spray{false, 1}));
        payloads.emplace_back(DatagramKind::kRelay, encode(Register{1, 2, {}}));
        payloads.emplace_back(DatagramKind::kRelay, encode(Register{1, 0, probe.record}));
        payloads.emplace_back(DatagramKind::kRelay, encode(Keep{1}));
        payloads.emplace_back(DatagramKind::kRelay, encode(Open{pair.b->key(), 1, 2, {}}));
        payloads.emplace_back(DatagramKind::kRelay, encode(Accept{pair.b->key(), 1, false, {}}));
        payloads.emplace_back(DatagramKind::kRelay, encode(Close{1}));
        for (const auto& [kind, payload] : payloads) {
          const Bytes datagram = seal(*sender, *target, kind, payload);
          Counter caused;
          pair.net.tap = [&](const UdpEndpoint&, const UdpEndpoint& to, const Bytes& sent) {
            if (to.address == kVictim) caused.add(sent.size());
          };
          pair.net.arrive({kVictim, 4444}, {target->address, 51820}, datagram);
          pair.net.run(seconds(2));
          EXPECT_LE(caused.bytes, datagram.size())
              << "seed " << seed << " kind " << static_cast<int>(kind) << " type " << static_cast<int>(payload[1]);
          EXPECT_LE(caused.packets, 1U);
        }
      }
    }
  }
}

TEST(Attack, WhoIsNamedFalselyGetsThreeProbesOneOfThemLarge) {
  Pair pair(8, Router::kOpen, Router::kOpen);
  pair.settle();
  Counter victim;
  watch(pair.net, victim);
  // The liar names a victim's address as that of a node that does not exist, for every lookup of ours anew.
  for (std::uint16_t i = 0; i < 20; ++i) {
    crypto::X25519Public nobody;
    pair.net.random.fill(nobody.bytes);
    pair.a->act([&](Actions& out) {
      pair.a->paths().meet(nobody, {kVictim, static_cast<std::uint16_t>(1000 + i)}, pair.net.events.now(), out);
    });
    pair.net.run(milliseconds(50));
  }
  pair.net.run(seconds(20));
  EXPECT_GE(victim.packets, 3U);
  EXPECT_LE(victim.packets, 5U) << "the budget of an address holds for all names together";
  EXPECT_LE(victim.bytes, 5U * kMaxDatagram);
  for (const Ipv6& address : {v4(10, 1, 2, 3), v4(127, 0, 0, 1), v4(224, 0, 0, 1)}) {
    Counter none;
    pair.net.tap = [&](const UdpEndpoint&, const UdpEndpoint& to, const Bytes& datagram) {
      if (to.address == address) none.add(datagram.size());
    };
    crypto::X25519Public nobody;
    pair.net.random.fill(nobody.bytes);
    pair.a->act([&](Actions& out) { pair.a->paths().meet(nobody, {address, 1000}, pair.net.events.now(), out); });
    pair.net.run(seconds(2));
    EXPECT_EQ(none.packets, 0U);
  }
}

TEST(Attack, ARecordThatNamesTheKeyOfAnotherIsFoundOutByItsHolder) {
  for (const bool known_before : {false, true}) {
    Pair pair(9, Router::kOpen, Router::kOpen);
    pair.settle();
    // The liar's own root certifies the tunnel key of b, and its record says that it is at b's endpoint.
    crypto::Ed25519Seed seed;
    seed.bytes.fill(7);
    const auto liar = crypto::Ed25519KeyPair::from_seed(seed);
    NodeRecord lie = pair.b->record();
    lie.root = liar.public_key();
    lie.tunnel = certify_tunnel_key(liar, pair.b->key(), 0, lie.expires);
    ASSERT_TRUE(sign_record(lie, liar));
    if (known_before) {
      pair.a->connect(*pair.b);
      pair.net.run(seconds(2));
      ASSERT_TRUE(pair.a->paths().path(pair.b->key()));
    }
    pair.a->act([&](Actions& out) {
      const auto taken = pair.a->paths().connect(lie, pair.net.events.now(), out);
      if (known_before) EXPECT_EQ(taken.error().code, ErrorCode::kDenied);
    });
    pair.net.run(seconds(2));
    ASSERT_FALSE(pair.a->learned.empty()) << "the holder of the key was asked, and says whose it is";
    EXPECT_EQ(pair.a->learned.back(), pair.b->encode_record());
    pair.a->act([&](Actions& out) {
      EXPECT_EQ(pair.a->paths().connect(lie, pair.net.events.now(), out).error().code, ErrorCode::kDenied);
    });
    EXPECT_TRUE(pair.a->paths().path(pair.b->key())) << "the path to the real node stays";
  }
}

TEST(Attack, AnotherRootDoesNotTakeTheTlsLinkOfARelay) {
  Pair pair(10, Router::kOpen, Router::kOpen);
  const auto key = [](std::uint8_t n) {
    crypto::Ed25519Seed seed;
    seed.bytes.fill(n);
    return crypto::Ed25519KeyPair::from_seed(seed);
  };
  SeededRandom random(10);
  const PathOptions options;
  for (const bool shown : {false, true}) {
    RelayClient client(key(1), pair.a->key(), random, pair.net.events, options);
    Actions out;
    RelayClient::Events events;
    Instant now{};
    const UdpEndpoint there{v4(9, 9, 9, 9), 7071};
    client.set_home({{pair.b->key(), there}}, now, out);
    NodeRecord honest, lie;
    honest.tunnel.key = lie.tunnel.key = pair.b->key();
    honest.root = key(2).public_key();
    honest.endpoints = {{RecordEndpoint::Kind::kTls, {v4(9, 9, 9, 9), 8443}, {}}};
    for (std::uint8_t liar = 10; liar < 17; ++liar) {
      lie.root = key(liar).public_key();
      client.learn(lie);
    }
    client.learn(honest, shown);
    client.learn(lie);
    // Nobody answers by UDP.
    for (; out.want_links.size() < 8 && now < Instant{} + seconds(1200); now += milliseconds(100))
      client.on_timer(now, out, events);
    ASSERT_FALSE(out.want_links.empty());
    std::size_t right = 0;
    for (const auto& want : out.want_links)
      if (want.root == honest.root && want.endpoints[0] == honest.endpoints[0].address) ++right;
    EXPECT_GE(right, 1U) << "liars that came first do not keep us from the relay";
    if (shown) EXPECT_EQ(right, out.want_links.size()) << "who has the key says whose it is";
  }
}

TEST(Attack, OneNetworkAloneDoesNotSayWhereWeAre) {
  Observer observer;
  observer.set_local({{v4(192, 168, 1, 2), 120}}, 51820);
  const UdpEndpoint lie{kVictim, 53}, truth{v4(8, 8, 1, 1), 40000};
  crypto::X25519Public peer;
  const Instant now{seconds(1000)};
  const auto says = [&](std::uint8_t number, const Ipv6& from, const UdpEndpoint& seen) {
    peer.bytes.fill(number);
    observer.add(peer, from, seen, now);
  };
  says(1, v4(7, 7, 7, 1), truth);
  says(2, v4(7, 8, 7, 1), truth);
  for (std::uint8_t i = 10; i < 200; ++i) says(i, v4(6, 6, 6, i), lie);
  EXPECT_EQ(observer.agreed(), std::vector<UdpEndpoint>{truth});
  EXPECT_EQ(observer.kind(), NatKind::kCone);
}

TEST(Attack, StrangersDoNotFillThePlacesOfWhomWeWantNorOfOtherNetworks) {
  Internet net(11);
  PathOptions options;
  options.max_peers = 8;
  Host& node = net.add_host("node", v4(8, 8, 1, 2), nullptr, options);
  node.start();
  const auto host = [&](unsigned a, unsigned b) -> Host& {
    Host& out = net.add_host("x", v4(20, 1, a, b), nullptr);
    out.start();
    return out;
  };
  Host &wanted = host(1, 1), &visitor = host(2, 1);
  std::vector<Host*> strangers;
  for (unsigned i = 1; i <= 30; ++i) strangers.push_back(&host(9, i));
  for (Host* stranger : strangers) {
    stranger->connect(node);
    net.run(milliseconds(300));
  }
  visitor.connect(node);
  net.run(seconds(2));
  EXPECT_TRUE(visitor.paths().path(node.key())) << "somebody from another network still finds a place";
  for (unsigned i = 1; i <= 3; ++i) {  // several networks fill it
    for (unsigned k = 1; k <= 4; ++k) {
      host(10 + i, k).connect(node);
      net.run(milliseconds(300));
    }
  }
  node.act([&](Actions& out) {
    EXPECT_TRUE(node.paths().connect(wanted.record(), net.events.now(), out)) << "whom we want goes first";
  });
  net.run(seconds(2));
  EXPECT_TRUE(node.paths().path(wanted.key()));
  EXPECT_LE(node.paths().peers().size(), options.max_peers);
}

/// A relay's client alone; the test speaks for the relay.
struct LoneClient {
  explicit LoneClient(std::uint64_t seed) : pair(seed, Router::kOpen, Router::kOpen), random(seed) {
    pair.b->sign();
    client.set_self(pair.b->encode_record());
    client.set_home({{relay, path.udp}}, now, out);
  }
  static crypto::Ed25519KeyPair made_key() {
    crypto::Ed25519Seed seed;
    seed.bytes.fill(1);
    return crypto::Ed25519KeyPair::from_seed(seed);
  }
  Pair pair;
  SeededRandom random;
  const crypto::Ed25519KeyPair root = made_key();
  const PathOptions options;
  RelayClient client{root, pair.a->key(), random, pair.net.events, options};
  const crypto::X25519Public relay = pair.b->key();
  const PathEndpoint path{{v4(9, 9, 9, 9), 7071}, 0};
  Instant now{seconds(100)};
  Actions out;
  RelayClient::Events events;
};

TEST(Attack, ARelayOpensNothingThatWasNotAskedFor) {
  LoneClient lone(12);
  auto& [pair, random, root, options, client, relay, path, now, out, events] = lone;
  const auto last_id = [&] {
    const auto decoded = decode_relay(out.sends.back().payload).value();
    return std::get<Register>(decoded).id;
  };
  client.on_control(relay, path, encode(Registered{last_id(), path.udp, 90}), now, out, events);
  ASSERT_TRUE(client.ready_path(relay));
  events.clear();
  const UnixSeconds until = pair.net.events.unix_s() + 600;
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    crypto::X25519Public peer;
    random.fill(peer.bytes);
    client.on_control(relay, path, encode(Opened{peer, i, i, until}), now, out, events);
  }
  EXPECT_TRUE(events.empty()) << "nobody was asked for";
  // What was asked for is opened, once: an old answer does not replace the token.
  crypto::X25519Public peer;
  peer.bytes.fill(77);
  out = {};
  ASSERT_TRUE(client.open(relay, path.udp, peer, now, out));
  const auto opening = decode_relay(out.sends.back().payload).value();
  const auto nonce = std::get<Open>(opening).nonce;
  client.on_control(relay, path, encode(Opened{peer, nonce, 5, until}), now, out, events);
  ASSERT_EQ(events.size(), 1U);
  client.on_control(relay, path, encode(Opened{peer, nonce - 1, 6, until}), now, out, events);
  std::array<std::uint8_t, kRelayHeader> header{};
  ASSERT_TRUE(client.wrap(events[0].path.via, header));
  EXPECT_EQ(header.back(), 5) << "the replayed one says 6";
}

TEST(Attack, ARelayThatForgetsUsAtOnceDoesNotMakeUsSpin) {
  LoneClient lone(13);
  auto& [pair, random, root, options, client, relay, path, now, out, events] = lone;
  std::size_t registrations = 0;
  for (const Instant end = now + seconds(10); now < end; now += milliseconds(1)) {
    const auto sends = std::move(out.sends);
    out = {};
    for (const auto& send : sends) {
      const auto decoded = decode_relay(send.payload).value();
      if (const auto* m = std::get_if<Register>(&decoded)) {
        ++registrations;
        client.on_control(relay, path, encode(Registered{m->id, path.udp, 90}), now, out, events);
        client.on_control(relay, path, encode(Refused{m->id, RelayRefusal::kNotClient}), now, out, events);
      } else if (const auto* keep = std::get_if<Keep>(&decoded)) {
        client.on_control(relay, path, encode(Refused{keep->id, RelayRefusal::kNotClient}), now, out, events);
      }
    }
    client.on_timer(now, out, events);
  }
  EXPECT_LE(registrations, 12U) << "in ten seconds";
  EXPECT_GE(registrations, 2U);
}

TEST(Attack, WhatOthersSayDoesNotUseUpWhatWeWantOurselves) {
  ProbeBudget budget;
  const Instant now{seconds(1000)};
  for (unsigned i = 0; i < 20'000; ++i) {
    (void)budget.take(v4(20, i >> 16, i >> 8 & 0xff, i & 0xff), Word::kThird, now);
    budget.verified(v4(21, i >> 16, i >> 8 & 0xff, i & 0xff), now);
  }
  EXPECT_FALSE(budget.take(kVictim, Word::kThird, now)) << "the test fills the table of third parties";
  EXPECT_TRUE(budget.take(kVictim, Word::kRecord, now)) << "a peer that we want is probed all the same";
  EXPECT_TRUE(budget.take(kVictim, Word::kThird, now + ProbeBudget::kThirdWindow));
}

TEST(Attack, PrivateMulticastAndOverlayAddressesAreNotProbed) {
  Internet net(1);
  Host& a = net.add_host("a", v4(8, 8, 1, 1), nullptr);
  Host& b = net.add_host("b", v4(8, 8, 2, 1), nullptr);
  a.start();
  b.start();
  NodeRecord record = b.record();
  record.endpoints.clear();
  for (const std::string_view text : {"10.0.0.1:9", "127.0.0.1:9", "224.0.0.1:9", "169.254.1.1:9", "[fd00::1]:9",
                                      "[ff02::1]:9", "[fe80::1]:9", "[::1]:9"})
    record.endpoints.push_back({RecordEndpoint::Kind::kObserved, parse_endpoint(text).value(), {}});
  std::size_t sent = 0;
  net.tap = [&](const UdpEndpoint&, const UdpEndpoint&, const Bytes&) { ++sent; };
  a.act([&](Actions& out) { (void)a.paths().connect(record, net.events.now(), out); });
  net.run(seconds(20));
  EXPECT_EQ(sent, 0U);
}

TEST(Attack, RelayedFramesNeedPermissionTokenAndAddress) {
  Pair pair(2, Router::kSymmetric, Router::kSymmetric);
  pair.settle();
  std::vector<std::pair<UdpEndpoint, Bytes>> frames;
  pair.net.tap = [&](const UdpEndpoint& from, const UdpEndpoint&, const Bytes& datagram) {
    if (datagram[0] == 0xB3) frames.emplace_back(from, datagram);
  };
  pair.a->connect(*pair.b);
  pair.net.run(seconds(5));
  ASSERT_FALSE(frames.empty());
  Host* relay = nullptr;
  for (Host* host : pair.net.relays)
    if (host->paths().relay_server()->stats().channels == 1) relay = host;
  ASSERT_NE(relay, nullptr);
  pair.net.tap = nullptr;
  pair.net.run(seconds(1));
  const auto carried = [&] { return relay->paths().relay_server()->stats().packets; };
  auto before = carried();
  // A frame that was seen, from elsewhere; and guessed tokens from a client's own address.
  Bytes frame;
  UdpEndpoint client;
  for (const auto& [from, bytes] : frames)
    if (from.address == v4(8, 8, 1, 1)) frame = bytes, client = from;
  pair.net.arrive({kVictim, 1}, {relay->address, 51820}, frame);
  for (int i = 0; i < 1000; ++i) {
    Bytes guess = frame;
    for (std::size_t at = 2; at < 10; ++at) guess[at] = static_cast<std::uint8_t>(pair.net.random.below(256));
    pair.net.arrive(client, {relay->address, 51820}, guess);
  }
  EXPECT_EQ(carried(), before);
  EXPECT_GE(relay->paths().relay_server()->stats().refused, 1001U);
  // The same frame from the client's own address is carried: the test would notice if nothing ever was.
  pair.net.arrive(client, {relay->address, 51820}, frame);
  EXPECT_EQ(carried(), before + 1);
}

}  // namespace
}  // namespace bonus::net::nat::sim
