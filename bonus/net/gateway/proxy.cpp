// One proxied request: find, dial, forward, stream back; or a raw pipe after an upgrade.
#include "bonus/net/gateway/proxy.hpp"

#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <variant>

#include "bonus/base/log.hpp"
#include "bonus/net/gateway/error_page.hpp"
#include "bonus/net/gateway/forward.hpp"
#include "bonus/net/gateway/route.hpp"

namespace bonus::net::gateway {
namespace {

using runtime::ByteStream;
using runtime::Task;
namespace http = runtime::http;

constexpr std::size_t kPiece = 64 << 10;
constexpr int kRetrySeconds = 2;

std::string called(const Route& route) { return fmt::format("\"{}\"", route.lease); }

Problem unknown_address() {
  return {404,
          "no_lease_in_address",
          "This address names no lease.",
          "The gateway serves http://<lease>.localhost/ and /l/<lease>/.",
          "List your leases with `bonus ps`.",
          0};
}
Problem lookup_failed(const Route& route, const Error& error) {
  if (error.code == ErrorCode::kNotFound)
    return {404,
            "lease_not_found",
            fmt::format("There is no lease {}.", called(route)),
            error.message + ".",
            "Check the name with `bonus ps`; a lease is addressed by its name or its number.",
            0};
  if (error.code == ErrorCode::kTimeout)
    return {504,
            "lookup_timeout",
            "Looking up the lease takes too long.",
            error.message + ".",
            "Try again in a moment.",
            kRetrySeconds};
  return {503,
          "lookup_failed",
          "The lease cannot be looked up now.",
          error.message + ".",
          "Check the node with `bonus node status`.",
          kRetrySeconds};
}
Problem not_running(const Route& route, const LeaseTarget& target) {
  const auto reason = target.reason.empty() ? std::string("no reason is known") : target.reason;
  if (target.state == LeaseState::kStarting)
    return {503,
            "lease_starting",
            fmt::format("The lease {} is starting.", called(route)),
            reason + ".",
            "Wait a moment; `bonus logs` shows what it does.",
            kRetrySeconds};
  return {503,
          "lease_ended",
          fmt::format("The lease {} has ended.", called(route)),
          reason + ".",
          "Start it again with `bonus run`; `bonus inspect` shows how it ended.",
          0};
}
Problem unreachable(const Route& route, std::uint16_t port, const Error& error) {
  if (error.code == ErrorCode::kTimeout)
    return {504,
            "target_timeout",
            fmt::format("Port {} of the lease {} does not answer in time.", port, called(route)),
            error.message + ".",
            "See `bonus logs` for what the container does.",
            0};
  if (error.code == ErrorCode::kDenied)
    return {403,
            "port_not_open",
            fmt::format("Port {} of the lease {} is not open to everybody.", port, called(route)),
            "Only the ports that its order names are.",
            "Name it when you rent: `bonus run --port`.",
            0};
  return {502,
          "target_down",
          fmt::format("Port {} of the lease {} cannot be reached.", port, called(route)),
          error.message + ".",
          fmt::format("Does the program in the container listen on port {}? Another port is reached as "
                      "http://<port>-{}.localhost/.",
                      port, route.lease),
          0};
}
Problem too_busy() {
  return {503,
          "gateway_busy",
          "The gateway is busy.",
          "Too many requests are under way.",
          "Try again in a moment.",
          kRetrySeconds};
}

Task<> answer(http::Exchange& exchange, Problem problem) {
  auto page = render(problem, exchange.request().headers.get("Accept").value_or(""));
  auto sent = co_await exchange.respond(problem.status, std::move(page.headers), std::move(page.body));
  if (!sent) log::debug("gateway", "client_gone", {{"peer", exchange.request().peer}, {"error", sent.error().message}});
}

/// The result of `work`, or kTimeout.
template <class T>
Task<Result<T>> in_time(Task<Result<T>> work, Duration limit, std::string what) {
  using namespace boost::asio::experimental::awaitable_operators;
  auto first = co_await (std::move(work) || runtime::sleep_for(limit));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  co_return fail(ErrorCode::kTimeout, what + " took too long");
}

bool has_body(const http::Request& request) {
  if (request.headers.get("Transfer-Encoding")) return true;
  const auto length = request.headers.get("Content-Length");
  return length && *length != "0";
}

/// The client's body to the container. Returns false when the client failed: then there is nobody to answer.
Task<bool> upload(http::Exchange& exchange, http::ClientCall& call) {
  Bytes piece(kPiece);
  for (;;) {
    auto n = co_await exchange.read(piece);
    if (!n) co_return false;
    if (*n == 0) break;
    auto sent = co_await call.write(BytesView(piece).first(*n));
    if (!sent) co_return true;  // the container may have answered early; its answer tells
  }
  auto finished = co_await call.finish();
  co_return true;
}

/// As upload(), but ends only when the client failed; the response decides otherwise.
Task<> upload_beside(http::Exchange& exchange, http::ClientCall& call) {
  if (!co_await upload(exchange, call)) co_return;
  for (;;) {
    auto slept = co_await runtime::sleep_for(std::chrono::hours(24));
    if (!slept) co_return;
  }
}

Task<> relay_body(http::Exchange& exchange, http::ClientResponse& response) {
  Bytes piece(kPiece);
  for (;;) {
    auto n = co_await response.read(piece);
    if (!n) co_return;  // unfinished: the client's connection is cut, so that it knows
    if (*n == 0) break;
    auto sent = co_await exchange.write(BytesView(piece).first(*n));
    if (!sent) co_return;
  }
  auto finished = co_await exchange.finish();
}

/// Everything of one request that has found its lease.
struct Job {
  http::Exchange& exchange;
  const GatewayOptions& options;
  Route route;
  std::uint16_t port = 0;
  bool upgrade = false;
};

Task<> relay(Job& job, http::ClientCall& call) {
  auto response = co_await call.response();
  if (!response) {
    co_await answer(job.exchange, unreachable(job.route, job.port, response.error()));
    co_return;
  }
  const int status = (*response)->status();
  const bool switched = status == 101 && job.upgrade;
  auto headers = response_headers((*response)->headers(), job.route, switched);
  if (switched) {
    auto client = co_await job.exchange.upgrade(std::move(headers));
    if (!client) co_return;
    co_await runtime::splice(std::move(*client), (*response)->take_stream());
    co_return;
  }
  if (status == 101) {
    const Error error{ErrorCode::kInvalid, "the container switched to a protocol that nobody asked for"};
    co_await answer(job.exchange, unreachable(job.route, job.port, error));
    co_return;
  }
  (*response)->set_timeout(job.options.body_timeout);
  auto started = co_await job.exchange.start(status, std::move(headers));
  if (started) co_await relay_body(job.exchange, **response);
}

Task<Result<std::size_t>> no_source(std::span<std::uint8_t>) { co_return std::size_t{0}; }

Task<> forward(Job& job, std::unique_ptr<ByteStream> stream) {
  const auto& request = job.exchange.request();
  http::ClientRequest out;
  out.method = request.method;
  out.url = "http://lease" + job.route.target;  // the Host field is the client's
  out.headers = request_headers(request, job.route, job.upgrade, job.options.trust_forwarded);
  out.timeout = job.options.response_timeout;
  const bool body = has_body(request);
  if (body) {
    out.body_source = no_source;  // announces a body; upload() writes it
    if (const auto length = request.headers.get("Content-Length"); length && !request.headers.get("Transfer-Encoding"))
      out.content_length = std::strtoull(length->c_str(), nullptr, 10);  // the parser has checked it
  }
  auto call = co_await http::open_call(std::move(stream), std::move(out));
  if (!call) {
    co_await answer(job.exchange, unreachable(job.route, job.port, call.error()));
    co_return;
  }
  if (!body) {
    co_await relay(job, **call);
  } else if (job.upgrade) {
    if (co_await upload(job.exchange, **call)) co_await relay(job, **call);
  } else {
    // Both at once: a container may answer while it still reads, and an early answer ends the upload.
    using namespace boost::asio::experimental::awaitable_operators;
    co_await (relay(job, **call) || upload_beside(job.exchange, **call));
  }
}

struct Permit {
  explicit Permit(std::atomic<std::size_t>& c) : counter(c), number(++c) {}
  ~Permit() { --counter; }
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;
  std::atomic<std::size_t>& counter;
  const std::size_t number;
};

}  // namespace

GatewayProxy::GatewayProxy(LeaseResolver& resolver, GatewayOptions options)
    : resolver_(resolver), options_(std::move(options)) {}

Task<> GatewayProxy::handle(http::Exchange& exchange) {
  const Permit permit(active_);
  if (permit.number > options_.max_requests) {
    co_await answer(exchange, too_busy());
    co_return;
  }
  const auto& request = exchange.request();
  auto route = find_route(request.headers.get("Host").value_or(""), request.target, options_.domains);
  if (!route) {
    co_await answer(exchange, unknown_address());
    co_return;
  }
  if (route->needs_slash) {
    http::Headers headers;
    headers.set("Location", route->prefix + route->target);
    auto sent = co_await exchange.respond(308, std::move(headers), Bytes());
    co_return;
  }
  auto target = co_await in_time(resolver_.find(route->lease), options_.dial_timeout, "looking up the lease");
  if (!target) {
    co_await answer(exchange, lookup_failed(*route, target.error()));
    co_return;
  }
  if (target->state != LeaseState::kRunning) {
    co_await answer(exchange, not_running(*route, *target));
    co_return;
  }
  const std::uint16_t port = route->port.value_or(target->default_port);
  auto stream = co_await in_time(resolver_.dial(*target, port), options_.dial_timeout, "connecting");
  if (!stream) {
    co_await answer(exchange, unreachable(*route, port, stream.error()));
    co_return;
  }
  Job job{exchange, options_, std::move(*route), port, exchange.wants_upgrade()};
  co_await forward(job, std::move(*stream));
}

}  // namespace bonus::net::gateway
