// HTTP/1.1 server and client for shells; the Beast adapter stays behind this header.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bonus/runtime/stream.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::runtime::http {

/// Header names compare without case. Several values of one name are kept in order.
class Headers {
 public:
  void set(std::string_view name, std::string value);  ///< Replaces.
  void add(std::string_view name, std::string value);
  void erase(std::string_view name);
  [[nodiscard]] std::optional<std::string> get(std::string_view name) const;  ///< The first value.
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct Request {
  std::string method;                        ///< Upper case.
  std::string target;                        ///< As sent: path and query, still percent-encoded.
  std::string path;                          ///< Decoded path.
  std::map<std::string, std::string> query;  ///< Decoded; the last of equal names.
  Headers headers;
  std::string peer;  ///< "address:port" of the client.
};

class WebSocket {
 public:
  virtual ~WebSocket() = default;
  struct Message {
    Bytes data;
    bool text = false;
  };
  /// kUnavailable when the peer closed.
  [[nodiscard]] virtual Task<Result<Message>> read() = 0;
  [[nodiscard]] virtual Task<Result<>> write(BytesView data, bool text) = 0;
  virtual void close() = 0;
  /// Closes with a code of RFC 6455, 7.4.1 and a reason (at most 123 bytes, the rest is cut) for the peer's log. What
  /// is being written goes first. Only the first of all close() calls counts.
  virtual void close(std::uint16_t code, std::string reason) = 0;
  /// Ends the connection without the closing handshake: for a peer that reads nothing. Any thread.
  virtual void abort() = 0;
};

/// One request and its response. Used by one coroutine at a time.
class Exchange {
 public:
  virtual ~Exchange() = default;
  [[nodiscard]] virtual const Request& request() const = 0;
  /// Body as it arrives; 0 at its end. Answers "Expect: 100-continue" at the first read.
  [[nodiscard]] virtual Task<Result<std::size_t>> read(std::span<std::uint8_t> out) = 0;
  /// The whole body. kExhausted above `limit_bytes`.
  [[nodiscard]] Task<Result<Bytes>> read_all(std::size_t limit_bytes);
  /// A complete response. Exactly one of respond() and start() may be called. HEAD requests send no body.
  [[nodiscard]] virtual Task<Result<>> respond(int status, Headers headers, Bytes body) = 0;
  /// A streamed response: with Content-Length in `headers`, or chunked without it. Then write(), finish().
  [[nodiscard]] virtual Task<Result<>> start(int status, Headers headers) = 0;
  [[nodiscard]] virtual Task<Result<>> write(BytesView in) = 0;
  [[nodiscard]] virtual Task<Result<>> finish() = 0;
  /// True when the client asked for a protocol upgrade (Upgrade header).
  [[nodiscard]] virtual bool wants_upgrade() const = 0;
  /// Answers 101 with these headers and hands over the raw connection.
  [[nodiscard]] virtual Task<Result<std::unique_ptr<ByteStream>>> upgrade(Headers headers) = 0;
  /// The raw connection without answering: what was read but not used comes first (reverse proxy of upgrades).
  [[nodiscard]] virtual std::unique_ptr<ByteStream> take_stream() = 0;
  [[nodiscard]] virtual Task<Result<std::unique_ptr<WebSocket>>> accept_websocket(std::size_t message_limit_bytes) = 0;
};

/// Text and JSON answers in one call; `status` as HTTP.
[[nodiscard]] Task<Result<>> respond_text(Exchange& exchange, int status, std::string body,
                                          std::string content_type = "text/plain; charset=utf-8");
[[nodiscard]] Task<Result<>> respond_json(Exchange& exchange, int status, std::string body);

using Handler = std::function<Task<>(Exchange&)>;

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  ///< 0: any free port, see Server::port().
  std::size_t max_connections = 1024;
  std::size_t max_header_bytes = 32 << 10;
  Duration idle_timeout = std::chrono::seconds(75);
  std::string name;     ///< For logs and metrics.
  int descriptor = -1;  ///< A bound, listening socket to take over; `address` and `port` are for messages then.
};

/// Accepts connections on `executor` and runs the handler as one coroutine per request, keep-alive included. A handler
/// that returns without a response sends 500; one that throws is logged.
class Server {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Server>> listen(Executor executor, ServerOptions options,
                                                              Handler handler);
  virtual ~Server() = default;
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// Closes the listener and every connection, and cancels the handlers. Any thread; the Server's destructor calls it.
  virtual void stop() = 0;
  /// Waits, after stop(), until the last handler has ended: what the handler borrows must live until then.
  [[nodiscard]] virtual Task<> join() = 0;
};

struct ClientRequest {
  std::string method = "GET";
  std::string url;  ///< http://host:port/path?query; https is kUnsupported.
  Headers headers;
  Bytes body;
  /// Set instead of `body` for uploads of any length: fills the span, 0 at the end. Without content_length it is sent
  /// chunked.
  std::function<Task<Result<std::size_t>>(std::span<std::uint8_t>)> body_source;
  std::optional<std::uint64_t> content_length;
  Duration timeout = std::chrono::seconds(
      30);                  ///< Longest time without progress: connecting, each write, the response's head, each read.
  std::string unix_socket;  ///< Connect here instead of to the URL's host.
};

class ClientResponse {
 public:
  virtual ~ClientResponse() = default;
  [[nodiscard]] virtual int status() const = 0;
  [[nodiscard]] virtual const Headers& headers() const = 0;
  [[nodiscard]] virtual Task<Result<std::size_t>> read(std::span<std::uint8_t> out) = 0;
  [[nodiscard]] Task<Result<Bytes>> read_all(std::size_t limit_bytes);
  /// Longest wait between reads of the body from now on.
  virtual void set_timeout(Duration timeout) = 0;
  /// The raw connection behind a 101 response: what was read but not used comes first. Once; nothing else may be called
  /// then.
  [[nodiscard]] virtual std::unique_ptr<ByteStream> take_stream() = 0;
};

/// A request whose response may arrive while its body is still being written (proxies): one coroutine may write while
/// another one waits for response() and reads it, both on the stream's executor.
class ClientCall {
 public:
  virtual ~ClientCall() = default;
  /// Body bytes, framed as the head said (Content-Length or chunked).
  [[nodiscard]] virtual Task<Result<>> write(BytesView in) = 0;
  [[nodiscard]] virtual Task<Result<>> finish() = 0;
  /// Once.
  [[nodiscard]] virtual Task<Result<std::unique_ptr<ClientResponse>>> response() = 0;
};
/// Sends the head of `request` over `stream`. `content_length` announces a body of that length, `body_source` (never
/// called here) a chunked one; `body` is not looked at.
[[nodiscard]] Task<Result<std::unique_ptr<ClientCall>>> open_call(std::unique_ptr<ByteStream> stream,
                                                                  ClientRequest request);

/// One request on its own connection. Redirects are not followed.
[[nodiscard]] Task<Result<std::unique_ptr<ClientResponse>>> send(ClientRequest request);
/// A client request over a stream that the caller opened (proxying through a tunnel).
[[nodiscard]] Task<Result<std::unique_ptr<ClientResponse>>> send_over(std::unique_ptr<ByteStream> stream,
                                                                      ClientRequest request);
[[nodiscard]] Task<Result<std::unique_ptr<WebSocket>>> connect_websocket(std::string url, Headers headers,
                                                                         std::size_t message_limit_bytes);

/// For command-line programs: runs one request to its end on this thread.
struct SimpleResponse {
  int status = 0;
  Headers headers;
  Bytes body;
};
[[nodiscard]] Result<SimpleResponse> send_blocking(ClientRequest request, std::size_t limit_bytes = 64 << 20);

}  // namespace bonus::runtime::http
