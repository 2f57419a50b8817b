// The local API over HTTP, with published ports: status, blobs, signatures, routes that follow an order to another
// worker.
#include "bonus/node/local_api.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "bonus/crypto/hash.hpp"
#include "bonus/node/auth.hpp"
#include "bonus/node/testing/fake_containers.hpp"
#include "bonus/node/testing/loop_fixture.hpp"
#include "bonus/node/testing/memory_transport.hpp"
#include "bonus/node/testing/test_chain.hpp"
#include "bonus/storage/blob/rocks_blob_store.hpp"

namespace bonus::node {
namespace {

namespace api = chain::market;
namespace http = runtime::http;
namespace json = boost::json;
using runtime::Task;
using ::testing::HasSubstr;
using testing::node_key;
using testing::TestChain;
using testing::wallet;

Task<Result<std::string>> echo_through(std::uint16_t port, std::string text) {
  auto connecting = runtime::connect_tcp("127.0.0.1", port, std::chrono::seconds(5));
  CO_TRY_ASSIGN(auto stream, co_await std::move(connecting));
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

/// Runs an echo through the WebSocket of an exec; "channel:text;" of every message.
Task<std::string> exec_through(std::string url, http::Headers headers) {
  auto connecting = http::connect_websocket(std::move(url), std::move(headers), 1 << 20);
  auto socket = co_await std::move(connecting);
  if (!socket) co_return "refused: " + socket.error().message;
  const std::string request = R"({"argv":["cat"]})";
  auto starting = (*socket)->write(as_bytes(request), true);
  std::ignore = co_await std::move(starting);
  const Bytes input{0, 'h', 'i'}, end{0};
  auto typing = (*socket)->write(input, false);
  std::ignore = co_await std::move(typing);
  auto ending = (*socket)->write(end, false);
  std::ignore = co_await std::move(ending);
  std::string out;
  while (true) {
    auto reading = (*socket)->read();
    const auto message = co_await std::move(reading);
    if (!message || message->data.empty()) co_return out;
    out += std::to_string(message->data[0]) + ":" + std::string(as_text(BytesView(message->data).subspan(1))) + ";";
  }
}

/// A gateway without workloads of its own, and two workers of one market.
class LocalApiTest : public testing::LoopFixture {
 protected:
  struct WorkerNode {
    testing::FakeContainers containers;
    std::unique_ptr<net::Transport> transport;
    std::unique_ptr<LeaseHost> host;
  };

  void SetUp() override {
    for (std::uint8_t i = 0; i < 2; ++i) {
      auto& worker = workers_[i];
      const auto key = node_key(static_cast<std::uint8_t>(i + 1));
      worker.transport = network_.attach(key.public_key(), executor());
      worker.host = std::make_unique<LeaseHost>(worker.containers, views_, runtime::system_clock(),
                                                crypto::node_id(key.public_key()));
      worker.host->serve(*worker.transport);
      ASSERT_TRUE(worker.transport->start());
    }
    ASSERT_TRUE(gateway_->start());
    blobs_ = storage::open_blob_store(chain_.folder().path("blobs"), {}).value();
    open_routes();
    LocalApiParts parts{crypto::node_id(node_key(9).public_key()),
                        wallet(9).address,
                        {"gateway"},
                        runtime::system_clock(),
                        runtime::system_clock().now(),
                        chain_.ledger(),
                        views_,
                        *gateway_,
                        *blobs_,
                        pool_,
                        *routes_,
                        *publisher_,
                        client_,
                        [] {
                          Endpoints urls;
                          urls.gateway = "http://127.0.0.1:8080";
                          return urls;
                        },
                        [] { return ChainStatus{}; },
                        [] { return std::nullopt; },
                        {}};
    api_ = std::make_unique<LocalApi>(std::move(parts));
    http::ServerOptions options;
    options.name = "api";
    server_ = http::Server::listen(executor(), options, [this](http::Exchange& exchange) {
                return api_->handle(exchange);
              }).value();
  }
  void TearDown() override {
    server_->stop();
    await_done(server_->join());
    await_done(publisher_->stop());
    finish();
  }
  void await_done(Task<> task) {
    boost::asio::co_spawn(boost::asio::make_strand(io_), std::move(task), boost::asio::use_future).get();
  }
  void open_routes() {
    routes_ = RouteTable::open(runtime::system_disk(), chain_.folder().path("routes.log")).value();
    directory_ = std::make_unique<LeaseDirectory>(views_, *routes_, client_, runtime::system_clock());
    publisher_ = std::make_unique<Publisher>(executor(), *routes_, *directory_, views_, metrics_);
    publisher_->start();
  }

  struct Answer {
    int status = 0;
    std::string body;
    [[nodiscard]] json::value value() const { return json::parse(body); }
  };
  Answer request(std::string method, const std::string& path, std::optional<std::uint8_t> signer = {},
                 const std::string& body = "", const std::string& query = "") {
    http::ClientRequest out;
    out.method = method;
    out.url = "http://127.0.0.1:" + std::to_string(server_->port()) + path + query;
    out.body = Bytes(body.begin(), body.end());
    if (signer)
      out.headers.set("Authorization",
                      sign_authorization(wallet(*signer).key, method, path, runtime::system_clock().unix_s()).value());
    if (!host_.empty()) out.headers.set("Host", host_);
    for (const auto& [name, value] : browser_) out.headers.set(name, value);
    const auto answer = http::send_blocking(std::move(out)).value();
    return {answer.status, std::string(as_text(answer.body))};
  }
  /// An order of wallet 5 with one running replica on worker `index`, which registers first.
  std::uint64_t run_order(std::uint8_t index) {
    const auto account = wallet(static_cast<std::uint8_t>(index + 1));
    chain_.add_worker(account, node_key(static_cast<std::uint8_t>(index + 1)));
    const auto order = chain_.order(wallet(5), TestChain::small_order());
    start_lease(order, index);
    return order;
  }
  std::uint64_t live_lease(std::uint64_t order) {
    for (const auto& lease : views_.leases_of_order(order, views_.head()).value())
      if (lease.state != api::LeaseState::kEnded) return lease.id;
    return 0;
  }
  void start_lease(std::uint64_t order, std::uint8_t index) {
    const auto account = wallet(static_cast<std::uint8_t>(index + 1));
    const auto lease = live_lease(order);
    ASSERT_NE(lease, 0u);
    workers_[index].containers.leave(container_name(lease));
    ASSERT_TRUE(chain_.call(account, chain::kMarketAddress, api::encode::lease_started(lease, {80})).receipt.success);
  }

  TestChain chain_;
  MarketViews views_{chain_.ledger()};
  Metrics metrics_;
  runtime::BlockingPool pool_{2, 64};
  testing::MemoryNetwork network_;
  std::array<WorkerNode, 2> workers_;
  std::unique_ptr<net::Transport> gateway_ = network_.attach(node_key(9).public_key(), executor());
  LeaseClient client_{*gateway_, nullptr};
  std::unique_ptr<storage::BlobStore> blobs_;
  std::unique_ptr<RouteTable> routes_;
  std::unique_ptr<LeaseDirectory> directory_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<LocalApi> api_;
  std::unique_ptr<http::Server> server_;
  std::string host_;
  std::vector<std::pair<std::string, std::string>> browser_;  // fields of every request
};

TEST_F(LocalApiTest, StatusAndPeers) {
  const auto status = request("GET", "/v1/status").value();
  EXPECT_EQ(status.at("id").as_string(), to_hex(crypto::node_id(node_key(9).public_key()).view()));
  EXPECT_EQ(status.at("chain").at("id").to_number<int>(), 7667);
  EXPECT_EQ(status.at("chain").at("height").to_number<std::uint64_t>(), chain_.ledger().head().number);
  EXPECT_TRUE(status.at("worker").is_null());
  EXPECT_EQ(status.at("gateway").as_string(), "http://127.0.0.1:8080");
  EXPECT_TRUE(request("GET", "/v1/peers").value().at("peers").is_array());
}

TEST_F(LocalApiTest, UnknownPathsAndForeignHosts) {
  const auto unknown = request("GET", "/v1/nothing");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.value().at("error").at("code").as_string(), "not-found");
  host_ = "evil.example:80";
  EXPECT_EQ(request("GET", "/v1/status").status, 401);
  host_ = "localhost:80";
  EXPECT_EQ(request("GET", "/v1/status").status, 200);
}

TEST_F(LocalApiTest, PagesOfOtherOriginsAreRefused) {
  host_ = "localhost:7070";
  const auto status = [this](std::vector<std::pair<std::string, std::string>> fields) {
    browser_ = std::move(fields);
    return request("GET", "/v1/status").status;
  };
  EXPECT_EQ(status({{"Origin", "http://evil.example"}}), 401);
  EXPECT_EQ(status({{"Origin", "null"}}), 401);
  EXPECT_EQ(status({{"Origin", "http://localhost:8080"}}), 401) << "the gateway's pages are strangers'";
  EXPECT_EQ(status({{"Origin", "http://localhost:7070"}}), 200);
  EXPECT_EQ(status({{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"}}), 401);
  EXPECT_EQ(status({{"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Mode", "no-cors"}}), 401);
  EXPECT_EQ(status({{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "iframe"}}),
            401);
  EXPECT_EQ(status({{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}, {"Sec-Fetch-Dest", "document"}}),
            200);
  EXPECT_EQ(status({{"Sec-Fetch-Site", "none"}}), 200) << "typed";
}

TEST_F(LocalApiTest, SmallBlobs) {
  const std::string content = "a workload document";
  const auto put = request("PUT", "/v1/blobs", {}, content);
  ASSERT_EQ(put.status, 201) << put.body;
  const std::string digest(put.value().at("sha256").as_string());
  EXPECT_EQ(digest, to_hex(crypto::sha256(as_bytes(content)).view()));
  EXPECT_EQ(request("GET", "/v1/blobs/" + digest).body, content);
  EXPECT_EQ(request("GET", "/v1/blobs/" + std::string(64, '0')).status, 404);
  EXPECT_EQ(request("GET", "/v1/blobs/xyz").status, 400);
  EXPECT_EQ(request("PUT", "/v1/blobs", {}, std::string(70'000, 'x')).status, 429);
}

TEST_F(LocalApiTest, LeasesAreForTheirUser) {
  const auto order = run_order(0);
  const std::string lease = "/v1/leases/" + std::to_string(live_lease(order));
  EXPECT_EQ(request("GET", lease).status, 401);
  EXPECT_EQ(request("GET", lease, 6).status, 403);
  EXPECT_EQ(request("GET", "/v1/leases/999", 5).status, 404);
  EXPECT_EQ(request("GET", "/v1/leases/abc", 5).status, 400);
  const auto inspected = request("GET", lease, 5);
  ASSERT_EQ(inspected.status, 200) << inspected.body;
  EXPECT_EQ(inspected.value().at("container").at("state").as_string(), "running");
  const auto logs = request("GET", lease + "/logs", 5);
  EXPECT_EQ(logs.status, 200);
  EXPECT_THAT(logs.body, HasSubstr("\"text\":\"line 2\""));
  EXPECT_EQ(request("GET", lease + "/connect/80", 5).status, 400);
  EXPECT_EQ(request("GET", lease + "/connect/99999", 5).status, 400);
}

TEST_F(LocalApiTest, ExecOverAWebSocket) {
  const auto order = run_order(0);
  const std::string path = "/v1/leases/" + std::to_string(live_lease(order)) + "/exec";
  http::Headers headers;
  headers.set("Authorization",
              sign_authorization(wallet(5).key, "GET", path, runtime::system_clock().unix_s()).value());
  const std::string url = "ws://127.0.0.1:" + std::to_string(server_->port()) + path;
  EXPECT_EQ(await(exec_through(url, headers)), "2:cat\n;1:hi;3:{\"exit_code\":7};");
  EXPECT_THAT(await(exec_through(url, http::Headers{})), HasSubstr("refused"));
}

TEST_F(LocalApiTest, ARouteIsForTheUserOfTheOrder) {
  const auto order = run_order(0);
  const auto body = [&](std::string name) {
    return json::serialize(
        json::object{{"order", order}, {"name", name}, {"publish", {json::object{{"listen", 0}, {"port", 80}}}}});
  };
  EXPECT_EQ(request("POST", "/v1/routes", {}, body("web")).status, 401);
  EXPECT_EQ(request("POST", "/v1/routes", 6, body("web")).status, 403);
  EXPECT_EQ(request("POST", "/v1/routes", 5, body("Web!")).status, 400);
  EXPECT_EQ(request("POST", "/v1/routes", 5, "{\"order\":1,\"nmae\":\"x\"}").status, 400);
  EXPECT_EQ(request("POST", "/v1/routes", 5, "{\"order\":99}").status, 404);
  EXPECT_EQ(request("POST", "/v1/routes", 5, "nonsense").status, 400);
  const auto made = request("POST", "/v1/routes", 5, body("web"));
  ASSERT_EQ(made.status, 201) << made.body;
  const auto port = made.value().at("publish").at(0).at("listen").to_number<std::uint16_t>();
  EXPECT_EQ(made.value().at("urls").at(0).as_string(), "http://127.0.0.1:" + std::to_string(port) + "/");
  EXPECT_EQ(await(echo_through(port, "hello")).value(), "hello");
  EXPECT_EQ(request("GET", "/v1/routes").value().at("routes").as_array().size(), 1u);
  EXPECT_EQ(request("DELETE", "/v1/routes/web", 6).status, 403);
  EXPECT_EQ(request("DELETE", "/v1/routes/web", 5).status, 200);
  EXPECT_EQ(request("DELETE", "/v1/routes/web", 5).status, 404);
  EXPECT_FALSE(await(echo_through(port, "hello")));
}

TEST_F(LocalApiTest, APortInUseIsAConflictAndChangesNothing) {
  const auto order = run_order(0);
  const std::uint16_t taken = server_->port();
  const auto made =
      request("POST", "/v1/routes", 5,
              json::serialize(json::object{
                  {"order", order}, {"name", "web"}, {"publish", {json::object{{"listen", taken}, {"port", 80}}}}}));
  EXPECT_EQ(made.status, 409);
  EXPECT_EQ(made.value().at("error").at("code").as_string(), "conflict");
  EXPECT_THAT(made.body, HasSubstr("in use"));
  EXPECT_TRUE(request("GET", "/v1/routes").value().at("routes").as_array().empty());
}

TEST_F(LocalApiTest, ARouteFollowsItsOrderToAnotherWorkerAndOverARestart) {
  const auto order = run_order(0);
  Route route;
  route.order = order;
  route.name = "web";
  route.user = wallet(5).address;
  route.publish = {{0, 80}};
  const auto published = await(publisher_->publish(route));
  ASSERT_TRUE(published) << published.error().message;
  const std::uint16_t port = published->publish[0].listen;
  EXPECT_EQ(await(echo_through(port, "one")).value(), "one");
  EXPECT_EQ(directory_->resolve("web")->default_port, 80);
  EXPECT_EQ(directory_->resolve("order-" + std::to_string(order))->lease, live_lease(order));

  // The first worker fails the lease; the order is matched again, with the second one.
  const auto first = live_lease(order);
  chain_.add_worker(wallet(2), node_key(2));
  ASSERT_TRUE(chain_.call(wallet(1), chain::kMarketAddress, api::encode::close_offer(1)).receipt.success);
  ASSERT_TRUE(chain_
                  .call(wallet(1), chain::kMarketAddress,
                        api::encode::lease_ended(first, api::EndReason::kHealthFailed, "broken"))
                  .receipt.success);
  chain_.mine();
  EXPECT_EQ(directory_->resolve(std::to_string(first))->state, net::LeaseState::kEnded);
  const auto second = live_lease(order);
  ASSERT_NE(second, 0u);
  EXPECT_EQ(directory_->resolve("web")->state, net::LeaseState::kStarting);
  start_lease(order, 1);
  EXPECT_EQ(directory_->resolve("web")->lease, second);
  EXPECT_EQ(await(echo_through(port, "two")).value(), "two");

  await_done(publisher_->stop());
  open_routes();
  EXPECT_EQ(await(echo_through(port, "three")).value(), "three");

  // It ends with the order.
  ASSERT_TRUE(chain_.call(wallet(5), chain::kMarketAddress, api::encode::stop(order)).receipt.success);
  await_done(publisher_->sweep());
  EXPECT_FALSE(routes_->find("web"));
  EXPECT_FALSE(await(echo_through(port, "four")));
}

TEST_F(LocalApiTest, AReplicaThatCannotBeReachedComesLast) {
  chain_.add_worker(wallet(1), node_key(1));
  chain_.add_worker(wallet(2), node_key(2));
  auto spec = TestChain::small_order();
  spec.replicas = 2;
  spec.distinct_operators = true;
  const auto order = chain_.order(wallet(5), spec);
  for (const auto& lease : views_.leases_of_order(order, views_.head()).value()) {
    const bool is_first = lease.worker == wallet(1).address;
    workers_[is_first ? 0 : 1].containers.leave(container_name(lease.id));
    ASSERT_TRUE(chain_.call(wallet(is_first ? 1 : 2), chain::kMarketAddress, api::encode::lease_started(lease.id, {80}))
                    .receipt.success);
  }
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 4; ++i) seen.insert(directory_->resolve_order(order)->lease);
  EXPECT_EQ(seen.size(), 2u);  // in turn
  network_.cut(crypto::node_id(node_key(1).public_key()), true);
  for (int i = 0; i < 4; ++i) {
    auto target = directory_->resolve_order(order).value();
    std::ignore = await(directory_->dial(target, 80));
  }
  std::set<NodeId> after;
  for (int i = 0; i < 4; ++i) after.insert(directory_->resolve_order(order)->worker);
  EXPECT_EQ(after, std::set<NodeId>{crypto::node_id(node_key(2).public_key())});
}

}  // namespace
}  // namespace bonus::node
