// TLS links on loopback.
#include "bonus/net/nat/tls_link.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <set>

#include "bonus/net/nat/certificate.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::nat {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

crypto::Ed25519KeyPair root(std::uint8_t seed) {
  crypto::Ed25519Seed bytes;
  bytes.bytes.fill(seed);
  return crypto::Ed25519KeyPair::from_seed(bytes);
}

UdpEndpoint loopback(std::uint16_t port = 0) { return {parse_ip("127.0.0.1").value(), port}; }

struct End {
  End(boost::asio::io_context& io, std::uint8_t seed, TlsLinkOptions options = {})
      : key(root(seed)),
        links(io.get_executor(), key, random,
              {[this](const PathEndpoint& link, const Ed25519PublicKey& who, bool) { up[link.via] = who; },
               [this](const PathEndpoint& link) {
                 up.erase(link.via);
                 ++downs;
               },
               [this](const PathEndpoint& link, BytesView datagram) {
                 got.emplace_back(link.via, Bytes(datagram.begin(), datagram.end()));
               }},
              options) {}
  runtime::sim::SeededRandom random{7};
  crypto::Ed25519KeyPair key;
  std::map<std::uint32_t, Ed25519PublicKey> up;
  int downs = 0;
  std::vector<std::pair<std::uint32_t, Bytes>> got;
  TlsLinks links;
};

template <class Condition>
bool until(boost::asio::io_context& io, Condition condition) {
  for (int i = 0; i < 2000 && !condition(); ++i) io.run_for(milliseconds(5));
  return condition();
}

TEST(Certificate, CarriesTheKey) {
  const auto certificate = make_certificate(root(3)).value();
  EXPECT_EQ(certificate_key(certificate.certificate_pem).value(), root(3).public_key());
  EXPECT_EQ(certificate_key("nonsense").error().code, ErrorCode::kInvalid);
}

TEST(TlsLinks, CarriesDatagramsBothWaysAndShowsBothKeys) {
  boost::asio::io_context io;
  End relay(io, 1), node(io, 2);
  const auto at = relay.links.listen(loopback()).value();
  const auto via = node.links.dial({at}, relay.key.public_key()).value();
  ASSERT_TRUE(is_link(via));
  ASSERT_TRUE(until(io, [&] { return node.up.contains(via) && relay.up.size() == 1; }));
  EXPECT_EQ(node.up[via], relay.key.public_key());
  EXPECT_EQ(relay.up.begin()->second, node.key.public_key());
  const std::uint32_t back = relay.up.begin()->first;
  for (int i = 1; i <= 200; ++i) {
    EXPECT_TRUE(node.links.send(via, Bytes(static_cast<std::size_t>(i) * 40, static_cast<std::uint8_t>(i))));
    EXPECT_TRUE(relay.links.send(back, Bytes(static_cast<std::size_t>(i), static_cast<std::uint8_t>(i))));
  }
  ASSERT_TRUE(until(io, [&] { return node.got.size() == 200 && relay.got.size() == 200; }));
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_EQ(relay.got[i].second, Bytes((i + 1) * 40, static_cast<std::uint8_t>(i + 1)));
    EXPECT_EQ(node.got[i].second.size(), i + 1);
    EXPECT_EQ(node.got[i].first, via);
  }
  EXPECT_FALSE(node.links.send(via, Bytes(20000)));
  EXPECT_FALSE(node.links.send(via, {}));
  EXPECT_FALSE(node.links.send(via + 1, Bytes{1}));
  EXPECT_EQ(node.links.dropped(), 3U);
}

TEST(TlsLinks, RefusesAnotherKeyThanTheWantedOne) {
  boost::asio::io_context io;
  End relay(io, 1), node(io, 2);
  const auto at = relay.links.listen(loopback()).value();
  ASSERT_TRUE(node.links.dial({at}, root(9).public_key()));
  io.run_for(milliseconds(300));
  EXPECT_TRUE(node.up.empty());
  EXPECT_EQ(node.links.links(), 0U);
}

TEST(TlsLinks, TriesTheNextEndpointAndComesBackAfterARestart) {
  boost::asio::io_context io;
  TlsLinkOptions options;
  options.backoff_min = milliseconds(20);
  options.backoff_max = milliseconds(100);
  End node(io, 2, options);
  auto relay = std::make_unique<End>(io, 1);
  const auto at = relay->links.listen(loopback()).value();
  const auto via = node.links.dial({loopback(1), at}, {}).value();
  ASSERT_TRUE(until(io, [&] { return node.up.contains(via); }));
  relay.reset();
  ASSERT_TRUE(until(io, [&] { return node.downs == 1; }));
  EXPECT_FALSE(node.links.send(via, Bytes{1}));
  relay = std::make_unique<End>(io, 1);
  ASSERT_TRUE(relay->links.listen(at));
  ASSERT_TRUE(until(io, [&] { return node.up.contains(via); }));
  node.links.close(via);
  ASSERT_TRUE(until(io, [&] { return relay->downs == 1; }));
  io.run_for(milliseconds(200));
  EXPECT_TRUE(relay->up.empty());  // not dialled again
}

TEST(TlsLinks, GivesUpAfterAWhileAndDialsTheSameOnce) {
  boost::asio::io_context io;
  TlsLinkOptions options;
  options.give_up = milliseconds(150);
  options.backoff_min = milliseconds(10);
  options.max_dialled = 1;
  End node(io, 2, options);
  const auto via = node.links.dial({loopback(1)}, {}).value();
  EXPECT_EQ(node.links.dial({loopback(1)}, {}).value(), via);
  EXPECT_EQ(node.links.dial({loopback(2)}, {}).error().code, ErrorCode::kExhausted);
  io.run_for(milliseconds(400));
  EXPECT_TRUE(node.links.dial({loopback(2)}, {}));  // the first one's place is free
}

TEST(TlsLinks, DropsWhatDoesNotFitTheQueue) {
  boost::asio::io_context io;
  TlsLinkOptions options;
  options.queue_bytes = 64 << 10;
  End relay(io, 1), node(io, 2, options);
  const auto at = relay.links.listen(loopback()).value();
  const auto via = node.links.dial({at}, {}).value();
  ASSERT_TRUE(until(io, [&] { return node.up.contains(via); }));
  std::size_t sent = 0;
  for (int i = 0; i < 1000; ++i) sent += node.links.send(via, Bytes(1400, 1)) ? 1U : 0U;  // nothing runs meanwhile
  EXPECT_LT(sent, 100U);
  EXPECT_EQ(node.links.dropped(), 1000 - sent);
  ASSERT_TRUE(until(io, [&] { return relay.got.size() == sent; }));
}

TEST(TlsLinks, OneNetworkDoesNotTakeAllLinks) {
  boost::asio::io_context io;
  TlsLinkOptions options;
  options.max_accepted_per_prefix = 2;
  End relay(io, 1, options), a(io, 2), b(io, 3), c(io, 4);
  const auto at = relay.links.listen(loopback()).value();
  (void)a.links.dial({at}, {});
  (void)b.links.dial({at}, {});
  ASSERT_TRUE(until(io, [&] { return relay.up.size() == 2; }));
  (void)c.links.dial({at}, {});
  io.run_for(milliseconds(300));
  EXPECT_TRUE(c.up.empty());
  a.links.stop();
  EXPECT_TRUE(until(io, [&] { return !c.up.empty(); })) << "its place is free again";
}

TEST(TlsLinks, QueuesAreBoundedTogetherAndEachHasALittle) {
  boost::asio::io_context io;
  TlsLinkOptions options;
  options.total_queue_bytes = 256 << 10;
  End relay(io, 1, options), a(io, 2), b(io, 3);
  const auto at = relay.links.listen(loopback()).value();
  (void)a.links.dial({at}, {});
  (void)b.links.dial({at}, {});
  ASSERT_TRUE(until(io, [&] { return relay.up.size() == 2; }));
  const std::uint32_t greedy = relay.up.begin()->first, modest = relay.up.rbegin()->first;
  const auto fill = [&](std::uint32_t via) {
    std::size_t bytes = 0;
    for (int i = 0; i < 2000; ++i) bytes += relay.links.send(via, Bytes(1400, 1)) ? 1400U : 0U;
    return bytes;
  };
  for (int round = 0; round < 3; ++round) {  // nothing runs while a round is queued
    EXPECT_LE(fill(greedy), 400U << 10);
    const std::size_t little = fill(modest);
    EXPECT_GE(little, 32U << 10);
    EXPECT_LE(little, 200U << 10);
    ASSERT_TRUE(
        until(io, [&] { return relay.links.send(greedy, Bytes(1, 1)) && relay.links.send(modest, Bytes(1, 1)); }));
    io.run_for(milliseconds(100));
  }
}

TEST(TlsLinks, SurvivesForeignBytesAndSilence) {
  boost::asio::io_context io;
  TlsLinkOptions options;
  options.handshake_timeout = milliseconds(100);
  options.max_accepted = 4;
  End relay(io, 1, options);
  const auto at = relay.links.listen(loopback()).value();
  using boost::asio::ip::tcp;
  std::vector<tcp::socket> strangers;
  for (int i = 0; i < 10; ++i) {
    strangers.emplace_back(io);
    strangers.back().connect({boost::asio::ip::make_address("127.0.0.1"), at.port});
    const std::string text = i % 2 == 0 ? std::string(3000, 'x') : std::string();
    boost::system::error_code ignored;
    boost::asio::write(strangers.back(), boost::asio::buffer(text), ignored);
  }
  io.run_for(milliseconds(400));
  EXPECT_TRUE(relay.up.empty());
  End node(io, 2);
  const auto via = node.links.dial({at}, relay.key.public_key()).value();
  EXPECT_TRUE(until(io, [&] { return node.up.contains(via); }));
}

TEST(TlsLinks, SaysWhyItCannotListen) {
  boost::asio::io_context io;
  End a(io, 1), b(io, 2);
  const auto at = a.links.listen(loopback()).value();
  const auto again = b.links.listen(at);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace bonus::net::nat
