// Leases in the local API: state, logs, exec and connections, wherever the lease runs.
#include <fmt/format.h>

#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <charconv>

#include "bonus/node/auth.hpp"
#include "bonus/node/local_api.hpp"

namespace bonus::node {

namespace http = runtime::http;
using runtime::ByteStream;
using runtime::Task;

namespace {

constexpr std::size_t kMaxTail = 1'000'000;

template <class Number>
Result<Number> parse_number(std::string_view text, std::string_view what) {
  Number out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || error != std::errc() || end != text.data() + text.size())
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not {}", text, what));
  return out;
}

// What the program writes, until its exit. The stream is closed then, which ends the other direction.
Task<> to_user(std::shared_ptr<ByteStream> stream, std::shared_ptr<http::WebSocket> socket) {
  while (true) {
    auto reading = read_frame(*stream);
    auto frame = co_await std::move(reading);
    if (!frame) break;
    Bytes message{static_cast<std::uint8_t>(frame->channel)};
    append(message, frame->data);
    auto writing = socket->write(message, false);
    if (!co_await std::move(writing)) break;
    if (frame->channel == ExecChannel::kExit || frame->channel == ExecChannel::kError) break;
  }
  stream->close();
  socket->close();
}

Task<> from_user(std::shared_ptr<ByteStream> stream, std::shared_ptr<http::WebSocket> socket) {
  bool first = true;
  while (true) {
    auto reading = socket->read();
    auto message = co_await std::move(reading);
    if (!message) break;
    auto channel = ExecChannel::kRequest;
    BytesView data = message->data;
    if (!first || !message->text) {
      if (data.empty() || (data[0] != static_cast<std::uint8_t>(ExecChannel::kStdin) &&
                           data[0] != static_cast<std::uint8_t>(ExecChannel::kResize)))
        continue;
      channel = static_cast<ExecChannel>(data[0]);
      data = data.subspan(1);
    }
    first = false;
    auto writing = write_frame(*stream, channel, data);
    if (!co_await std::move(writing)) break;
  }
  stream->close();
}

}  // namespace

Result<LocalApi::LeasePath> LocalApi::parse_lease_path(const http::Request& request) {
  constexpr std::string_view kPrefix = "/v1/leases/";
  std::string_view rest = std::string_view(request.path).substr(kPrefix.size());
  LeasePath out;
  const auto slash = std::min(rest.find('/'), rest.size());
  TRY_ASSIGN(out.request.lease, parse_number<std::uint64_t>(rest.substr(0, slash), "the number of a lease"));
  rest.remove_prefix(slash);
  constexpr std::string_view kConnect = "/connect/";
  if (rest == "/logs") {
    out.service = LeaseService::kLogs;
  } else if (rest == "/exec") {
    out.service = LeaseService::kExec;
  } else if (rest.starts_with(kConnect)) {
    out.service = LeaseService::kConnect;
    TRY_ASSIGN(out.request.port, parse_number<std::uint16_t>(rest.substr(kConnect.size()), "a port"));
  } else if (!rest.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("there is no GET {} in this API", request.path));
  }
  if (const auto follow = request.query.find("follow"); follow != request.query.end())
    out.request.follow = follow->second != "0" && follow->second != "false";
  if (const auto tail = request.query.find("tail"); tail != request.query.end()) {
    TRY_ASSIGN(out.request.tail, parse_number<std::uint64_t>(tail->second, "a number of lines"));
    out.request.tail = std::min<std::uint64_t>(out.request.tail, kMaxTail);
  }
  out.request.authorization = request.headers.get("Authorization").value_or("");
  return out;
}

LocalApi::Reply LocalApi::lease(Exchange& exchange) {
  CO_TRY_ASSIGN(auto wanted, parse_lease_path(exchange.request()));
  // Refused here already when it is wrong; the worker checks again.
  CO_TRY_ASSIGN(const auto signer, verify_authorization(wanted.request.authorization, "GET",
                                                        wanted.request.path(wanted.service), parts_.clock.unix_s()));
  CO_TRY_ASSIGN(const auto found, parts_.views.lease(wanted.request.lease, parts_.views.head()));
  if (signer != found.user)
    co_return fail(ErrorCode::kDenied,
                   fmt::format("lease {} belongs to {}", found.id, crypto::to_checksum(found.user)));

  if (wanted.service == LeaseService::kInspect) {
    auto asking = parts_.leases.inspect(found.node_id, std::move(wanted.request));
    CO_TRY_ASSIGN(const auto text, co_await std::move(asking));
    auto answer = http::respond_json(exchange, 200, std::string(as_text(text)));
    std::ignore = co_await std::move(answer);
    co_return Result<>();
  }
  if (wanted.service == LeaseService::kConnect && !exchange.wants_upgrade())
    co_return fail(ErrorCode::kInvalid, "a connection needs \"Upgrade: bonus-tcp\"");
  auto opening = parts_.leases.open(found.node_id, wanted.service, std::move(wanted.request));
  CO_TRY_ASSIGN(auto stream, co_await std::move(opening));
  if (wanted.service == LeaseService::kConnect) {
    auto task = lease_connect(exchange, std::move(stream));
    co_return co_await std::move(task);
  }
  std::shared_ptr<ByteStream> shared = std::move(stream);  // shared by the two directions of an exec
  auto task = wanted.service == LeaseService::kLogs ? lease_logs(exchange, shared) : lease_exec(exchange, shared);
  co_return co_await std::move(task);
}

LocalApi::Reply LocalApi::lease_logs(Exchange& exchange, std::shared_ptr<ByteStream> stream) {
  http::Headers headers;
  headers.set("Content-Type", "application/x-ndjson");
  headers.set("Cache-Control", "no-store");
  auto starting = exchange.start(200, std::move(headers));
  if (!co_await std::move(starting)) co_return Result<>();
  Bytes buffer(32 << 10);
  while (true) {
    auto reading = stream->read(buffer);
    const auto n = co_await std::move(reading);
    if (!n || *n == 0) break;
    auto writing = exchange.write(BytesView(buffer).first(*n));
    if (!co_await std::move(writing)) break;
  }
  stream->close();
  auto finishing = exchange.finish();
  std::ignore = co_await std::move(finishing);
  co_return Result<>();
}

LocalApi::Reply LocalApi::lease_exec(Exchange& exchange, std::shared_ptr<ByteStream> stream) {
  auto accepting = exchange.accept_websocket(kMaxExecFrameBytes);
  CO_TRY_ASSIGN(auto accepted, co_await std::move(accepting));
  std::shared_ptr<http::WebSocket> socket = std::move(accepted);  // shared by the two directions
  using boost::asio::experimental::awaitable_operators::operator&&;
  auto output = to_user(stream, socket);
  auto input = from_user(stream, socket);
  co_await (std::move(output) && std::move(input));
  co_return Result<>();
}

LocalApi::Reply LocalApi::lease_connect(Exchange& exchange, std::unique_ptr<ByteStream> stream) {
  http::Headers headers;
  headers.set("Upgrade", "bonus-tcp");
  headers.set("Connection", "Upgrade");
  auto upgrading = exchange.upgrade(std::move(headers));
  CO_TRY_ASSIGN(auto near, co_await std::move(upgrading));
  auto task = runtime::splice(std::move(near), std::move(stream));
  co_await std::move(task);
  co_return Result<>();
}

}  // namespace bonus::node
