// Dispatch, status and blobs of the local API.
#include "bonus/node/local_api.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/json.hpp>

#include "bonus/node/version.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::node {

namespace json = boost::json;
namespace http = runtime::http;
using runtime::Task;

namespace {

constexpr std::size_t kMaxSmallBlob = 64 << 10;

Result<storage::BlobInfo> store_blob(storage::BlobStore& store, const Bytes& content) {
  TRY_ASSIGN(auto writer, store.create());
  if (auto written = writer->write(content); !written) return fail(std::move(written).error());
  return writer->finish(std::nullopt);
}

Result<Bytes> load_blob(storage::BlobStore& store, const Hash32& digest) {
  TRY_ASSIGN(const auto info, store.find_sha256(digest));
  if (info.size_bytes > kMaxSmallBlob)
    return fail(ErrorCode::kExhausted, "the blob is larger than 64 KiB; read it through the registry");
  Bytes out(static_cast<std::size_t>(info.size_bytes));
  std::size_t done = 0;
  while (done < out.size()) {
    TRY_ASSIGN(const std::size_t n, store.read(info.id, done, std::span(out).subspan(done)));
    if (n == 0) return fail(ErrorCode::kCorrupt, "the blob is shorter than its record says");
    done += n;
  }
  return out;
}

std::string code_name(ErrorCode code) {
  if (code == ErrorCode::kIo) return "io";
  std::string out(to_string(code));
  std::ranges::replace(out, ' ', '-');
  return out;
}

}  // namespace

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kExists:
    case ErrorCode::kConflict:
      return 409;
    case ErrorCode::kDenied:
      return 403;
    case ErrorCode::kExhausted:
      return 429;
    case ErrorCode::kUnavailable:
    case ErrorCode::kCancelled:
      return 503;
    case ErrorCode::kTimeout:
      return 504;
    case ErrorCode::kUnsupported:
      return 501;
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      break;
  }
  return 500;
}

std::string error_json(const Error& error) {
  return json::serialize(
      json::object{{"error", json::object{{"code", code_name(error.code)}, {"message", error.message}}}});
}

bool host_is_local(const http::Request& request) {
  std::string host = request.headers.get("Host").value_or("");
  if (host.empty()) return true;  // HTTP/1.0 or a tool: no browser
  if (host.front() == '[') {
    host = host.substr(1, host.find(']') - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  boost::system::error_code error;
  std::ignore = boost::asio::ip::make_address(host, error);
  return !error || host == "localhost" || host.ends_with(".localhost");
}

bool is_of_foreign_page(const http::Request& request) {
  const auto site = request.headers.get("Sec-Fetch-Site");
  if (site && *site != "same-origin" && *site != "none") {
    // A link that a person follows in a window of its own shows the answer to that person only.
    const bool followed = request.method == "GET" && request.headers.get("Sec-Fetch-Mode") == "navigate" &&
                          request.headers.get("Sec-Fetch-Dest") == "document";
    if (!followed) return true;
  }
  const auto origin = request.headers.get("Origin");
  if (!origin) return false;
  const std::size_t scheme = origin->find("://");
  return scheme == std::string::npos || origin->substr(scheme + 3) != request.headers.get("Host").value_or("");
}

Task<> LocalApi::handle(Exchange& exchange) {
  Result<> done;
  if (!host_is_local(exchange.request())) {
    done = fail(ErrorCode::kDenied, "the Host header is neither an address nor localhost");
  } else if (is_of_foreign_page(exchange.request())) {
    done = fail(ErrorCode::kDenied, "this API is not for web pages of other origins");
  } else {
    auto task = dispatch(exchange);
    done = co_await std::move(task);
  }
  if (done) co_return;
  int status = http_status(done.error().code);
  if (status == 403 && !exchange.request().headers.get("Authorization")) status = 401;
  auto answer = http::respond_json(exchange, status, error_json(done.error()));
  std::ignore = co_await std::move(answer);
}

LocalApi::Reply LocalApi::dispatch(Exchange& exchange) {
  const auto& request = exchange.request();
  const std::string& path = request.path;
  const bool get = request.method == "GET" || request.method == "HEAD";
  constexpr std::string_view kBlobs = "/v1/blobs/", kLeases = "/v1/leases/", kRoutes = "/v1/routes/";
  if (path == "/v1/status" && get) co_return co_await status(exchange);
  if (path == "/v1/peers" && get) co_return co_await peers(exchange);
  if (path == "/v1/blobs" && request.method == "PUT") co_return co_await put_blob(exchange);
  if (path.starts_with(kBlobs) && get) co_return co_await get_blob(exchange, path.substr(kBlobs.size()));
  if (path.starts_with(kLeases) && get) co_return co_await lease(exchange);
  if (path == "/v1/routes" && get) co_return co_await list_routes(exchange);
  if (path == "/v1/routes" && request.method == "POST") co_return co_await add_route(exchange);
  if (path.starts_with(kRoutes) && request.method == "DELETE")
    co_return co_await delete_route(exchange, path.substr(kRoutes.size()));
  if (path.starts_with("/v1/net/")) {
    if (!parts_.net) co_return fail(ErrorCode::kUnavailable, "this node runs without the overlay network");
    co_return co_await parts_.net(exchange);
  }
  co_return fail(ErrorCode::kNotFound, fmt::format("there is no {} {} in this API", request.method, path));
}

LocalApi::Reply LocalApi::status(Exchange& exchange) {
  const Endpoints urls = parts_.endpoints();
  const ChainStatus chain = parts_.chain();
  const auto& genesis = parts_.ledger.genesis();
  const auto head = parts_.ledger.head();
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(parts_.clock.now() - parts_.started).count();
  const auto usage = parts_.blobs.usage();
  std::size_t connected = 0;
  for (const auto& peer : parts_.transport.peers()) connected += parts_.transport.connected(peer.id) ? 1 : 0;

  json::object of_chain{{"id", genesis.chain_id},
                        {"name", genesis.name},
                        {"height", head.number},
                        {"hash", to_hex0x(head.hash().view())},
                        {"timestamp", head.timestamp},
                        {"round", chain.round},
                        {"bookkeeper", chain.bookkeeper},
                        {"primary", nullptr},
                        {"peers", connected},
                        {"syncing", chain.syncing}};
  if (chain.primary && *chain.primary < genesis.bookkeepers.size())
    of_chain["primary"] = to_hex(crypto::node_id(genesis.bookkeepers[*chain.primary].key).view());
  if (chain.muted) of_chain["muted"] = true;
  if (!chain.halted.empty()) of_chain["halted"] = chain.halted;

  json::object out{
      {"id", to_hex(parts_.id.view())},
      {"account", crypto::to_checksum(parts_.account)},
      {"version", kVersion},
      {"roles", json::value_from(parts_.roles)},
      {"rpc", urls.rpc},
      {"registry", urls.registry},
      {"api", urls.api},
      {"gateway", urls.gateway},
      {"metrics", urls.metrics},
      {"net", urls.net},
      {"pid", ::getpid()},
      {"uptime_s", uptime},
      {"chain", std::move(of_chain)},
      {"worker", nullptr},
      {"storage", json::object{{"blobs", usage.blobs}, {"bytes", usage.bytes}, {"quota_bytes", usage.quota_bytes}}}};
  if (const auto worker = parts_.worker()) {
    std::uint64_t offer = 0;
    if (const auto offers = parts_.views.offers_of(parts_.account, head.number)) {
      for (const auto& candidate : *offers)
        if (candidate.active) offer = candidate.id;
    }
    json::object of_worker{{"offer", offer},
                           {"leases", worker->leases},
                           {"containers", worker->containers},
                           {"registered", worker->registered},
                           {"transactions", worker->transactions_under_way},
                           {"problem", worker->last_problem}};
    if (offer == 0) of_worker["offer"] = nullptr;
    out["worker"] = std::move(of_worker);
  }
  auto answer = http::respond_json(exchange, 200, json::serialize(out));
  std::ignore = co_await std::move(answer);
  co_return Result<>();
}

LocalApi::Reply LocalApi::peers(Exchange& exchange) {
  json::array list;
  for (const auto& peer : parts_.transport.peers())
    list.push_back(json::object{{"id", to_hex(peer.id.view())},
                                {"endpoint", peer.endpoint},
                                {"connected", parts_.transport.connected(peer.id)}});
  const json::object out{{"peers", std::move(list)}};
  auto answer = http::respond_json(exchange, 200, json::serialize(out));
  std::ignore = co_await std::move(answer);
  co_return Result<>();
}

LocalApi::Reply LocalApi::put_blob(Exchange& exchange) {
  auto reading = exchange.read_all(kMaxSmallBlob);
  CO_TRY_ASSIGN(auto content, co_await std::move(reading));
  std::function<Result<storage::BlobInfo>()> work = [&store = parts_.blobs, content = std::move(content)] {
    return store_blob(store, content);
  };
  auto storing = runtime::offload<storage::BlobInfo>(parts_.pool, std::move(work));
  CO_TRY_ASSIGN(const auto info, co_await std::move(storing));
  const json::object out{{"sha256", to_hex(info.sha256.view())}, {"size", info.size_bytes}};
  auto answer = http::respond_json(exchange, 201, json::serialize(out));
  std::ignore = co_await std::move(answer);
  co_return Result<>();
}

LocalApi::Reply LocalApi::get_blob(Exchange& exchange, std::string name) {
  auto digest = fixed_from_hex<Hash32>(name);
  if (!digest) co_return fail(ErrorCode::kInvalid, "a blob is named by its SHA-256, 64 hexadecimal digits");
  std::function<Result<Bytes>()> work = [&store = parts_.blobs, digest = *digest] { return load_blob(store, digest); };
  auto loading = runtime::offload<Bytes>(parts_.pool, std::move(work));
  CO_TRY_ASSIGN(auto content, co_await std::move(loading));
  http::Headers headers;
  headers.set("Content-Type", "application/octet-stream");
  auto answer = exchange.respond(200, std::move(headers), std::move(content));
  std::ignore = co_await std::move(answer);
  co_return Result<>();
}

}  // namespace bonus::node
