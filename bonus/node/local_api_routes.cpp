// Routes in the local API: names and local ports of orders.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "bonus/node/auth.hpp"
#include "bonus/node/local_api.hpp"

namespace bonus::node {

namespace json = boost::json;
namespace http = runtime::http;

namespace {

constexpr std::size_t kMaxBody = 16 << 10;

Result<std::uint16_t> port_in(const json::object& object, std::string_view key, std::int64_t least) {
  const auto* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr || !value->is_int64() || value->as_int64() < least || value->as_int64() > 65535)
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is a port from {} to 65535", key, least));
  return static_cast<std::uint16_t>(value->as_int64());
}

Result<Route> parse_route(std::string_view text) {
  boost::system::error_code error;
  const auto document = json::parse(text, error);
  if (error || !document.is_object()) return fail(ErrorCode::kInvalid, "the body is a JSON object");
  Route out;
  bool has_order = false;
  for (const auto& [name, value] : document.as_object()) {
    if (name == "order") {
      if (!value.is_int64() || value.as_int64() <= 0)
        return fail(ErrorCode::kInvalid, "\"order\" is the number of an order");
      out.order = static_cast<std::uint64_t>(value.as_int64());
      has_order = true;
    } else if (name == "name") {
      if (!value.is_string()) return fail(ErrorCode::kInvalid, "\"name\" is a string");
      out.name = std::string(value.as_string().data(), value.as_string().size());
    } else if (name == "publish") {
      const auto* list = value.if_array();
      if (list == nullptr || list->size() > kMaxPublishedPorts)
        return fail(ErrorCode::kInvalid, fmt::format("\"publish\" is a list of at most {} ports", kMaxPublishedPorts));
      for (const auto& item : *list) {
        if (!item.is_object()) return fail(ErrorCode::kInvalid, "\"publish\" holds {\"listen\": 8080, \"port\": 80}");
        PublishedPort entry;
        TRY_ASSIGN(entry.listen, port_in(item.as_object(), "listen", 0));
        TRY_ASSIGN(entry.port, port_in(item.as_object(), "port", 1));
        out.publish.push_back(entry);
      }
    } else {
      return fail(ErrorCode::kInvalid, fmt::format("unknown key \"{}\"; known are order, name, publish",
                                                   std::string_view(name.data(), name.size())));
    }
  }
  if (!has_order) return fail(ErrorCode::kInvalid, "\"order\" is missing");
  return out;
}

/// The ports first: they need neither a name nor a browser that knows *.localhost.
json::object describe(const Route& route, const std::string& gateway) {
  json::array urls, publish;
  for (const auto& entry : route.publish) {
    const std::string address = fmt::format("127.0.0.1:{}", entry.listen);
    urls.push_back(json::string(fmt::format("http://{}/", address)));
    publish.push_back(json::object{{"listen", entry.listen}, {"port", entry.port}, {"address", address}});
  }
  if (!gateway.empty()) {
    const auto colon = gateway.rfind(':');
    urls.push_back(json::string(fmt::format("http://{}.localhost{}/", route.name, gateway.substr(colon))));
    urls.push_back(json::string(fmt::format("{}/l/{}/", gateway, route.name)));
  }
  return {{"name", route.name}, {"urls", std::move(urls)}, {"publish", std::move(publish)}};
}

}  // namespace

LocalApi::Reply LocalApi::add_route(Exchange& exchange) {
  const std::string authorization = exchange.request().headers.get("Authorization").value_or("");
  CO_TRY_ASSIGN(const auto signer, verify_authorization(authorization, "POST", "/v1/routes", parts_.clock.unix_s()));
  auto reading = exchange.read_all(kMaxBody);
  CO_TRY_ASSIGN(const auto body, co_await std::move(reading));
  CO_TRY_ASSIGN(auto route, parse_route(as_text(body)));
  if (route.name.empty()) route.name = fmt::format("o{}-{}", route.order, to_hex(signer.view()).substr(0, 6));
  if (auto named = check_route_name(route.name); !named) co_return fail(std::move(named).error());
  CO_TRY_ASSIGN(const auto order, parts_.views.order(route.order, parts_.views.head()));
  if (order.user != signer)
    co_return fail(ErrorCode::kDenied,
                   fmt::format("order {} belongs to {}", route.order, crypto::to_checksum(order.user)));
  if (order.state == chain::market::OrderState::kClosed)
    co_return fail(ErrorCode::kConflict, fmt::format("order {} is closed", route.order));
  route.user = signer;
  auto publishing = parts_.publisher.publish(std::move(route));
  CO_TRY_ASSIGN(const auto done, co_await std::move(publishing));
  auto answer = http::respond_json(exchange, 201, json::serialize(describe(done, parts_.endpoints().gateway)));
  std::ignore = co_await std::move(answer);
  co_return Result<>();
}

LocalApi::Reply LocalApi::list_routes(Exchange& exchange) {
  const std::string gateway = parts_.endpoints().gateway;
  json::array list;
  for (const auto& route : parts_.routes.all()) {
    json::object entry = describe(route, gateway);
    entry["order"] = route.order;
    list.push_back(std::move(entry));
  }
  const json::object out{{"routes", std::move(list)}};
  auto answer = http::respond_json(exchange, 200, json::serialize(out));
  std::ignore = co_await std::move(answer);
  co_return Result<>();
}

LocalApi::Reply LocalApi::delete_route(Exchange& exchange, std::string name) {
  const std::string authorization = exchange.request().headers.get("Authorization").value_or("");
  CO_TRY_ASSIGN(const auto signer, verify_authorization(authorization, "DELETE", fmt::format("/v1/routes/{}", name),
                                                        parts_.clock.unix_s()));
  const auto route = parts_.routes.find(name);
  if (!route) co_return fail(ErrorCode::kNotFound, fmt::format("there is no route \"{}\"", name));
  if (route->user != signer)
    co_return fail(ErrorCode::kDenied,
                   fmt::format("the route \"{}\" belongs to {}", name, crypto::to_checksum(route->user)));
  auto removing = parts_.publisher.remove(name);
  if (auto done = co_await std::move(removing); !done) co_return fail(std::move(done).error());
  auto answer = http::respond_json(exchange, 200, "{}");
  std::ignore = co_await std::move(answer);
  co_return Result<>();
}

}  // namespace bonus::node
