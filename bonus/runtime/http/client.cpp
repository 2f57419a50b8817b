// The client: one request on its own connection or on a stream that the caller opened.
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "bonus/runtime/http/message_reader.hpp"

namespace bonus::runtime::http {
namespace {

namespace net = boost::asio;
constexpr std::size_t kMaxResponseHead = 64 << 10;
constexpr std::size_t kJoinBytes = 64 << 10;
constexpr int kMaxInformational = 16;  ///< 1xx responses before the final one.

struct Link {
  Link(const Executor& executor, std::unique_ptr<ByteStream> raw, Duration limit)
      : stream(executor, std::move(raw)), reader(MessageReader::responses(stream, kMaxResponseHead)), timeout(limit) {}
  ~Link() { stream.stream()->close(); }
  TimedStream stream;
  std::unique_ptr<MessageReader> reader;
  Duration timeout;
};

class LinkResponse final : public ClientResponse {
 public:
  LinkResponse(std::shared_ptr<Link> link, Head head) : link_(std::move(link)), head_(std::move(head)) {}
  int status() const override { return head_.status; }
  const Headers& headers() const override { return head_.headers; }
  Task<Result<std::size_t>> read(std::span<std::uint8_t> out) override {
    if (!link_) co_return fail(ErrorCode::kConflict, "the connection of this response was handed over");
    co_return co_await link_->reader->read_body(out, link_->timeout);
  }
  void set_timeout(Duration timeout) override {
    if (link_) link_->timeout = timeout;
  }
  std::unique_ptr<ByteStream> take_stream() override {
    auto rest = link_->reader->take_rest();
    // The link still refers to the stream, so both are kept until the taker lets go.
    class Taken final : public ByteStream {
     public:
      Taken(std::shared_ptr<Link> link, Bytes first)
          : link_(std::move(link)), stream_(with_prefix(std::move(first), link_->stream.stream())) {}
      Task<Result<std::size_t>> read(std::span<std::uint8_t> out) override { return stream_->read(out); }
      Task<Result<>> write(BytesView in) override { return stream_->write(in); }
      Task<Result<>> close_write() override { return stream_->close_write(); }
      void close() override { stream_->close(); }

     private:
      std::shared_ptr<Link> link_;  // shared with the ClientCall
      std::unique_ptr<ByteStream> stream_;
    };
    return std::make_unique<Taken>(std::move(link_), std::move(rest));
  }

 private:
  std::shared_ptr<Link> link_;  // shared with the ClientCall, which may still be writing
  Head head_;
};

class LinkCall final : public ClientCall {
 public:
  LinkCall(std::shared_ptr<Link> link, bool head_only, bool chunked, std::uint64_t length)
      : link_(std::move(link)), head_only_(head_only), chunked_(chunked), left_(length) {}

  Task<Result<>> write(BytesView in) override {
    const auto link = link_;
    if (in.empty()) co_return Result<>();
    if (!chunked_) {
      if (in.size() > left_) co_return fail(ErrorCode::kInvalid, "the body is longer than its Content-Length");
      left_ -= in.size();
      co_return co_await link->stream.write(in, link->timeout);
    }
    const auto line = chunk_line(in.size());
    Bytes piece;
    piece.reserve(line.size() + in.size() + 2);
    append(piece, as_bytes(line));
    append(piece, in);
    append(piece, as_bytes("\r\n"));
    co_return co_await link->stream.write(piece, link->timeout);
  }

  Task<Result<>> finish() override {
    const auto link = link_;
    if (chunked_) co_return co_await link->stream.write(as_bytes("0\r\n\r\n"), link->timeout);
    if (left_ > 0)
      co_return fail(ErrorCode::kInvalid, fmt::format("{} bytes of the announced body are missing", left_));
    co_return Result<>();
  }

  Task<Result<std::unique_ptr<ClientResponse>>> response() override {
    const auto link = link_;
    for (int i = 0; i < kMaxInformational; ++i) {
      auto head = co_await link->reader->read_head(link->timeout, head_only_);
      if (!head) co_return fail(std::move(head).error().wrap("waiting for the response"));
      if (head->status >= 200 || head->status == 101) co_return std::make_unique<LinkResponse>(link, std::move(*head));
    }
    co_return fail(ErrorCode::kInvalid, "the server sends only interim responses");
  }

 private:
  std::shared_ptr<Link> link_;  // shared with the response
  bool head_only_, chunked_;
  std::uint64_t left_;
};

Task<Result<std::unique_ptr<ClientCall>>> open(std::unique_ptr<ByteStream> stream, ClientRequest request,
                                               BytesView body) {
  auto executor = co_await net::this_coro::executor;
  CO_TRY_ASSIGN(const auto url, parse_url(request.url));
  const bool streamed = static_cast<bool>(request.body_source);
  const bool chunked = streamed && !request.content_length;
  const std::uint64_t length = chunked ? 0 : request.content_length.value_or(body.size());
  if (!request.headers.get("Host")) request.headers.set("Host", url.authority);
  request.headers.erase("Transfer-Encoding");
  request.headers.erase("Content-Length");
  if (chunked)
    request.headers.set("Transfer-Encoding", "chunked");
  else if (length > 0 || request.content_length || request.method == "POST" || request.method == "PUT" ||
           request.method == "PATCH")
    request.headers.set("Content-Length", std::to_string(length));
  if (!request.headers.get("Connection")) request.headers.set("Connection", "close");
  CO_TRY_ASSIGN(auto head, format_request_head(request.method, url.target, request.headers));
  const bool join = body.size() <= kJoinBytes;
  if (join) head.append(as_text(body));
  const auto link = std::make_shared<Link>(executor, std::move(stream), request.timeout);
  auto sent = co_await link->stream.write(as_bytes(head), request.timeout);
  if (sent && !join) sent = co_await link->stream.write(body, request.timeout);
  // A server that answers early (413) and closes makes writing fail although its answer can be read.
  if (!sent && body.empty()) co_return fail(std::move(sent).error());
  co_return std::make_unique<LinkCall>(link, request.method == "HEAD", chunked,
                                       streamed || request.content_length ? length : 0);
}

/// Error of our own body source, which no answer of the server can make good.
Task<Result<>> upload(ClientCall& call, const ClientRequest& request) {
  Bytes part(64 << 10);
  for (;;) {
    const std::span<std::uint8_t> span(part);
    auto n = co_await request.body_source(span);
    if (!n) co_return fail(std::move(n).error().wrap("reading the body to send"));
    if (*n == 0) break;
    // A failed write is no reason to stop here: the server may have answered early and closed (413).
    auto sent = co_await call.write(BytesView(part).first(*n));
    if (!sent && sent.error().code == ErrorCode::kInvalid) co_return sent;
    if (!sent) co_return Result<>();
  }
  auto finished = co_await call.finish();
  if (!finished && finished.error().code == ErrorCode::kInvalid) co_return finished;
  co_return Result<>();
}

Task<Result<std::unique_ptr<ByteStream>>> connect(const ClientRequest& request) {
  CO_TRY_ASSIGN(const auto url, parse_url(request.url));
  if (url.tls) co_return fail(ErrorCode::kUnsupported, fmt::format("{}: TLS is not supported here", request.url));
  if (!request.unix_socket.empty()) co_return co_await connect_unix(request.unix_socket);
  co_return co_await connect_tcp(url.host, url.port, request.timeout);
}

struct BlockingRun {
  ClientRequest request;
  std::size_t limit_bytes;
  Result<SimpleResponse> result = fail(ErrorCode::kInternal, "the request did not run");
};

Task<> run(BlockingRun& out) {
  out.result = SimpleResponse();
  auto response = co_await send(std::move(out.request));
  if (!response) {
    out.result = fail(std::move(response).error());
    co_return;
  }
  out.result->status = (*response)->status();
  out.result->headers = (*response)->headers();
  auto body = co_await (*response)->read_all(out.limit_bytes);
  if (body)
    out.result->body = std::move(*body);
  else
    out.result = fail(std::move(body).error());
}

}  // namespace

Task<Result<std::unique_ptr<ClientCall>>> open_call(std::unique_ptr<ByteStream> stream, ClientRequest request) {
  co_return co_await open(std::move(stream), std::move(request), {});
}

Task<Result<std::unique_ptr<ClientResponse>>> send_over(std::unique_ptr<ByteStream> stream, ClientRequest request) {
  const std::string url = request.url;
  const auto wrap = [&url](Error error) { return std::move(error).wrap(url); };
  const Bytes body = std::move(request.body);
  const ClientRequest sender = request;
  auto call = co_await open(std::move(stream), std::move(request), body);
  if (!call) co_return fail(wrap(std::move(call).error()));
  if (sender.body_source) {
    auto sent = co_await upload(**call, sender);
    if (!sent) co_return fail(wrap(std::move(sent).error()));
  }
  auto response = co_await (*call)->response();
  if (!response) co_return fail(wrap(std::move(response).error()));
  co_return std::move(*response);
}

Task<Result<std::unique_ptr<ClientResponse>>> send(ClientRequest request) {
  auto stream = co_await connect(request);
  if (!stream) co_return fail(std::move(stream).error().wrap(request.url));
  co_return co_await send_over(std::move(*stream), std::move(request));
}

Result<SimpleResponse> send_blocking(ClientRequest request, std::size_t limit_bytes) {
  net::io_context context;
  BlockingRun state;
  state.request = std::move(request);
  state.limit_bytes = limit_bytes;
  std::exception_ptr failure;
  auto ended = [&failure](const std::exception_ptr& error) { failure = error; };
  auto task = run(state);
  net::co_spawn(context, std::move(task), std::move(ended));
  context.run();
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInternal, error.what());
  }
  return std::move(state.result);
}

}  // namespace bonus::runtime::http
