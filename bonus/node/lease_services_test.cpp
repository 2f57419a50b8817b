// Leases between nodes: who may connect, read logs, run programs and look; on another node and on the same one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "bonus/node/auth.hpp"
#include "bonus/node/lease_client.hpp"
#include "bonus/node/testing/fake_containers.hpp"
#include "bonus/node/testing/loop_fixture.hpp"
#include "bonus/node/testing/memory_transport.hpp"
#include "bonus/node/testing/test_chain.hpp"

namespace bonus::node {
namespace {

using runtime::ByteStream;
using runtime::Task;
using testing::FakeContainers;
using ::testing::HasSubstr;
using testing::node_key;
using ::testing::StartsWith;
using testing::TestChain;
using testing::wallet;

using Stream = std::unique_ptr<ByteStream>;

Task<Result<std::string>> ask(Stream stream, std::string text) {
  auto writing = stream->write(as_bytes(text));
  if (auto done = co_await std::move(writing); !done) co_return fail(std::move(done).error());
  std::string out;
  std::array<std::uint8_t, 256> buffer{};
  while (out.size() < text.size()) {
    auto reading = stream->read(buffer);
    CO_TRY_ASSIGN(const std::size_t n, co_await std::move(reading));
    if (n == 0) break;
    out += as_text(BytesView(buffer).first(n));
  }
  co_return out;
}

Task<std::string> read_everything(Stream stream) {
  std::string out;
  std::array<std::uint8_t, 256> buffer{};
  while (true) {
    auto reading = stream->read(buffer);
    const auto n = co_await std::move(reading);
    if (!n || *n == 0) co_return out;
    out += as_text(BytesView(buffer).first(*n));
  }
}

/// Starts a program, sends two lines, a size and the end of the input; gives every frame as "channel:data;".
Task<std::string> run_program(Stream stream, std::string request) {
  std::string out;
  auto starting = write_frame(*stream, ExecChannel::kRequest, as_bytes(request));
  std::ignore = co_await std::move(starting);
  auto typing = write_frame(*stream, ExecChannel::kStdin, as_bytes("hello"));
  std::ignore = co_await std::move(typing);
  auto sizing = write_frame(*stream, ExecChannel::kResize, as_bytes("{\"columns\":100,\"rows\":30}"));
  std::ignore = co_await std::move(sizing);
  auto ending = write_frame(*stream, ExecChannel::kStdin, Bytes());
  std::ignore = co_await std::move(ending);
  while (true) {
    auto reading = read_frame(*stream);
    const auto frame = co_await std::move(reading);
    if (!frame) co_return out;
    out += std::to_string(static_cast<int>(frame->channel)) + ":" + std::string(as_text(frame->data)) + ";";
  }
}

class LeaseServices : public testing::LoopFixture, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    chain_.add_worker(wallet(1), node_key(1));
    order_ = chain_.order(wallet(2), TestChain::small_order());
    lease_ = views_.leases_of_order(order_, views_.head()).value().at(0).id;
    ASSERT_TRUE(chain_.call(wallet(1), chain::kMarketAddress, chain::market::encode::lease_started(lease_, {80}))
                    .receipt.success);
    containers_.leave(container_name(lease_));
    host_.serve(*worker_);
    ASSERT_TRUE(worker_->start());
    ASSERT_TRUE(gateway_->start());
  }
  void TearDown() override { finish(); }

  /// Through the network, or on the worker itself.
  LeaseClient& client() { return GetParam() ? remote_ : local_; }
  LeaseRequest request(LeaseService service, std::optional<std::uint8_t> signer, std::uint16_t port = 0) {
    LeaseRequest out;
    out.lease = lease_;
    out.port = port;
    if (signer)
      out.authorization =
          sign_authorization(wallet(*signer).key, "GET", out.path(service), runtime::system_clock().unix_s()).value();
    return out;
  }
  Result<Stream> open(LeaseService service, const LeaseRequest& with) {
    return await(client().open(crypto::node_id(node_key(1).public_key()), service, with));
  }

  TestChain chain_;
  MarketViews views_{chain_.ledger()};
  FakeContainers containers_;
  testing::MemoryNetwork network_;
  std::unique_ptr<net::Transport> worker_ = network_.attach(node_key(1).public_key(), executor());
  std::unique_ptr<net::Transport> gateway_ = network_.attach(node_key(2).public_key(), executor());
  LeaseHost host_{containers_, views_, runtime::system_clock(), crypto::node_id(node_key(1).public_key())};
  LeaseClient remote_{*gateway_, nullptr};
  LeaseClient local_{*worker_, &host_};
  std::uint64_t order_ = 0, lease_ = 0;
};

TEST_P(LeaseServices, APublishedPortNeedsNoSignature) {
  auto stream = open(LeaseService::kConnect, request(LeaseService::kConnect, std::nullopt, 80));
  ASSERT_TRUE(stream) << stream.error().message;
  EXPECT_EQ(await(ask(*std::move(stream), "echo me")).value(), "echo me");
}

TEST_P(LeaseServices, OtherPortsNeedTheUser) {
  auto nobody = open(LeaseService::kConnect, request(LeaseService::kConnect, std::nullopt, 81));
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, ErrorCode::kDenied);
  auto stranger = open(LeaseService::kConnect, request(LeaseService::kConnect, 3, 81));
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code, ErrorCode::kDenied);
  EXPECT_THAT(stranger.error().message, HasSubstr("belongs to"));
  auto user = open(LeaseService::kConnect, request(LeaseService::kConnect, 2, 81));
  ASSERT_TRUE(user) << user.error().message;
  EXPECT_EQ(await(ask(*std::move(user), "x")).value(), "x");
}

TEST_P(LeaseServices, ASignatureForOnePortIsNotOneForAnother) {
  auto with = request(LeaseService::kConnect, 2, 81);
  with.port = 82;
  auto stream = open(LeaseService::kConnect, with);
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, ErrorCode::kDenied);
}

TEST_P(LeaseServices, NothingListens) {
  containers_.close_port(80);
  auto stream = open(LeaseService::kConnect, request(LeaseService::kConnect, std::nullopt, 80));
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(stream.error().message, HasSubstr("port 80"));
}

TEST_P(LeaseServices, LogsAreForTheUser) {
  EXPECT_EQ(open(LeaseService::kLogs, request(LeaseService::kLogs, std::nullopt)).error().code, ErrorCode::kDenied);
  auto stream = open(LeaseService::kLogs, request(LeaseService::kLogs, 2));
  ASSERT_TRUE(stream) << stream.error().message;
  EXPECT_EQ(await(read_everything(*std::move(stream))),
            "{\"time_ms\":0,\"stream\":\"stdout\",\"text\":\"line "
            "0\"}\n{\"time_ms\":1,\"stream\":\"stderr\",\"text\":\"line 1\"}\n"
            "{\"time_ms\":2,\"stream\":\"stdout\",\"text\":\"line 2\"}\n");
}

TEST_P(LeaseServices, AProgramGetsItsInputAndGivesItsExit) {
  auto stream = open(LeaseService::kExec, request(LeaseService::kExec, 2));
  ASSERT_TRUE(stream) << stream.error().message;
  EXPECT_EQ(await(run_program(*std::move(stream),
                              R"({"argv":["sh","-i"],"tty":true,"columns":80,"rows":24,"env":{"A":"b"}})")),
            "2:sh -i\n;1:hello;1:100x30\n;3:{\"exit_code\":7};");
}

TEST_P(LeaseServices, AMalformedProgramIsExplained) {
  auto stream = open(LeaseService::kExec, request(LeaseService::kExec, 2));
  ASSERT_TRUE(stream);
  EXPECT_THAT(await(run_program(*std::move(stream), R"({"argv":[]})")), StartsWith("5:\"argv\" names no program"));
}

TEST_P(LeaseServices, Inspect) {
  const NodeId worker = crypto::node_id(node_key(1).public_key());
  EXPECT_EQ(await(client().inspect(worker, request(LeaseService::kInspect, 3))).error().code, ErrorCode::kDenied);
  const auto text = await(client().inspect(worker, request(LeaseService::kInspect, 2)));
  ASSERT_TRUE(text) << text.error().message;
  const auto json = boost::json::parse(as_text(*text));
  EXPECT_EQ(json.at("lease").to_number<std::uint64_t>(), lease_);
  EXPECT_EQ(json.at("container").at("state").as_string(), "running");
  EXPECT_EQ(json.at("usage").at("memory_bytes").to_number<int>(), 4096);
}

TEST_P(LeaseServices, ALeaseOfAnotherNodeIsUnknownHere) {
  LeaseRequest with = request(LeaseService::kLogs, 2);
  with.lease = lease_ + 1;
  auto stream = open(LeaseService::kLogs, with);
  ASSERT_FALSE(stream);
  EXPECT_EQ(stream.error().code, ErrorCode::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(Where, LeaseServices, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "ThroughTheNetwork" : "OnTheSameNode"; });

}  // namespace
}  // namespace bonus::node
