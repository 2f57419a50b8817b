// A small HTTP server that answers as a node would, for tests of the command line.
#pragma once

#include <fmt/format.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "bonus/runtime/http/http.hpp"

namespace bonus::cli {

namespace http = runtime::http;

struct Answer {
  int status = 200;
  std::string body;
  http::Headers headers{};
};

/// One thread; `answer` runs there under the lock of the test.
class FakeNode {
 public:
  using Handler = std::function<Answer(const http::Request&, const std::string& body)>;
  explicit FakeNode(Handler handler) : handler_(std::move(handler)), work_(io_.get_executor()) {
    http::ServerOptions options;
    options.name = "fake";
    auto server =
        http::Server::listen(io_.get_executor(), options, [this](http::Exchange& exchange) { return serve(exchange); });
    server_ = std::move(server.value());
    thread_ = std::thread([this] { io_.run(); });
  }
  ~FakeNode() {
    server_->stop();
    work_.reset();
    io_.stop();
    thread_.join();
  }
  FakeNode(const FakeNode&) = delete;
  FakeNode& operator=(const FakeNode&) = delete;
  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}", server_->port()); }

 private:
  runtime::Task<> serve(http::Exchange& exchange) {
    const auto body = co_await exchange.read_all(1 << 20);
    Answer answer = handler_(exchange.request(), body ? std::string(as_text(*body)) : std::string());
    Bytes bytes(answer.body.begin(), answer.body.end());
    static_cast<void>(co_await exchange.respond(answer.status, answer.headers, std::move(bytes)));
  }

  Handler handler_;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::unique_ptr<http::Server> server_;
  std::thread thread_;
};

}  // namespace bonus::cli
