// Real servers on loopback: identity, order, calls, streams, bounds, reconnection.
#include "bonus/net/rpc/grpc_transport.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <thread>

#include "bonus/net/rpc/service.hpp"

namespace bonus::net::rpc {
namespace {

crypto::Ed25519KeyPair key_of(std::uint8_t n) {
  crypto::Ed25519Seed seed;
  seed.bytes.fill(n);
  return crypto::Ed25519KeyPair::from_seed(seed);
}

struct World {
  boost::asio::io_context io;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{io.get_executor()};
  std::vector<std::jthread> threads;
  World() {
    for (int i = 0; i < 2; ++i) threads.emplace_back([this] { io.run(); });
  }
  ~World() {
    work.reset();
    io.stop();
  }
  template <class T>
  T run(runtime::Task<T> task) {
    auto done = boost::asio::co_spawn(io, std::move(task), boost::asio::use_future);
    if (done.wait_for(std::chrono::seconds(20)) != std::future_status::ready)
      throw std::runtime_error("the task hangs");
    return done.get();
  }
  /// On loopback every caller has one address; the tests say whose it is.
  std::unique_ptr<GrpcTransport> node(std::uint8_t n, std::uint16_t port = 0, std::uint8_t caller = 1,
                                      TransportOptions options = {}) {
    options.listen = "127.0.0.1:" + std::to_string(port);
    options.target = [](const Peer& peer) { return peer.endpoint; };
    options.identify = [caller](const Ipv6& source) -> Result<NodeId> {
      if (caller == 0) return fail(ErrorCode::kDenied, to_string(source) + " is no node's address");
      return crypto::node_id(key_of(caller).public_key());
    };
    auto made = make_transport(io.get_executor(), crypto::node_id(key_of(n).public_key()), std::move(options));
    if (!made) throw std::runtime_error(made.error().message);
    return *std::move(made);
  }
};

Peer peer_of(std::uint8_t n, std::uint16_t port) {
  Peer peer;
  peer.key = key_of(n).public_key();
  peer.id = crypto::node_id(peer.key);
  peer.endpoint = "127.0.0.1:" + std::to_string(port);
  return peer;
}

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 1000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

runtime::Task<Result<Bytes>> echo_with_sender(NodeId from, Bytes request) {
  append(request, from.view());
  co_return request;
}
runtime::Task<Result<Bytes>> refuse(NodeId, Bytes) { co_return fail(ErrorCode::kExhausted, "no room"); }

runtime::Task<> echo_stream(NodeId, Bytes header, std::unique_ptr<runtime::ByteStream> stream) {
  (void)co_await stream->write(header);
  std::vector<std::uint8_t> buffer(32 << 10);
  while (true) {
    const auto count = co_await stream->read(buffer);
    if (!count || *count == 0) break;
    if (!co_await stream->write(BytesView(buffer).first(*count))) break;
  }
  (void)co_await stream->close_write();
}

TEST(GrpcTransport, PeersAreToldByTheirAddress) {
  EXPECT_EQ(address_of_peer("ipv6:[fd00::1]:4711").value(), parse_ip("fd00::1").value());
  EXPECT_EQ(address_of_peer("ipv6:%5Bfd00::1%5D:4711").value(), parse_ip("fd00::1").value());
  EXPECT_EQ(address_of_peer("ipv4:127.0.0.1:1").value(), parse_ip("127.0.0.1").value());
  for (const std::string_view text : {"", "unix:/tmp/x", "ipv6:", "ipv6:[fd00::1]", "ipv6:%5B%5D:1", "[fd00::1]:1"})
    EXPECT_FALSE(address_of_peer(text)) << text;
}

TEST(GrpcTransport, CallsCarryTheCallersIdentity) {
  World world;
  auto a = world.node(1);
  auto b = world.node(2);
  b->on_call("echo", echo_with_sender);
  b->on_call("refuse", refuse);
  ASSERT_TRUE(a->start().has_value());
  ASSERT_TRUE(b->start().has_value());
  const Peer to = peer_of(2, b->port());
  ASSERT_TRUE(a->set_peer(to).has_value());

  const auto reply = world.run(a->call(to.id, "echo", Bytes{1, 2}, std::chrono::seconds(5)));
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(BytesView(*reply).subspan(2).size(), 32u);
  EXPECT_TRUE(std::ranges::equal(BytesView(*reply).subspan(2), a->self().view()));

  const auto refused = world.run(a->call(to.id, "refuse", Bytes{}, std::chrono::seconds(5)));
  EXPECT_EQ(refused.error().code, ErrorCode::kExhausted);
  EXPECT_EQ(refused.error().message, "no room");
  EXPECT_EQ(world.run(a->call(to.id, "nothing", Bytes{}, std::chrono::seconds(5))).error().code,
            ErrorCode::kUnsupported);
  EXPECT_EQ(world.run(a->call(b->self(), "echo", Bytes((16u << 20) + 1), std::chrono::seconds(5))).error().code,
            ErrorCode::kInvalid);
}

TEST(GrpcTransport, RefusesAnAddressOfNoNode) {
  World world;
  auto a = world.node(1);
  auto b = world.node(2, 0, 0);
  b->on_call("echo", echo_with_sender);
  ASSERT_TRUE(b->start().has_value());
  const Peer to = peer_of(2, b->port());
  ASSERT_TRUE(a->set_peer(to).has_value());
  const auto reply = world.run(a->call(to.id, "echo", Bytes{}, std::chrono::seconds(5)));
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kDenied) << reply.error().message;
  Peer forged = to;
  forged.id = crypto::node_id(key_of(3).public_key());
  EXPECT_EQ(a->set_peer(forged).error().code, ErrorCode::kInvalid);
}

TEST(GrpcTransport, MessagesArriveInOrderAndAfterAReconnect) {
  std::mutex mutex;
  std::vector<std::uint32_t> seen;
  World world;
  auto a = world.node(1);
  auto b = world.node(2);
  const auto handler = [&](NodeId, Bytes data) {
    const std::lock_guard lock(mutex);
    seen.push_back(static_cast<std::uint32_t>(data[0]) << 8 | data[1]);
  };
  b->on_message("count", handler);
  ASSERT_TRUE(b->start().has_value());
  const std::uint16_t port = b->port();
  const Peer to = peer_of(2, port);
  ASSERT_TRUE(a->set_peer(to).has_value());
  for (unsigned i = 0; i < 1000; ++i)
    a->notify(to.id, "count", Bytes{static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)});
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return seen.size() == 1000;
  }));
  for (unsigned i = 0; i < 1000; ++i) ASSERT_EQ(seen[i], i);
  EXPECT_TRUE(a->connected(to.id));

  b->stop();
  b.reset();
  EXPECT_TRUE(eventually([&] { return !a->connected(to.id); }));
  {
    const std::lock_guard lock(mutex);
    seen.clear();
  }
  b = world.node(2, port);
  b->on_message("count", handler);
  ASSERT_TRUE(b->start().has_value());
  ASSERT_TRUE(eventually([&] {
    a->notify(to.id, "count", Bytes{0, 1});
    const std::lock_guard lock(mutex);
    return !seen.empty();
  }));
}

runtime::Task<Result<std::size_t>> exchange(GrpcTransport& from, NodeId to, std::size_t total) {
  Bytes header(3, 9);
  CO_TRY_ASSIGN(auto stream, co_await from.open(to, "echo", std::move(header)));
  std::vector<std::uint8_t> buffer(16 << 10);
  std::size_t received = 0, sent = 0;
  while (sent < total) {
    const Bytes part(std::min<std::size_t>(100'000, total - sent), 0x5a);
    CO_TRY(co_await stream->write(part));
    sent += part.size();
    while (received < sent + 3) {
      CO_TRY_ASSIGN(const std::size_t count, co_await stream->read(buffer));
      if (count == 0) co_return fail(ErrorCode::kCorrupt, "the echo ended early");
      received += count;
    }
  }
  CO_TRY(co_await stream->close_write());
  CO_TRY_ASSIGN(const std::size_t rest, co_await stream->read(buffer));
  if (rest != 0) co_return fail(ErrorCode::kCorrupt, "bytes after the end");
  co_return received;
}

TEST(GrpcTransport, StreamsEchoAndHalfClose) {
  World world;
  auto a = world.node(1);
  auto b = world.node(2);
  b->on_stream("echo", echo_stream);
  ASSERT_TRUE(b->start().has_value());
  const Peer to = peer_of(2, b->port());
  ASSERT_TRUE(a->set_peer(to).has_value());
  const auto count = world.run(exchange(*a, to.id, 5'000'000));
  ASSERT_TRUE(count.has_value()) << count.error().message;
  EXPECT_EQ(*count, 5'000'003u);
}

runtime::Task<Result<std::size_t>> read_unknown(GrpcTransport& from, NodeId to) {
  CO_TRY_ASSIGN(auto stream, co_await from.open(to, "unknown", Bytes()));
  std::vector<std::uint8_t> buffer(16);
  co_return co_await stream->read(buffer);
}

TEST(GrpcTransport, UnknownStreamServiceBreaksOff) {
  World world;
  auto a = world.node(1);
  auto b = world.node(2);
  ASSERT_TRUE(b->start().has_value());
  const Peer to = peer_of(2, b->port());
  ASSERT_TRUE(a->set_peer(to).has_value());
  EXPECT_EQ(world.run(read_unknown(*a, to.id)).error().code, ErrorCode::kUnavailable);
}

TEST(Load, ACallerTakesItsShareOnly) {
  Load load(5, 3);
  const auto who = [](std::uint8_t n) { return crypto::node_id(key_of(n).public_key()); };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(load.take(who(1)));
  EXPECT_FALSE(load.take(who(1)));
  EXPECT_TRUE(load.take(who(2)));
  EXPECT_TRUE(load.take(who(3)));
  EXPECT_FALSE(load.take(who(2)));  // of all there is
  load.give_back(who(1));
  EXPECT_TRUE(load.take(who(2)));
  EXPECT_FALSE(load.take(who(1)));
  EXPECT_TRUE(load.take(who(4), 0));
  load.give_back(who(4), 0);
  load.give_back(who(1), 2);
  EXPECT_FALSE(load.take(who(1), 3));
  EXPECT_TRUE(load.take(who(1), 2));
}

TEST(GrpcTransport, SilentStreamsCountForTheirCaller) {
  World world;
  auto a = world.node(1);
  TransportOptions narrow;
  narrow.max_concurrent_per_caller = 2;
  auto b = world.node(2, 0, 1, std::move(narrow));
  b->on_call("echo", echo_with_sender);
  b->on_stream("echo", echo_stream);
  ASSERT_TRUE(b->start().has_value());
  const Peer to = peer_of(2, b->port());
  ASSERT_TRUE(a->set_peer(to).has_value());
  const auto call = [&] { return world.run(a->call(to.id, "echo", Bytes{}, std::chrono::seconds(5))); };
  auto first = world.run(a->open(to.id, "echo", Bytes{1}));
  auto second = world.run(a->open(to.id, "echo", Bytes{2}));
  ASSERT_TRUE(first && second);
  std::vector<std::uint8_t> byte(1);
  EXPECT_EQ(world.run((*first)->read(byte)).value(), 1u);
  EXPECT_EQ(world.run((*second)->read(byte)).value(), 1u);
  EXPECT_EQ(call().error().code, ErrorCode::kExhausted);
  first->reset();
  EXPECT_TRUE(eventually([&] { return call().has_value(); }));
}

TEST(GrpcTransport, ARemovedPeerIsNoPeer) {
  World world;
  auto a = world.node(1);
  auto b = world.node(2);
  b->on_stream("echo", echo_stream);
  ASSERT_TRUE(b->start().has_value());
  const Peer to = peer_of(2, b->port());
  ASSERT_TRUE(a->set_peer(to).has_value());
  ASSERT_TRUE(world.run(exchange(*a, to.id, 1000)).has_value());
  a->remove_peer(to.id);
  a->remove_peer(to.id);
  EXPECT_TRUE(a->peers().empty());
  EXPECT_EQ(world.run(exchange(*a, to.id, 1000)).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(a->set_peer(to).has_value());
  EXPECT_TRUE(world.run(exchange(*a, to.id, 1000)).has_value());
}

runtime::Task<> open_one(GrpcTransport& from, NodeId to, std::atomic<int>& begun) {
  ++begun;
  auto opening = from.open(to, "echo", Bytes(3, 9));
  const auto stream = co_await std::move(opening);
}

TEST(GrpcTransport, APeerMayGoWhileStreamsAreOpened) {
  World world;
  auto a = world.node(1);
  auto b = world.node(2);
  b->on_stream("echo", echo_stream);
  ASSERT_TRUE(b->start().has_value());
  const Peer to = peer_of(2, b->port());
  for (int round = 0; round < 150; ++round) {
    ASSERT_TRUE(a->set_peer(to).has_value());
    std::atomic<int> begun = 0;
    std::vector<std::future<void>> open;
    for (int i = 0; i < 4; ++i)
      open.push_back(boost::asio::co_spawn(world.io, open_one(*a, to.id, begun), boost::asio::use_future));
    while (begun < 1 + round % 4) std::this_thread::yield();
    a->remove_peer(to.id);
    for (auto& one : open) ASSERT_EQ(one.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  }
}

TEST(GrpcTransport, PortInUseIsSaid) {
  World world;
  auto a = world.node(1);
  ASSERT_TRUE(a->start().has_value());
  auto b = world.node(2, a->port());
  EXPECT_EQ(b->start().error().code, ErrorCode::kIo);
  TransportOptions nonsense;
  nonsense.listen = "nonsense";
  EXPECT_EQ(make_transport(world.io.get_executor(), {}, nonsense).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace bonus::net::rpc
