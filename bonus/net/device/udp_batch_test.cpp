// Batches over the loopback: with and without offloads the same datagrams arrive.
#include "bonus/net/device/udp_batch.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <map>

namespace bonus::net::device {
namespace {

UdpEndpoint loopback(std::uint16_t port) {
  UdpEndpoint out;
  out.address.bytes[10] = out.address.bytes[11] = 0xff;
  out.address.bytes[12] = 127;
  out.address.bytes[15] = 1;
  out.port = port;
  return out;
}

std::unique_ptr<UdpSocket> open(bool offload, bool split = false) {
  UdpOptions options;
  options.split = split;
  options.bind = loopback(0).address;
  options.offload = offload;
  auto socket = UdpSocket::open(options);
  EXPECT_TRUE(socket) << socket.error().message;
  return socket ? std::move(*socket) : nullptr;
}

// Datagrams until `count` have come or none comes for a second.
std::vector<Bytes> take(UdpSocket& socket, std::size_t count, UdpEndpoint* from = nullptr) {
  std::vector<Bytes> out;
  while (out.size() < count) {
    pollfd wait{.fd = socket.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, 1000) <= 0) break;
    bool more = false;
    for (const auto& message : socket.receive(more)) {
      if (from != nullptr) *from = message.from;
      for (std::size_t at = 0; at < message.bytes.size(); at += message.segment) {
        const auto piece = message.bytes.subspan(at, std::min(message.segment, message.bytes.size() - at));
        out.emplace_back(piece.begin(), piece.end());
      }
    }
  }
  return out;
}

TEST(UdpBatch, DatagramsArriveWholeWithAndWithoutOffloads) {
  for (const bool sends : {false, true})
    for (const bool receives : {false, true}) {
      const auto a = open(sends), b = open(receives);
      ASSERT_TRUE(a && b);
      std::vector<std::uint8_t> bytes(20 * 1200 + 700);
      for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i / 1200 + i);
      std::vector<UdpMessage> messages;
      messages.push_back({.to = loopback(b->port()), .bytes = bytes, .segment = 1200});
      for (std::size_t i = 1; i < 70; ++i)
        messages.push_back({.to = loopback(b->port()), .bytes = BytesView(bytes).subspan(i, i)});
      EXPECT_EQ(a->send(messages), 0u);
      UdpEndpoint from;
      const auto got = take(*b, 21 + 69, &from);
      ASSERT_EQ(got.size(), 21u + 69u);
      EXPECT_EQ(from, loopback(a->port()));
      for (std::size_t i = 0; i < 21; ++i) {
        const auto expected = BytesView(bytes).subspan(i * 1200, std::min<std::size_t>(1200, bytes.size() - i * 1200));
        EXPECT_TRUE(std::ranges::equal(got[i], expected)) << i;
      }
      for (std::size_t i = 1; i < 70; ++i) EXPECT_EQ(got[20 + i].size(), i);
    }
}

TEST(UdpBatch, WhatTheSystemRefusesIsCounted) {
  const auto a = open(true);
  ASSERT_TRUE(a);
  const Bytes bytes(100, 1);
  UdpEndpoint nowhere = loopback(9);
  nowhere.address.bytes = {};
  nowhere.address.bytes[0] = 0x20;  // an IPv6 address from a socket bound to an IPv4 one
  const UdpMessage messages[] = {{.to = nowhere, .bytes = bytes}, {.to = loopback(a->port()), .bytes = bytes}};
  EXPECT_EQ(a->send(messages), 1u);
  EXPECT_EQ(take(*a, 1).size(), 1u) << "the rest is sent";
}

// What a peer claims to be its IPv6 address must not become an IPv4 address of its choice.
TEST(UdpBatch, AnIpv4SocketSendsNothingToIpv6Addresses) {
  Fd v4(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  ASSERT_EQ(::bind(v4.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
  auto a = UdpSocket::adopt(std::move(v4), true);
  const auto b = open(true);
  ASSERT_TRUE(a && b);
  UdpEndpoint trap{.address = *parse_ip("2001:db8::7f00:1"), .port = b->port()};
  const Bytes one(30, 1), two(40, 2);
  const UdpMessage messages[] = {{.to = loopback(b->port()), .bytes = two},
                                 {.to = trap, .bytes = one},
                                 {.to = loopback(b->port()), .bytes = two},
                                 {.to = trap, .bytes = one, .segment = 10}};
  EXPECT_EQ((*a)->send(messages), 2u);
  EXPECT_EQ(take(*b, 3), (std::vector<Bytes>{two, two}));
}

// Everything of 127.0.0.0/8 is the machine's: a socket for all addresses is asked at one and answers from it.
TEST(UdpBatch, AnswersLeaveFromTheAddressThatWasAsked) {
  Fd v4(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in any{};
  any.sin_family = AF_INET;
  ASSERT_EQ(::bind(v4.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any), 0);
  auto adopted = UdpSocket::adopt(std::move(v4), true);
  auto dual = UdpSocket::open({});
  ASSERT_TRUE(adopted && dual);
  for (UdpSocket* asked : {adopted->get(), dual->get()}) {
    const auto asks = open(true);
    UdpEndpoint to = loopback(asked->port());
    to.address.bytes[15] = 77;
    const Bytes question(40, 4), answer(7 * 500 + 60, 9);
    const UdpMessage one{.to = to, .bytes = question};
    ASSERT_EQ(asks->send({&one, 1}), 0u);
    pollfd wait{.fd = asked->fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, 1000), 1);
    bool more = false;
    const auto got = asked->receive(more);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0].local, (tunnel::LocalAddress{.address = to.address, .interface = 0}));
    const auto local = got[0].local;
    const UdpMessage back[] = {{.to = got[0].from, .bytes = answer, .segment = 500, .local = local},
                               {.to = got[0].from, .bytes = question, .local = local}};
    for (const UdpMessage& message : back) {
      EXPECT_EQ(asked->send({&message, 1}), 0u);
      const std::size_t count = message.segment == 0 ? 1 : 8;
      UdpEndpoint from;
      EXPECT_EQ(take(*asks, count, &from).size(), count);
      EXPECT_EQ(from, to);
    }
    EXPECT_FALSE(asked->take_vanished());
  }
}

TEST(UdpBatch, AnAddressThatIsGoneStopsNothing) {
  auto opened = UdpSocket::open({});
  const auto b = open(true);
  ASSERT_TRUE(opened && b);
  UdpSocket& a = **opened;
  const tunnel::LocalAddress gone{.address = *parse_ip("198.51.100.7"), .interface = 0};
  const Bytes bytes(5 * 300, 3);
  const UdpMessage messages[] = {{.to = loopback(b->port()), .bytes = bytes, .segment = 300, .local = gone},
                                 {.to = loopback(b->port()), .bytes = bytes, .local = gone},
                                 {.to = loopback(b->port()), .bytes = bytes}};
  EXPECT_EQ(a.send(messages), 0u);
  EXPECT_EQ(take(*b, 7).size(), 7u);
  EXPECT_EQ(a.take_vanished(), gone.address);
  EXPECT_FALSE(a.take_vanished()) << "told once";
}

TEST(UdpBatch, ATakenPortIsNamed) {
  for (const bool split : {false, true}) {
    const auto a = open(true, split);
    ASSERT_TRUE(a);
    UdpOptions options;
    options.bind = loopback(0).address;
    options.port = a->port();
    const auto again = UdpSocket::open(options);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::kConflict);
    EXPECT_NE(again.error().message.find(std::to_string(a->port())), std::string::npos);
  }
}

TEST(UdpBatch, InitiationsComeApartWhateverTheFamily) {
  for (const bool any : {false, true}) {
    UdpOptions options;
    if (!any) options.bind = loopback(0).address;
    auto opened = UdpSocket::open(options);
    ASSERT_TRUE(opened) << opened.error().message;
    UdpSocket& socket = **opened;
    if (socket.initiations_fd() < 0) GTEST_SKIP() << "this kernel chooses no sockets by a filter";
    const auto a = open(true);
    ASSERT_TRUE(a);
    Bytes initiation(148, 5), response(92, 6), data(148, 4), sealed(148, 0xB1);
    initiation[0] = 1;
    response[0] = 2;
    std::vector<UdpMessage> messages;
    for (int i = 0; i < 40; ++i)
      for (const Bytes* bytes : {&initiation, &response, &data, &sealed})
        messages.push_back({.to = loopback(socket.port()), .bytes = *bytes});
    EXPECT_EQ(a->send(messages), 0u);
    const auto rest = take(socket, 120);
    EXPECT_EQ(rest.size(), 120u);
    for (const auto& datagram : rest) EXPECT_NE(datagram[0], 1);
    std::size_t initiations = 0;
    bool more = true;
    while (more) {
      for (const auto& message : socket.receive_initiations(more)) {
        EXPECT_TRUE(std::ranges::equal(message.bytes, initiation));
        EXPECT_EQ(message.from, loopback(a->port()));
        EXPECT_EQ(message.segment, 148u);
        ++initiations;
      }
    }
    EXPECT_EQ(initiations, 40u);
  }
}

TEST(UdpBatch, AFloodOfInitiationsLeavesTheRestItsRoom) {
  const auto a = open(true), b = open(true, true);
  ASSERT_TRUE(a && b);
  if (b->initiations_fd() < 0) GTEST_SKIP() << "this kernel chooses no sockets by a filter";
  const Bytes initiation(148, 1), data(100, 4);
  const std::vector<UdpMessage> flood(1000, {.to = loopback(b->port()), .bytes = initiation});
  for (int i = 0; i < 20; ++i) std::ignore = a->send(flood);
  const UdpMessage one{.to = loopback(b->port()), .bytes = data};
  EXPECT_EQ(a->send({&one, 1}), 0u);
  EXPECT_EQ(take(*b, 1), std::vector<Bytes>{data}) << "nobody has read an initiation";
  EXPECT_EQ(b->receive_overflows(), 0u);
  std::size_t kept = 0;
  bool more = true;
  while (more) kept += b->receive_initiations(more).size();
  EXPECT_GE(kept, 100u);
  EXPECT_LT(kept, 20'000u);
  EXPECT_EQ(a->send({&one, 1}), 0u);
  EXPECT_EQ(take(*b, 1), std::vector<Bytes>{data});
}

TEST(UdpBatch, WithoutTheSplitEverythingComesTogether) {
  UdpOptions options;
  options.bind = loopback(0).address;
  options.split = false;
  auto socket = UdpSocket::open(options);
  ASSERT_TRUE(socket);
  EXPECT_EQ((*socket)->initiations_fd(), -1);
  const Bytes initiation(148, 1);
  const UdpMessage one{.to = loopback((*socket)->port()), .bytes = initiation};
  EXPECT_EQ((*socket)->send({&one, 1}), 0u);
  EXPECT_EQ(take(**socket, 1), std::vector<Bytes>{initiation});
  bool more = true;
  EXPECT_TRUE((*socket)->receive_initiations(more).empty());
  EXPECT_FALSE(more);
}

TEST(UdpBatch, OnlyBoundUdpSocketsAreAdopted) {
  EXPECT_FALSE(UdpSocket::adopt(Fd(::socket(AF_INET, SOCK_DGRAM, 0)), true));
  EXPECT_FALSE(UdpSocket::adopt(Fd(::socket(AF_UNIX, SOCK_DGRAM, 0)), true));
  EXPECT_FALSE(UdpSocket::adopt(Fd(-1), true));
}

}  // namespace
}  // namespace bonus::net::device
