// The proxy between real clients and real servers on the loopback; only the lookup of leases is a fake.
#include "bonus/net/gateway/proxy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <map>
#include <thread>

namespace bonus::net::gateway {
namespace {

namespace asio = boost::asio;
namespace http = runtime::http;
using runtime::ByteStream;
using runtime::Task;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Leases by name; a port of a container is a port of the loopback.
class FakeResolver final : public LeaseResolver {
 public:
  struct Entry {
    LeaseTarget target;
    std::map<std::uint16_t, std::uint16_t> ports;
    bool hangs = false;
  };
  Task<Result<LeaseTarget>> find(std::string name) override {
    const auto found = leases.find(name);
    if (found == leases.end()) co_return fail(ErrorCode::kNotFound, "no order or lease has this name");
    co_return found->second.target;
  }
  Task<Result<std::unique_ptr<ByteStream>>> dial(LeaseTarget target, std::uint16_t port) override {
    const auto& entry = leases.at(target.name);
    if (entry.hangs) {
      auto slept = co_await runtime::sleep_for(std::chrono::hours(1));
      co_return fail(ErrorCode::kInternal, "woke up");
    }
    const auto mapped = entry.ports.find(port);
    if (mapped == entry.ports.end()) co_return fail(ErrorCode::kUnavailable, "connection refused by the container");
    co_return co_await runtime::connect_tcp("127.0.0.1", mapped->second, std::chrono::seconds(5));
  }
  std::map<std::string, Entry> leases;
};

constexpr std::size_t kLarge = 50 << 20;
/// A stream of bytes that both ends can compute without holding it; its period is a prime, so that no block repeats.
class Pattern {
 public:
  Pattern() : bytes_(65'521) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::uint8_t>(i * i >> 3);
  }
  void fill(std::span<std::uint8_t> out, std::size_t at) const {
    while (!out.empty()) {
      const auto part = piece(at, out.size());
      std::ranges::copy(part, out.begin());
      out = out.subspan(part.size());
      at += part.size();
    }
  }
  [[nodiscard]] bool matches(BytesView in, std::size_t at) const {
    while (!in.empty()) {
      const auto part = piece(at, in.size());
      if (std::memcmp(part.data(), in.data(), part.size()) != 0) return false;
      in = in.subspan(part.size());
      at += part.size();
    }
    return true;
  }

 private:
  [[nodiscard]] BytesView piece(std::size_t at, std::size_t limit) const {
    const auto start = at % bytes_.size();
    return BytesView(bytes_).subspan(start, std::min(limit, bytes_.size() - start));
  }
  Bytes bytes_;
};
const Pattern kPattern;

Task<> show_request(http::Exchange& exchange) {
  auto body = co_await exchange.read_all(1 << 20);
  const auto& request = exchange.request();
  std::string text = request.method + " " + request.target + "\n";
  for (const auto& [name, value] : request.headers.all()) text += name + ": " + value + "\n";
  if (body) text += "[" + std::string(as_text(*body)) + "]";
  auto sent = co_await http::respond_text(exchange, 200, std::move(text));
}

/// Echoes while it reads: a proxy that forwards one direction after the other would stand still.
Task<> echo_stream(http::Exchange& exchange) {
  http::Headers headers;
  headers.set("Content-Type", "application/octet-stream");
  if (auto started = co_await exchange.start(200, headers); !started) co_return;
  Bytes piece(64 << 10);
  for (;;) {
    auto n = co_await exchange.read(piece);
    if (!n) co_return;
    if (*n == 0) break;
    if (auto sent = co_await exchange.write(BytesView(piece).first(*n)); !sent) co_return;
  }
  auto finished = co_await exchange.finish();
}

Task<> echo_websocket(http::Exchange& exchange) {
  auto socket = co_await exchange.accept_websocket(1 << 20);
  if (!socket) co_return;
  for (;;) {
    auto message = co_await (*socket)->read();
    if (!message) co_return;
    if (auto sent = co_await (*socket)->write(message->data, message->text); !sent) co_return;
  }
}

Task<> container(http::Exchange& exchange) {
  const auto path = exchange.request().path;
  if (path == "/echo") {
    co_await echo_stream(exchange);
  } else if (path == "/ws") {
    co_await echo_websocket(exchange);
  } else if (path == "/silent") {
    auto slept = co_await runtime::sleep_for(std::chrono::hours(1));
  } else if (path == "/redirect") {
    http::Headers headers;
    headers.set("Location", "/login");
    auto sent = co_await exchange.respond(302, headers, Bytes());
  } else if (path == "/greedy") {
    http::Headers headers;
    headers.set("Service-Worker-Allowed", "/");
    headers.set("Clear-Site-Data", "*");
    auto sent = co_await exchange.respond(200, headers, Bytes());
  } else if (path == "/cut") {
    auto started = co_await exchange.start(200, http::Headers());
    auto wrote = co_await exchange.write(as_bytes("half"));
  } else if (path == "/refuse") {
    auto sent = co_await http::respond_text(exchange, 413, "too large");  // without reading the body
  } else if (path == "/empty") {
    auto sent = co_await exchange.respond(204, http::Headers(), Bytes());
  } else {
    co_await show_request(exchange);
  }
}

class ProxyTest : public ::testing::Test {
 protected:
  ProxyTest() : work_(context_.get_executor()) {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { context_.run(); });
    container_ = listen([](http::Exchange& exchange) { return container(exchange); });
    auto& web = resolver_.leases["web"];
    web.target.name = "web";
    web.target.state = LeaseState::kRunning;
    web.ports[80] = container_->port();
    web.ports[9000] = container_->port();
    start({});
  }
  ~ProxyTest() override {
    stop(gateway_);
    stop(container_);
    work_.reset();
    context_.stop();
    for (auto& thread : threads_) thread.join();
  }
  std::unique_ptr<http::Server> listen(http::Handler handler) {
    auto server = http::Server::listen(context_.get_executor(), {}, std::move(handler));
    EXPECT_TRUE(server);
    return std::move(*server);
  }
  void start(GatewayOptions options) {
    stop(gateway_);
    proxy_ = std::make_unique<GatewayProxy>(resolver_, std::move(options));
    gateway_ = listen([this](http::Exchange& exchange) { return proxy_->handle(exchange); });
  }
  void stop(std::unique_ptr<http::Server>& server) {
    if (!server) return;
    server->stop();
    run(server->join());
    server.reset();
  }
  template <class T>
  T run(Task<T> task) {
    return asio::co_spawn(asio::make_strand(context_), std::move(task), asio::use_future).get();
  }
  http::ClientRequest to(std::string host, std::string path) {
    http::ClientRequest out;
    out.url = "http://127.0.0.1:" + std::to_string(gateway_->port()) + path;
    out.headers.set("Host", std::move(host));
    return out;
  }
  static std::string sent(http::ClientRequest request) {
    const auto out = http::send_blocking(std::move(request));
    return out ? std::to_string(out->status) + " " + std::string(as_text(out->body)) : out.error().to_string();
  }

  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
  FakeResolver resolver_;
  std::unique_ptr<GatewayProxy> proxy_;
  std::unique_ptr<http::Server> container_, gateway_;
};

TEST_F(ProxyTest, ForwardsByHostAndByPath) {
  auto request = to("web.localhost:1234", "/a%20b?c=d");
  request.method = "POST";
  request.body = Bytes{'x', 'y'};
  const auto by_host = sent(request);
  EXPECT_THAT(by_host, StartsWith("200 POST /a%20b?c=d\n"));
  EXPECT_THAT(by_host, HasSubstr("[xy]"));
  EXPECT_THAT(by_host, HasSubstr("Host: web.localhost:1234\n"));
  EXPECT_THAT(by_host, HasSubstr("X-Forwarded-For: 127.0.0.1\n"));
  const auto by_path = sent(to("127.0.0.1", "/l/web/x?y"));
  EXPECT_THAT(by_path, StartsWith("200 GET /x?y\n"));
  EXPECT_THAT(by_path, HasSubstr("X-Forwarded-Prefix: /l/web\n"));
  EXPECT_THAT(sent(to("9000-web.localhost", "/")), StartsWith("200 GET /\n"));
}

TEST_F(ProxyTest, ClientsCannotSayWhoTheyAre) {
  const auto request = [this] {
    auto out = to("web.localhost", "/");
    for (const char* name : {"Forwarded", "X-Real-IP", "X-Forwarded-For"}) out.headers.set(name, "for=10.6.6.6");
    return out;
  };
  const auto got = sent(request());
  EXPECT_THAT(got, HasSubstr("X-Forwarded-For: 127.0.0.1\n"));
  EXPECT_THAT(got, ::testing::Not(HasSubstr("10.6.6.6")));
  GatewayOptions trusting;
  trusting.trust_forwarded = true;
  start(trusting);
  EXPECT_THAT(sent(request()), HasSubstr("Forwarded: for=10.6.6.6\n"));
}

TEST_F(ProxyTest, ALeaseByPathDoesNotRuleTheOthersOfItsOrigin) {
  const auto by_path = http::send_blocking(to("127.0.0.1", "/l/web/greedy"));
  ASSERT_TRUE(by_path);
  EXPECT_EQ(by_path->headers.get("Service-Worker-Allowed"), std::nullopt);
  EXPECT_EQ(by_path->headers.get("Clear-Site-Data"), std::nullopt);
  const auto by_host = http::send_blocking(to("web.localhost", "/greedy"));
  ASSERT_TRUE(by_host);
  EXPECT_EQ(by_host->headers.get("Service-Worker-Allowed"), "/") << "an origin of its own";
}

TEST_F(ProxyTest, RedirectsFitTheAddress) {
  const auto slash = http::send_blocking(to("127.0.0.1", "/l/web?q"));
  ASSERT_TRUE(slash);
  EXPECT_EQ(slash->status, 308);
  EXPECT_EQ(slash->headers.get("Location"), "/l/web/?q");
  const auto inner = http::send_blocking(to("127.0.0.1", "/l/web/redirect"));
  ASSERT_TRUE(inner);
  EXPECT_EQ(inner->status, 302);
  EXPECT_EQ(inner->headers.get("Location"), "/l/web/login");
}

TEST_F(ProxyTest, HeadAndEmptyAnswersPass) {
  auto request = to("web.localhost", "/");
  request.method = "HEAD";
  const auto head = http::send_blocking(request);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 200);
  EXPECT_TRUE(head->headers.get("Content-Length"));
  EXPECT_EQ(sent(to("web.localhost", "/empty")), "204 ");
}

TEST_F(ProxyTest, ProblemsAreExplained) {
  EXPECT_THAT(sent(to("localhost", "/")),
              StartsWith("404 {\"error\":{\"status\":404,\"code\":\"no_lease_in_address\""));
  EXPECT_THAT(sent(to("nope.localhost", "/")), HasSubstr("lease_not_found"));
  auto browser = to("nope.localhost", "/");
  browser.headers.set("Accept", "text/html");
  EXPECT_THAT(sent(browser), StartsWith("404 <!doctype html>"));
  auto& starting = resolver_.leases["soon"].target;
  starting.name = "soon";
  starting.reason = "pulling the image";
  EXPECT_THAT(sent(to("soon.localhost", "/")),
              ::testing::AllOf(StartsWith("503"), HasSubstr("lease_starting"), HasSubstr("pulling the image")));
  auto& ended = resolver_.leases["past"].target;
  ended.state = LeaseState::kEnded;
  ended.reason = "the deposit ran out";
  EXPECT_THAT(sent(to("past.localhost", "/")), ::testing::AllOf(StartsWith("503"), HasSubstr("lease_ended"),
                                                                HasSubstr("deposit"), HasSubstr("bonus run")));
  EXPECT_THAT(sent(to("81-web.localhost", "/")),
              ::testing::AllOf(StartsWith("502"), HasSubstr("target_down"), HasSubstr("Port 81")));
}

TEST_F(ProxyTest, TimeoutsGet504) {
  GatewayOptions options;
  options.dial_timeout = std::chrono::milliseconds(50);
  options.response_timeout = std::chrono::milliseconds(50);
  start(options);
  auto& stuck = resolver_.leases["stuck"];
  stuck.target.name = "stuck";
  stuck.target.state = LeaseState::kRunning;
  stuck.hangs = true;
  EXPECT_THAT(sent(to("stuck.localhost", "/")), StartsWith("504"));
  EXPECT_THAT(sent(to("web.localhost", "/silent")), ::testing::AllOf(StartsWith("504"), HasSubstr("target_timeout")));
}

TEST_F(ProxyTest, ADeadContainerGets502) {
  stop(container_);
  EXPECT_THAT(sent(to("web.localhost", "/")), StartsWith("502"));
}

TEST_F(ProxyTest, CutAnswersAreNotMadeComplete) {
  const auto out = http::send_blocking(to("web.localhost", "/cut"));
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, ErrorCode::kUnavailable);
}

Task<Result<std::size_t>> pattern_source(std::shared_ptr<std::size_t> at, std::span<std::uint8_t> out) {
  const auto n = std::min(out.size(), kLarge - *at);
  kPattern.fill(out.first(n), *at);
  *at += n;
  co_return n;
}

Task<Result<>> send_pattern(http::ClientCall& call) {
  const auto at = std::make_shared<std::size_t>(0);
  Bytes piece(64 << 10);
  for (;;) {
    auto n = co_await pattern_source(at, piece);
    if (!n || *n == 0) break;
    auto wrote = co_await call.write(BytesView(piece).first(*n));
    if (!wrote) co_return wrote;
  }
  co_return co_await call.finish();
}

struct Received {
  std::size_t bytes = 0;
  bool good = true;
  std::string error;
};
Task<Received> receive_pattern(http::ClientCall& call) {
  Received out;
  auto response = co_await call.response();
  if (!response) {
    out.error = response.error().to_string();
    co_return out;
  }
  Bytes piece(64 << 10);
  for (;;) {
    auto n = co_await (*response)->read(piece);
    if (!n) out.error = n.error().to_string();
    if (!n || *n == 0) break;
    out.good = out.good && kPattern.matches(BytesView(piece).first(*n), out.bytes);
    out.bytes += *n;
  }
  co_return out;
}

Task<Received> echo_large(std::uint16_t port, bool chunked) {
  Received out;
  auto stream = co_await runtime::connect_tcp("127.0.0.1", port, std::chrono::seconds(5));
  if (!stream) {
    out.error = stream.error().to_string();
    co_return out;
  }
  http::ClientRequest request;
  request.method = "PUT";
  request.url = "http://web.localhost/echo";
  const auto unused = std::make_shared<std::size_t>(kLarge);
  request.body_source = [unused](std::span<std::uint8_t> span) { return pattern_source(unused, span); };
  if (!chunked) request.content_length = kLarge;
  auto call = co_await http::open_call(std::move(*stream), request);
  if (!call) {
    out.error = call.error().to_string();
    co_return out;
  }
  using namespace asio::experimental::awaitable_operators;
  auto sending = send_pattern(**call);
  auto receiving = receive_pattern(**call);
  auto [sent, received] = co_await (std::move(sending) && std::move(receiving));
  if (!sent) received.error += sent.error().to_string();
  co_return received;
}

TEST_F(ProxyTest, StreamsFiftyMegabytesBothWaysAtOnce) {
  for (const bool chunked : {false, true}) {
    const auto out = run(echo_large(gateway_->port(), chunked));
    EXPECT_EQ(out.error, "");
    EXPECT_EQ(out.bytes, kLarge);
    EXPECT_TRUE(out.good);
  }
}

TEST_F(ProxyTest, AnEarlyAnswerEndsTheUpload) {
  auto request = to("web.localhost", "/refuse");
  request.method = "PUT";
  request.content_length = kLarge;
  const auto at = std::make_shared<std::size_t>(0);
  request.body_source = [at](std::span<std::uint8_t> span) { return pattern_source(at, span); };
  EXPECT_THAT(sent(std::move(request)), StartsWith("413"));
}

Task<std::string> websocket_talk(std::string url) {
  http::Headers headers;
  headers.set("Host", "web.localhost");
  auto socket = co_await http::connect_websocket(url, headers, 1 << 20);
  if (!socket) co_return socket.error().to_string();
  const std::string large(300'000, 'x');
  std::size_t echoed = 0;
  for (const std::string_view text : {std::string_view("hello"), std::string_view(large)}) {
    auto wrote = co_await (*socket)->write(as_bytes(text), true);
    auto message = co_await (*socket)->read();
    if (!message) co_return message.error().to_string();
    if (as_text(message->data) == text) echoed += text.size();
  }
  co_return std::to_string(echoed);
}

TEST_F(ProxyTest, WebSocketsPassThrough) {
  const auto base = "ws://127.0.0.1:" + std::to_string(gateway_->port());
  EXPECT_EQ(run(websocket_talk(base + "/ws")), "300005");
  EXPECT_THAT(run(websocket_talk(base + "/nothing")), HasSubstr("answered 200"));
}

TEST_F(ProxyTest, RequestsAtOnceAreBounded) {
  GatewayOptions options;
  options.max_requests = 1;
  start(options);
  asio::io_context local;
  asio::ip::tcp::socket first(local);
  first.connect({asio::ip::address_v4::loopback(), gateway_->port()});
  asio::write(first, asio::buffer(std::string_view("GET /silent HTTP/1.1\r\nHost: web.localhost\r\n\r\n")));
  while (proxy_->active() == 0) std::this_thread::yield();
  EXPECT_THAT(sent(to("web.localhost", "/")), ::testing::AllOf(StartsWith("503"), HasSubstr("gateway_busy")));
}

}  // namespace
}  // namespace bonus::net::gateway
