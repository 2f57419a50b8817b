// The server and the client against each other and against raw sockets on the loopback.
#include "bonus/runtime/http/http.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <thread>

namespace bonus::runtime::http {
namespace {

namespace net = boost::asio;
using testing::HasSubstr;
using testing::StartsWith;

/// An io_context with two threads, as the node has.
class HttpTest : public testing::Test {
 protected:
  HttpTest() : work_(net::make_work_guard(context_)) {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { context_.run(); });
  }
  ~HttpTest() override {
    if (server_) {
      server_->stop();
      run(server_->join());
    }
    server_.reset();
    work_.reset();
    context_.stop();
    for (auto& thread : threads_) thread.join();
  }
  template <class T>
  T run(Task<T> task) {
    return net::co_spawn(net::make_strand(context_), std::move(task), net::use_future).get();
  }
  void serve(Handler handler, ServerOptions options = {}) {
    auto server = Server::listen(context_.get_executor(), std::move(options), std::move(handler));
    ASSERT_TRUE(server) << server.error().to_string();
    server_ = std::move(*server);
  }
  std::string url(std::string path) { return "http://127.0.0.1:" + std::to_string(server_->port()) + path; }
  net::ip::tcp::socket raw() {
    net::ip::tcp::socket socket(client_context_);
    socket.connect({net::ip::address_v4::loopback(), server_->port()});
    return socket;
  }
  /// Sends bytes and reads to the end of the connection.
  std::string talk(std::string_view text) {
    auto socket = raw();
    boost::system::error_code error;
    net::write(socket, net::buffer(text), error);
    std::string out;
    net::read(socket, net::dynamic_buffer(out), error);
    return out;
  }

  net::io_context context_;
  net::io_context client_context_;
  net::executor_work_guard<net::io_context::executor_type> work_;
  std::vector<std::thread> threads_;
  std::unique_ptr<Server> server_;
};

std::string text_of(const Bytes& bytes) { return std::string(as_text(bytes)); }

Task<> echo_handler(Exchange& exchange) {
  auto body = co_await exchange.read_all(1 << 20);
  if (!body) {
    auto ignored = co_await respond_text(exchange, 413, body.error().message);
    co_return;
  }
  const auto& request = exchange.request();
  std::string text = request.method + " " + request.path;
  for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
  text += " [" + std::string(as_text(*body)) + "]";
  auto sent = co_await respond_text(exchange, 200, text);
}

TEST_F(HttpTest, RequestAndResponse) {
  serve(echo_handler);
  ClientRequest request;
  request.method = "POST";
  request.url = url("/a%20b/c?x=1&y=a+b%2F&x=2");
  request.body = Bytes{'h', 'i'};
  const auto response = send_blocking(request);
  ASSERT_TRUE(response) << response.error().to_string();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(text_of(response->body), "POST /a b/c x=2 y=a b/ [hi]");
  EXPECT_EQ(response->headers.get("content-type"), "text/plain; charset=utf-8");
  EXPECT_TRUE(response->headers.get("DATE"));
}

TEST_F(HttpTest, HeadHasLengthButNoBody) {
  serve(echo_handler);
  ClientRequest request;
  request.method = "HEAD";
  request.url = url("/x");
  const auto response = send_blocking(request);
  ASSERT_TRUE(response) << response.error().to_string();
  EXPECT_EQ(response->headers.get("Content-Length"), "10");
  EXPECT_TRUE(response->body.empty());
}

TEST_F(HttpTest, KeepAliveCarriesPipelinedRequests) {
  serve(echo_handler);
  const auto out = talk(
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: "
      "close\r\n\r\n2\r\nxy\r\n1;q=1\r\nz\r\n0\r\nT: 1\r\n\r\n");
  EXPECT_THAT(out, HasSubstr("GET /1 []"));
  EXPECT_THAT(out, HasSubstr("POST /2 [abc]"));
  EXPECT_THAT(out, HasSubstr("POST /3 [xyz]"));
  EXPECT_THAT(out, HasSubstr("Connection: close"));
}

TEST_F(HttpTest, OldClientsGetTheirConnectionClosed) {
  serve(echo_handler);
  const auto out = talk("GET /1 HTTP/1.0\r\n\r\n");
  EXPECT_THAT(out, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(out, HasSubstr("Connection: close"));
}

TEST_F(HttpTest, ExpectContinueIsAnsweredAtTheFirstRead) {
  serve(echo_handler);
  const auto out =
      talk("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_THAT(out, StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK"));
}

Task<> refuse_unread(Exchange& exchange) { auto sent = co_await respond_text(exchange, 403, "no"); }

TEST_F(HttpTest, AnUnreadBodyDoesNotBecomeTheNextRequest) {
  serve(refuse_unread);
  const auto small = talk(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 23\r\n\r\nGET /evil HTTP/1.1\r\nX: yGET / HTTP/1.1\r\nHost: "
      "b\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(small.find("HTTP/1.1 403", 5) == std::string::npos, false);
  const auto expecting = talk("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 23\r\n\r\n");
  EXPECT_THAT(expecting, StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(expecting, HasSubstr("Connection: close"));
}

TEST_F(HttpTest, MalformedRequestsGet400) {
  std::atomic<int> handled = 0;
  serve([&handled](Exchange& exchange) {
    ++handled;
    return echo_handler(exchange);
  });
  for (const std::string_view bad :
       {"nonsense\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nx"}) {
    EXPECT_THAT(talk(bad), StartsWith("HTTP/1.1 400 Bad Request\r\n")) << bad;
  }
  EXPECT_EQ(handled, 0);
}

TEST_F(HttpTest, BrokenChunksFailTheRead) {
  serve(echo_handler);
  EXPECT_THAT(talk("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), HasSubstr("413"));
}

TEST_F(HttpTest, TooLargeHeadersGet431) {
  ServerOptions options;
  options.max_header_bytes = 2048;
  serve(echo_handler, options);
  EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(4000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(talk("GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n"), StartsWith("HTTP/1.1 431"));
  std::string many = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 500; ++i) many += "X: y\r\n";
  EXPECT_THAT(talk(many + "\r\n"), StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: " + std::string(1500, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpTest, TooManyConnectionsAreRefused) {
  ServerOptions options;
  options.max_connections = 2;
  serve(echo_handler, options);
  const std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  std::array<char, 16> head{};
  auto first = raw();
  auto second = raw();
  for (auto* socket : {&first, &second}) {  // an answer proves that the connection was accepted
    net::write(*socket, net::buffer(request));
    net::read(*socket, net::buffer(head));
  }
  std::string out;
  boost::system::error_code error;
  auto third = raw();
  net::read(third, net::dynamic_buffer(out), error);
  EXPECT_THAT(out, StartsWith("HTTP/1.1 503"));
  first.close();
  // The place becomes free when the server has noticed; each attempt is a whole connection.
  bool again = false;
  for (int i = 0; i < 1000 && !again; ++i)
    again = talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200");
  EXPECT_TRUE(again);
}

TEST_F(HttpTest, IdleConnectionsAreClosed) {
  ServerOptions options;
  options.idle_timeout = std::chrono::milliseconds(50);
  serve(echo_handler, options);
  EXPECT_EQ(talk(""), "");                      // says nothing
  EXPECT_EQ(talk("GET / HTTP/1.1\r\nHo"), "");  // stops in the middle of its head
}

constexpr std::size_t kHuge = 100 << 20;

/// A stream of bytes that both ends can compute, without holding it.
std::uint8_t pattern(std::size_t at) { return static_cast<std::uint8_t>(at * 31 + (at >> 16)); }
void fill_pattern(std::span<std::uint8_t> out, std::size_t at) {
  for (auto& byte : out) byte = pattern(at++);
}
struct Check {
  std::size_t at = 0;
  bool good = true;
  void take(BytesView in) {
    for (const auto byte : in) good = good && byte == pattern(at++);
  }
};

Task<> huge_handler(Exchange& exchange) {
  Check check;
  Bytes part(64 << 10);
  for (;;) {
    auto n = co_await exchange.read(part);
    if (!n || *n == 0) break;
    check.take(BytesView(part).first(*n));
  }
  Headers headers;
  headers.set("X-Received", std::to_string(check.at) + (check.good ? " good" : " bad"));
  if (exchange.request().path == "/length") headers.set("Content-Length", std::to_string(kHuge));
  auto started = co_await exchange.start(200, headers);
  for (std::size_t at = 0; at < kHuge; at += part.size()) {
    fill_pattern(part, at);
    auto sent = co_await exchange.write(part);
    if (!sent) co_return;
  }
  auto finished = co_await exchange.finish();
}

Task<Result<std::size_t>> pattern_source(std::shared_ptr<std::size_t> at, std::span<std::uint8_t> out) {
  const auto n = std::min(out.size(), kHuge - *at);
  fill_pattern(out.first(n), *at);
  *at += n;
  co_return n;
}

struct HugeResult {
  std::string received;
  Check check;
  std::string error;
};
Task<HugeResult> huge_exchange(ClientRequest request) {
  HugeResult out;
  const auto at = std::make_shared<std::size_t>(0);
  request.body_source = [at](std::span<std::uint8_t> span) { return pattern_source(at, span); };
  auto response = co_await send(std::move(request));
  if (!response) {
    out.error = response.error().to_string();
    co_return out;
  }
  out.received = (*response)->headers().get("X-Received").value_or("");
  Bytes part(64 << 10);
  for (;;) {
    auto n = co_await (*response)->read(part);
    if (!n) out.error = n.error().to_string();
    if (!n || *n == 0) break;
    out.check.take(BytesView(part).first(*n));
  }
  co_return out;
}

long peak_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST_F(HttpTest, StreamsAHundredMegabytesBothWaysInBoundedMemory) {
  serve(huge_handler);
  const long before = peak_kib();
  for (const bool chunked : {false, true}) {
    ClientRequest request;
    request.method = "PUT";
    request.url = url(chunked ? "/chunked" : "/length");
    if (!chunked) request.content_length = kHuge;
    const auto result = run(huge_exchange(std::move(request)));
    EXPECT_EQ(result.error, "");
    EXPECT_EQ(result.received, std::to_string(kHuge) + " good");
    EXPECT_EQ(result.check.at, kHuge);
    EXPECT_TRUE(result.check.good);
  }
#if !__has_feature(address_sanitizer)  // it keeps freed memory in quarantine
  EXPECT_LT(peak_kib() - before, 24 << 10) << "the body was buffered somewhere";
#else
  EXPECT_LT(peak_kib() - before, 512 << 10);
#endif
}

Task<> misbehaving(Exchange& exchange) {
  const auto path = exchange.request().path;
  if (path == "/silent") co_return;
  if (path == "/throw") throw std::runtime_error("bug");
  Headers headers;
  if (path == "/short") headers.set("Content-Length", "10");
  if (path == "/inject") headers.set("X-A", "b\r\nX-Evil: 1");
  auto started = co_await exchange.start(200, headers);
  if (!started) co_return;
  auto wrote = co_await exchange.write(as_bytes("abc"));
}

TEST_F(HttpTest, HandlersThatMisbehaveHurtOnlyTheirRequest) {
  serve(misbehaving);
  for (const auto* path : {"/silent", "/throw", "/inject"}) {
    ClientRequest request;
    request.url = url(path);
    const auto response = send_blocking(request);
    ASSERT_TRUE(response) << path << response.error().to_string();
    EXPECT_EQ(response->status, 500) << path;
    EXPECT_FALSE(response->headers.get("X-Evil"));
  }
  for (const auto* path : {"/short", "/unfinished"}) {
    ClientRequest request;
    request.url = url(path);
    const auto response = send_blocking(request);
    ASSERT_FALSE(response) << path;
    EXPECT_EQ(response.error().code, ErrorCode::kUnavailable) << path;
  }
}

Task<> socket_handler(Exchange& exchange) {
  if (!exchange.wants_upgrade()) {
    auto sent = co_await respond_text(exchange, 426, "upgrade, please");
    co_return;
  }
  if (exchange.request().headers.get("Upgrade") == "shout") {
    auto stream = co_await exchange.upgrade(Headers());
    if (!stream) co_return;
    Bytes part(100);
    for (;;) {
      auto n = co_await (*stream)->read(part);
      if (!n || *n == 0) co_return;
      for (auto& byte : std::span(part).first(*n)) byte = static_cast<std::uint8_t>(std::toupper(byte));
      auto wrote = co_await (*stream)->write(BytesView(part).first(*n));
      if (!wrote) co_return;
    }
  }
  auto socket = co_await exchange.accept_websocket(1 << 16);
  if (!socket) co_return;
  for (;;) {
    auto message = co_await (*socket)->read();
    if (!message) co_return;
    auto wrote = co_await (*socket)->write(message->data, message->text);
    if (!wrote) co_return;
  }
}

Task<std::string> websocket_talk(std::string url) {
  auto socket = co_await connect_websocket(url, Headers(), 1 << 20);
  if (!socket) co_return socket.error().to_string();
  std::string out;
  for (const std::string_view text : {"one", "two"}) {
    auto wrote = co_await (*socket)->write(as_bytes(text), true);
    if (!wrote) co_return wrote.error().to_string();
    auto message = co_await (*socket)->read();
    if (!message) co_return message.error().to_string();
    out += std::string(as_text(message->data)) + (message->text ? "t " : "b ");
  }
  const Bytes large(100'000, 7);  // above the server's limit
  auto wrote = co_await (*socket)->write(large, false);
  auto message = co_await (*socket)->read();
  co_return out + (message ? "echoed" : "closed");
}

TEST_F(HttpTest, WebSocketEchoes) {
  serve(socket_handler);
  EXPECT_EQ(run(websocket_talk(url("/ws"))), "onet twot closed");
}

TEST_F(HttpTest, WebSocketRefusalsAreClear) {
  serve(refuse_unread);
  EXPECT_THAT(run(websocket_talk(url("/ws"))), HasSubstr("answered 403"));
  EXPECT_THAT(run(websocket_talk("wss://127.0.0.1/")), HasSubstr("TLS"));
}

TEST_F(HttpTest, WebSocketHandshakesAreChecked) {
  serve(socket_handler);
  EXPECT_THAT(talk("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\nUpgrade: "
                   "websocket\r\nSec-WebSocket-Version: 13\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpTest, UpgradePassesBytesBothWays) {
  serve(socket_handler);
  auto socket = raw();
  // The first bytes of the new protocol arrive together with the request.
  const std::string_view text = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: shout\r\n\r\nearly ";
  net::write(socket, net::buffer(text));
  std::string out;
  net::read_until(socket, net::dynamic_buffer(out), "EARLY ");
  EXPECT_THAT(out, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_THAT(out, HasSubstr("Upgrade: shout\r\n"));
  net::write(socket, net::buffer(std::string_view("late")));
  socket.shutdown(net::ip::tcp::socket::shutdown_send);
  boost::system::error_code error;
  net::read(socket, net::dynamic_buffer(out), error);
  EXPECT_THAT(out, HasSubstr("EARLY LATE"));
}

Task<std::string> upgrade_by_client(std::uint16_t port) {
  auto stream = co_await connect_tcp("127.0.0.1", port, std::chrono::seconds(5));
  if (!stream) co_return stream.error().to_string();
  ClientRequest request;
  request.url = "http://x/";
  request.headers.set("Connection", "Upgrade");
  request.headers.set("Upgrade", "shout");
  auto response = co_await send_over(std::move(*stream), request);
  if (!response) co_return response.error().to_string();
  if ((*response)->status() != 101) co_return "status " + std::to_string((*response)->status());
  auto upgraded = (*response)->take_stream();
  auto wrote = co_await upgraded->write(as_bytes("over"));
  Bytes part(10);
  auto n = co_await upgraded->read(part);
  co_return n ? std::string(as_text(BytesView(part).first(*n))) : n.error().to_string();
}

TEST_F(HttpTest, ClientUpgradesOverAGivenStream) {
  serve(socket_handler);
  EXPECT_EQ(run(upgrade_by_client(server_->port())), "OVER");
}

TEST_F(HttpTest, ClientErrorsAreClear) {
  serve(echo_handler);
  const auto port = server_->port();
  const auto error_of = [](const std::string& where) {
    ClientRequest request;
    request.url = where;
    request.timeout = std::chrono::seconds(5);
    const auto result = send_blocking(request);
    return result ? std::string("no error") : result.error().to_string();
  };
  EXPECT_THAT(error_of("localhost"), HasSubstr("scheme"));
  EXPECT_THAT(error_of("http://"), HasSubstr("host is missing"));
  EXPECT_THAT(error_of("http://a:99999/"), HasSubstr("port"));
  EXPECT_THAT(error_of("http://a/ b"), HasSubstr("spaces"));
  EXPECT_THAT(error_of("https://127.0.0.1/"), HasSubstr("TLS"));
  EXPECT_THAT(error_of("ftp://127.0.0.1/"), HasSubstr("only http"));
  server_->stop();
  run(server_->join());
  EXPECT_THAT(error_of("http://127.0.0.1:" + std::to_string(port) + "/"),
              HasSubstr("127.0.0.1:" + std::to_string(port)));
  ClientRequest request;
  request.url = "http://localhost/";
  request.unix_socket = "/nonexistent/socket";
  const auto result = send_blocking(request);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().to_string(), HasSubstr("/nonexistent/socket"));
}

/// Accepts one connection, reads its head, answers with the text and closes.
class OneAnswer {
 public:
  template <class Acceptor>
  OneAnswer(Acceptor acceptor, std::string text)
      : thread_([acceptor = std::move(acceptor), text = std::move(text)]() mutable {
          boost::system::error_code error;
          auto socket = acceptor.accept(error);
          std::string request;
          net::read_until(socket, net::dynamic_buffer(request), "\r\n\r\n", error);
          net::write(socket, net::buffer(text), error);
        }) {}
  ~OneAnswer() { thread_.join(); }

 private:
  std::thread thread_;
};

TEST_F(HttpTest, ClientChecksWhatServersSay) {
  const auto answer_to = [this](std::string text) {
    net::ip::tcp::acceptor acceptor(client_context_, {net::ip::address_v4::loopback(), 0});
    ClientRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/";
    const OneAnswer server(std::move(acceptor), std::move(text));
    const auto result = send_blocking(request, 100);
    return result ? std::to_string(result->status) + " " + text_of(result->body)
                  : std::string(to_string(result.error().code));
  };
  EXPECT_EQ(answer_to("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "200 ok");
  EXPECT_EQ(answer_to("HTTP/1.1 200 OK\r\n\r\nuntil the end"), "200 until the end");
  EXPECT_EQ(answer_to("HTTP/1.1 204 No Content\r\n\r\n"), "204 ");
  const std::string unavailable(to_string(ErrorCode::kUnavailable));
  EXPECT_EQ(answer_to("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok"), unavailable);
  EXPECT_EQ(answer_to(""), unavailable);
  EXPECT_EQ(answer_to("SSH-2.0-nope\r\n\r\n"), to_string(ErrorCode::kInvalid));
  EXPECT_EQ(answer_to("HTTP/1.1 200 OK\r\n\r\n" + std::string(101, 'x')), to_string(ErrorCode::kExhausted));
  EXPECT_EQ(answer_to("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n"),
            to_string(ErrorCode::kExhausted));
}

TEST_F(HttpTest, UnixSocketsWork) {
  const std::string path = testing::TempDir() + "bonus_http_" + std::to_string(::getpid()) + ".sock";
  ::unlink(path.c_str());
  net::local::stream_protocol::acceptor acceptor(client_context_, path);
  const OneAnswer server(std::move(acceptor), "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nunix");
  ClientRequest request;
  request.url = "http://docker/info";
  request.unix_socket = path;
  const auto result = send_blocking(request);
  ::unlink(path.c_str());
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(text_of(result->body), "unix");
}

TEST_F(HttpTest, TimeoutsEndSilentServers) {
  net::ip::tcp::acceptor acceptor(client_context_, {net::ip::address_v4::loopback(), 0});  // listens, never answers
  ClientRequest request;
  request.url = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/";
  request.timeout = std::chrono::milliseconds(50);
  const auto result = send_blocking(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kTimeout) << result.error().to_string();
}

Task<> sleeper(Exchange& exchange) {
  auto slept = co_await sleep_for(std::chrono::hours(1));
  auto sent = co_await respond_text(exchange, 200, "late");
}

TEST_F(HttpTest, StopEndsRunningHandlers) {
  serve(sleeper);
  auto socket = raw();
  net::write(socket, net::buffer(std::string_view("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
  server_->stop();
  run(server_->join());
  std::string out;
  boost::system::error_code error;
  net::read(socket, net::dynamic_buffer(out), error);
  EXPECT_EQ(out, "");
}

TEST_F(HttpTest, ListenErrorsAreClear) {
  serve(echo_handler);
  ServerOptions options;
  options.port = server_->port();
  const auto again = Server::listen(context_.get_executor(), options, echo_handler);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kExists);
  options.address = "nowhere";
  EXPECT_FALSE(Server::listen(context_.get_executor(), options, echo_handler));
}

}  // namespace
}  // namespace bonus::runtime::http
