// Framing of responses, 100-continue, and what happens to a connection after its request (RFC 9112, sections 6 and 9).
#include "bonus/runtime/http/exchange.hpp"

#include <fmt/format.h>

#include <charconv>

#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/http/websocket.hpp"

namespace bonus::runtime::http {
namespace {

/// A request body that the handler left unread is read and dropped up to here, so that the connection can go on.
constexpr std::uint64_t kDrainBytes = 256 << 10;
/// Heads, chunk lines and bodies up to this size leave in one write.
constexpr std::size_t kJoinBytes = 64 << 10;

Task<Result<std::unique_ptr<WebSocket>>> refuse_websocket(Exchange& exchange, std::string why) {
  auto sent = co_await respond_text(exchange, 400, why + "\n");
  if (!sent) co_return fail(std::move(sent).error());
  co_return fail(ErrorCode::kInvalid, std::move(why));
}

bool bodiless(int status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

ServerExchange::ServerExchange(std::shared_ptr<SocketStream> socket, TimedStream& stream, MessageReader& reader,
                               Duration idle_timeout)
    : socket_(std::move(socket)), stream_(stream), reader_(reader), idle_timeout_(idle_timeout) {}

Result<> ServerExchange::begin(Head head, std::string peer) {
  head_ = std::move(head);
  request_.method = head_.method;
  request_.target = head_.target;
  request_.headers = head_.headers;
  request_.peer = std::move(peer);
  keep_alive_ = head_.keep_alive;
  expects_continue_ = head_.version >= 11 && has_token(head_.headers, "Expect", "100-continue") && !reader_.body_done();
  std::size_t hosts = 0;
  for (const auto& [name, value] : head_.headers.all()) hosts += same_name(name, "Host") ? 1 : 0;
  if (hosts > 1 || (hosts == 0 && head_.version >= 11))
    return fail(ErrorCode::kInvalid, "exactly one Host header is required");
  return split_target(request_);
}

Error ServerExchange::misuse(std::string_view what) const {
  return Error{ErrorCode::kConflict,
               fmt::format("{}: the response of this request has been sent or handed over already", what)};
}

bool ServerExchange::can_keep_alive() const {
  if (!keep_alive_) return false;
  return reader_.body_done() || (!expects_continue_ && head_.content_length && *head_.content_length <= kDrainBytes);
}

Task<Result<std::size_t>> ServerExchange::read(std::span<std::uint8_t> out) {
  if (state_ == State::kTaken) co_return fail(misuse("reading the body"));
  if (expects_continue_ && state_ == State::kFresh) {
    expects_continue_ = false;
    auto sent = co_await stream_.write(as_bytes("HTTP/1.1 100 Continue\r\n\r\n"), idle_timeout_);
    if (!sent) co_return fail(std::move(sent).error());
  }
  co_return co_await reader_.read_body(out, idle_timeout_);
}

Task<Result<>> ServerExchange::send_head(int status, Headers headers, BytesView body_behind) {
  headers.erase("Transfer-Encoding");
  if (status != 101) headers.erase("Connection");
  if (!headers.get("Date")) headers.set("Date", format_date(system_clock().unix_s()));
  if (framing_ == Framing::kChunked) headers.set("Transfer-Encoding", "chunked");
  if (status != 101) {
    keep_alive_ = framing_ != Framing::kToClose && can_keep_alive();
    if (!keep_alive_)
      headers.set("Connection", "close");
    else if (head_.version < 11)
      headers.set("Connection", "keep-alive");
  }
  auto head = format_response_head(status, headers);
  if (!head) co_return fail(std::move(head).error());
  const bool join = body_behind.size() <= kJoinBytes;
  if (join) head->append(as_text(body_behind));
  auto sent = co_await stream_.write(as_bytes(*head), idle_timeout_);
  if (sent && !join) sent = co_await stream_.write(body_behind, idle_timeout_);
  if (!sent) state_ = State::kBroken;
  co_return sent;
}

Task<Result<>> ServerExchange::respond(int status, Headers headers, Bytes body) {
  if (state_ != State::kFresh) co_return fail(misuse("respond"));
  framing_ = Framing::kNone;
  const bool head_only = head_.method == "HEAD";
  if (bodiless(status)) {
    if (status != 304) headers.erase("Content-Length");
    body.clear();
  } else if (!head_only || !headers.get("Content-Length")) {
    headers.set("Content-Length", std::to_string(body.size()));
  }
  if (head_only) body.clear();
  auto sent = co_await send_head(status, std::move(headers), body);
  if (sent) state_ = State::kFinished;
  co_return sent;
}

Task<Result<>> ServerExchange::start(int status, Headers headers) {
  if (state_ != State::kFresh) co_return fail(misuse("start"));
  const auto length = headers.get("Content-Length");
  if (length) {
    const auto [stop, error] = std::from_chars(length->data(), length->data() + length->size(), left_);
    if (error != std::errc() || stop != length->data() + length->size())
      co_return fail(ErrorCode::kInvalid, fmt::format("Content-Length \"{}\" is not a number", *length));
  }
  if (bodiless(status) || head_.method == "HEAD") {
    if (bodiless(status) && status != 304) headers.erase("Content-Length");
    framing_ = Framing::kNone;
  } else if (length) {
    framing_ = Framing::kLength;
  } else {
    framing_ = head_.version >= 11 ? Framing::kChunked : Framing::kToClose;
  }
  auto sent = co_await send_head(status, std::move(headers), {});
  if (sent) state_ = State::kStarted;
  co_return sent;
}

Task<Result<>> ServerExchange::write(BytesView in) {
  if (state_ != State::kStarted) co_return fail(misuse("write"));
  if (in.empty() || framing_ == Framing::kNone) co_return Result<>();
  if (framing_ == Framing::kLength) {
    if (in.size() > left_) co_return fail(ErrorCode::kInvalid, "the body is longer than its Content-Length");
    left_ -= in.size();
  }
  Result<> sent;
  if (framing_ != Framing::kChunked) {
    sent = co_await stream_.write(in, idle_timeout_);
  } else if (in.size() <= kJoinBytes) {
    const auto line = chunk_line(in.size());
    Bytes piece;
    piece.reserve(line.size() + in.size() + 2);
    append(piece, as_bytes(line));
    append(piece, in);
    append(piece, as_bytes("\r\n"));
    sent = co_await stream_.write(piece, idle_timeout_);
  } else {
    const auto line = chunk_line(in.size());
    sent = co_await stream_.write(as_bytes(line), idle_timeout_);
    if (sent) sent = co_await stream_.write(in, idle_timeout_);
    if (sent) sent = co_await stream_.write(as_bytes("\r\n"), idle_timeout_);
  }
  if (!sent) state_ = State::kBroken;
  co_return sent;
}

Task<Result<>> ServerExchange::finish() {
  if (state_ != State::kStarted) co_return fail(misuse("finish"));
  if (framing_ == Framing::kLength && left_ > 0) {
    state_ = State::kBroken;
    co_return fail(ErrorCode::kInvalid, fmt::format("{} bytes of the announced body are missing", left_));
  }
  Result<> sent;
  if (framing_ == Framing::kChunked) sent = co_await stream_.write(as_bytes("0\r\n\r\n"), idle_timeout_);
  state_ = sent ? State::kFinished : State::kBroken;
  co_return sent;
}

bool ServerExchange::wants_upgrade() const {
  return head_.headers.get("Upgrade").has_value() && has_token(head_.headers, "Connection", "upgrade");
}

Task<Result<std::unique_ptr<ByteStream>>> ServerExchange::upgrade(Headers headers) {
  if (state_ != State::kFresh) co_return fail(misuse("upgrade"));
  if (!headers.get("Upgrade")) headers.set("Upgrade", head_.headers.get("Upgrade").value_or("tcp"));
  headers.set("Connection", "Upgrade");
  headers.erase("Content-Length");
  auto sent = co_await send_head(101, std::move(headers), {});
  if (!sent) co_return fail(std::move(sent).error());
  co_return take_stream();
}

std::unique_ptr<ByteStream> ServerExchange::take_stream() {
  state_ = State::kTaken;
  return with_prefix(reader_.take_rest(), socket_);
}

Task<Result<std::unique_ptr<WebSocket>>> ServerExchange::accept_websocket(std::size_t message_limit_bytes) {
  if (state_ != State::kFresh) co_return fail(misuse("accept_websocket"));
  const auto rest = reader_.take_rest();
  if (!rest.empty() || !reader_.body_done())
    co_return co_await refuse_websocket(*this, "data follows the WebSocket handshake too early");
  if (auto fits = check_websocket_request(request_); !fits)
    co_return co_await refuse_websocket(*this, fits.error().message);
  state_ = State::kTaken;
  co_return co_await accept_websocket_on(socket_, request_, message_limit_bytes);
}

Task<bool> ServerExchange::end(bool handler_failed) {
  if (state_ == State::kTaken || state_ == State::kBroken) co_return false;
  if (state_ == State::kStarted) co_return false;  // a cut connection tells the client that the body is incomplete
  if (state_ == State::kFresh) {
    std::string text =
        handler_failed ? "The server failed to handle this request.\n" : "The server gave no answer to this request.\n";
    if (auto sent = co_await respond_text(*this, 500, std::move(text)); !sent) co_return false;
  }
  if (!keep_alive_) co_return false;
  Bytes scratch(reader_.body_done() ? 0 : 16 << 10);
  while (!reader_.body_done()) {
    auto n = co_await reader_.read_body(scratch, idle_timeout_);
    if (!n) co_return false;
  }
  co_return true;
}

}  // namespace bonus::runtime::http
