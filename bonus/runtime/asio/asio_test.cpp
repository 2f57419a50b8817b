// Tests of the real runtime: task groups, blocking pool, streams, processes.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <filesystem>
#include <thread>

#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/detached.hpp"
#include "bonus/runtime/offload.hpp"
#include "bonus/runtime/process.hpp"
#include "bonus/runtime/stream.hpp"

namespace bonus::runtime {
namespace {

namespace net = boost::asio;
using namespace std::chrono_literals;

Task<> sleep_forever(std::atomic<int>& ended) {
  auto slept = co_await sleep_for(24h);
  if (!slept && slept.error().code == ErrorCode::kCancelled) ++ended;
}
Task<> ignore_errors(std::atomic<int>& rounds) {
  while (true) {
    (void)co_await sleep_for(1h);
    ++rounds;
  }
}
Task<> join_all(TaskGroup& group, std::atomic<bool>& joined) {
  co_await group.join();
  joined = true;
}
Task<> throws() {
  (void)co_await sleep_for(0ms);
  throw std::runtime_error("expected by the test");
}

TEST(TaskGroup, StopCancelsEverythingAndJoinWaits) {
  net::io_context io;
  std::atomic<int> ended = 0, rounds = 0;
  std::atomic<bool> joined = false;
  TaskGroup group(io.get_executor());
  for (int i = 0; i < 5; ++i) group.spawn("sleeper", sleep_forever(ended));
  group.spawn("stubborn", ignore_errors(rounds));
  group.spawn("thrower", throws());
  net::co_spawn(io, join_all(group, joined), net::detached);
  io.run_for(50ms);
  EXPECT_EQ(group.size(), 6U);
  EXPECT_FALSE(joined);
  group.stop();
  io.run();  // ends only because every task ends
  EXPECT_EQ(ended, 5);
  EXPECT_EQ(rounds, 1);
  EXPECT_TRUE(joined);
  group.spawn("late", sleep_forever(ended));
  EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroup, StopFromOtherThreadsRacesWithSpawn) {
  for (int round = 0; round < 50; ++round) {
    net::io_context io;
    std::vector<std::jthread> threads;
    std::atomic<int> ended = 0;
    auto guard = std::make_optional(net::make_work_guard(io));
    for (int i = 0; i < 2; ++i) threads.emplace_back([&io] { io.run(); });
    {
      TaskGroup group(io.get_executor());
      std::jthread stopper([&group] { group.stop(); });
      for (int i = 0; i < 20; ++i) group.spawn("sleeper", sleep_forever(ended));
    }
    guard.reset();
    threads.clear();  // would hang if one task were missed
  }
}

Task<> offloads(BlockingPool& pool, int& sum, int& refused) {
  for (int i = 1; i <= 10; ++i) {
    std::function<Result<int>()> work = [i] { return Result<int>(i); };
    auto result = co_await offload<int>(pool, std::move(work));
    if (result)
      sum += *result;
    else
      ++refused;
  }
}
TEST(BlockingPool, RunsWorkAndRefusesBeyondItsBound) {
  net::io_context io;
  int sum = 0, refused = 0;
  BlockingPool pool(2, 4);
  net::co_spawn(io, offloads(pool, sum, refused), net::detached);
  io.run();
  EXPECT_EQ(sum, 55);
  EXPECT_EQ(refused, 0);

  std::atomic<bool> open = false;
  std::atomic<int> ran = 0;
  {
    BlockingPool small(1, 2);
    std::atomic<bool> started = false;
    ASSERT_TRUE(small.post([&] {
      started = true;
      while (!open) std::this_thread::yield();
    }));
    while (!started) std::this_thread::yield();
    ASSERT_TRUE(small.post([&] { ++ran; }));
    ASSERT_TRUE(small.post([&] { throw std::runtime_error("expected by the test"); }));
    EXPECT_FALSE(small.post([&] { ++ran; }));
    open = true;
  }
  EXPECT_EQ(ran, 1);
}

struct SplicedPair {
  std::unique_ptr<ByteStream> client, server;
};
Task<> echo_until_end(std::unique_ptr<ByteStream> stream) {
  Bytes buffer(1000);
  while (true) {
    auto n = co_await stream->read(buffer);
    if (!n || *n == 0) break;
    auto written = co_await stream->write(BytesView(buffer).first(*n));
    if (!written) break;
  }
  (void)co_await stream->close_write();
}
Task<> send_all(ByteStream& stream, Bytes data) {
  auto written = co_await stream.write(data);
  EXPECT_TRUE(written.has_value());
  (void)co_await stream.close_write();
}
Task<> receive_all(ByteStream& stream, Bytes& into) {
  Bytes buffer(4096);
  while (true) {
    auto n = co_await stream.read(buffer);
    if (!n || *n == 0) break;
    append(into, BytesView(buffer).first(*n));
  }
}
std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>> local_pair(net::io_context& io) {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  return {*adopt_descriptor(io.get_executor(), fds[0]), *adopt_descriptor(io.get_executor(), fds[1])};
}

TEST(Stream, SpliceCarriesBothDirectionsAndHalfClose) {
  net::io_context io;
  auto [client, left] = local_pair(io);
  auto [right, server] = local_pair(io);
  Bytes data(300'000);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::uint8_t>(i * 31 >> 3);
  Bytes back;
  net::co_spawn(io, splice(std::move(left), std::move(right)), net::detached);
  net::co_spawn(io, echo_until_end(std::move(server)), net::detached);
  net::co_spawn(io, send_all(*client, data), net::detached);
  net::co_spawn(io, receive_all(*client, back), net::detached);
  io.run();
  EXPECT_EQ(back, data);
}

Task<> expect_cancelled_read(ByteStream& stream, bool& seen) {
  Bytes buffer(10);
  auto n = co_await stream.read(buffer);
  seen = !n && n.error().code == ErrorCode::kCancelled;
}
TEST(Stream, CloseFromAnotherThreadCancels) {
  net::io_context io;
  auto [a, b] = local_pair(io);
  bool seen = false;
  net::co_spawn(io, expect_cancelled_read(*a, seen), net::detached);
  std::jthread closer([stream = a.get()] { stream->close(); });
  io.run();
  // A socket that is shut down first may also report the end of the stream; both end the reader.
  closer.join();
  Bytes rest;
  bool again = false;
  io.restart();
  net::co_spawn(io, expect_cancelled_read(*a, again), net::detached);
  io.run();
  EXPECT_TRUE(again);
}

Task<> accept_one(net::ip::tcp::acceptor& acceptor) {
  auto [error, socket] = co_await acceptor.async_accept(net::as_tuple(net::use_awaitable));
  EXPECT_FALSE(error);
  const int fd = socket.release();
  auto stream = adopt_descriptor(acceptor.get_executor(), fd);
  if (stream) {
    auto echo = echo_until_end(std::move(*stream));
    co_await std::move(echo);
  }
}
Task<> talk_tcp(std::uint16_t port, Bytes& got) {
  auto stream = co_await connect_tcp("localhost", port, 5s);
  if (!stream) stream = co_await connect_tcp("127.0.0.1", port, 5s);
  EXPECT_TRUE(stream.has_value());
  if (!stream) co_return;
  Bytes hello(as_bytes("hello").begin(), as_bytes("hello").end());
  auto send = send_all(**stream, hello);
  co_await std::move(send);
  auto receive = receive_all(**stream, got);
  co_await std::move(receive);
}
Task<> connect_refused(std::uint16_t port, std::optional<ErrorCode>& code) {
  auto stream = co_await connect_tcp("127.0.0.1", port, 5s);
  if (!stream) code = stream.error().code;
}
Task<> use_after_the_end(std::unique_ptr<ByteStream> stream, int& failed_writes, int& ends) {
  const Bytes data(8);
  std::array<std::uint8_t, 8> buffer{};
  for (int i = 0; i < 3; ++i) {
    const auto written = co_await stream->write(data);
    if (!written && written.error().code == ErrorCode::kUnavailable) ++failed_writes;
  }
  for (int i = 0; i < 3; ++i) {
    const auto n = co_await stream->read(buffer);
    if (!n || *n == 0) ++ends;
  }
}

TEST(Stream, WhatFollowsAFailureFailsToo) {
  net::io_context io;
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
  auto stream = adopt_descriptor(io.get_executor(), ends[0]);
  ASSERT_TRUE(stream);
  ::close(ends[1]);
  int failed_writes = 0, ended = 0;
  net::co_spawn(io, use_after_the_end(*std::move(stream), failed_writes, ended), net::detached);
  io.run();  // ends only because no operation waits for an edge that never comes
  EXPECT_EQ(failed_writes, 3);
  EXPECT_EQ(ended, 3);
}

TEST(Stream, ConnectTcp) {
  net::io_context io;
  net::ip::tcp::acceptor acceptor(io, net::ip::tcp::endpoint(net::ip::make_address("127.0.0.1"), 0));
  const auto port = acceptor.local_endpoint().port();
  Bytes got;
  net::co_spawn(io, accept_one(acceptor), net::detached);
  net::co_spawn(io, talk_tcp(port, got), net::detached);
  io.run();
  EXPECT_EQ(as_text(got), "hello");
  acceptor.close();
  std::optional<ErrorCode> code;
  io.restart();
  net::co_spawn(io, connect_refused(port, code), net::detached);
  io.run();
  EXPECT_EQ(code, ErrorCode::kUnavailable);
}
Task<> connect_bad_unix(std::vector<ErrorCode>& codes) {
  auto missing = co_await connect_unix("/nonexistent/socket");
  codes.push_back(missing ? ErrorCode::kInternal : missing.error().code);
  auto too_long = co_await connect_unix(std::string(200, 'x'));
  codes.push_back(too_long ? ErrorCode::kInternal : too_long.error().code);
}
TEST(Stream, BadTargets) {
  net::io_context io;
  std::vector<ErrorCode> codes;
  net::co_spawn(io, connect_bad_unix(codes), net::detached);
  io.run();
  EXPECT_EQ(codes, (std::vector{ErrorCode::kUnavailable, ErrorCode::kInvalid}));
  EXPECT_FALSE(adopt_descriptor(io.get_executor(), 9999).has_value());
}

ProcessOptions shell(std::string script) {
  ProcessOptions options;
  options.argv = {"sh", "-c", std::move(script)};
  return options;
}
TEST(Process, OutputInputEnvironmentAndExitCode) {
  auto options = shell("cat; echo $MARK >&2; pwd; exit 7");
  options.input = Bytes(100'000, 'x');
  options.extra_env["MARK"] = "seen";
  options.working_directory = "/";
  auto result = run_process(options);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->exit_code, 7);
  EXPECT_EQ(result->out, std::string(100'000, 'x') + "/\n");
  EXPECT_EQ(result->err, "seen\n");
}
TEST(Process, BoundsOutputAndReportsSignals) {
  auto options = shell("head -c 5000000 /dev/zero; kill -9 $$");
  options.output_limit_bytes = 1000;
  auto result = run_process(options);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out.size(), 1000U);
  EXPECT_EQ(result->exit_code, 128 + 9);
}
TEST(Process, TimeoutKillsTheWholeGroup) {
  auto options = shell("sleep 1000 & echo $!; wait");
  options.timeout = 300ms;
  auto result = run_process(options);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kTimeout);
  auto endless = shell("while true; do echo yyyyyyyyyyyyyyyy; done");
  endless.timeout = 200ms;
  EXPECT_EQ(run_process(endless).error().code, ErrorCode::kTimeout);
}
TEST(Process, NamesWhatIsMissing) {
  ProcessOptions options;
  EXPECT_EQ(run_process(options).error().code, ErrorCode::kInvalid);
  options.argv = {"no-such-program-anywhere"};
  EXPECT_EQ(run_process(options).error().code, ErrorCode::kNotFound);
}
TEST(Process, DoesNotWaitForDaemonsThatKeepThePipe) {
  auto result = run_process(shell("sleep 3 & echo started"));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->out, "started\n");
}

TEST(Detached, IsToldFromALaterProcessOfItsNumberAndEnded) {
  const std::string log = ::testing::TempDir() + "detached_" + std::to_string(::getpid());
  const auto started = start_detached({"sh", "-c", "echo here; trap '' TERM; while :; do sleep 0.05; done"}, log);
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_TRUE(is_alive(*started));
  EXPECT_FALSE(wait_gone(*started, std::chrono::milliseconds(1)));
  DetachedProcess later = *started;
  later.start_ticks += 1;
  EXPECT_FALSE(is_alive(later));
  EXPECT_TRUE(end_process(later, SIGKILL, Duration::zero()));
  EXPECT_TRUE(is_alive(*started));
  const auto said = [&] { return std::filesystem::exists(log) && std::filesystem::file_size(log) == 5; };
  for (int i = 0; i < 500 && !said(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_TRUE(said());
  EXPECT_TRUE(end_process(*started, SIGTERM, std::chrono::milliseconds(50)));  // which it ignores
  EXPECT_FALSE(is_alive(*started));
  EXPECT_FALSE(is_alive({}));
  std::filesystem::remove(log);
}

TEST(System, RandomDiffersAndClockAdvances) {
  EXPECT_NE(system_random().next_u64(), system_random().next_u64());
  for (int i = 0; i < 1000; ++i) EXPECT_LT(system_random().below(7), 7U);
  const auto before = system_clock().now();
  EXPECT_GE(system_clock().now(), before);
  EXPECT_GT(system_clock().unix_s(), 1'700'000'000U);
}

}  // namespace
}  // namespace bonus::runtime
