// The log of routes: one record per change, rewritten when most of it is history.
#include "bonus/node/route_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bonus/codec/rlp.hpp"

namespace bonus::node {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxHistory = 256;  // records beyond the live ones

/// Version, then rlp([name, order, user, [[listen, port]...]]); an order of 0 takes the name away.
Bytes encode(const Route& route) {
  rlp::Encoder out;
  out.begin_list().text(route.name).number(route.order).bytes(route.user).begin_list();
  for (const auto& entry : route.publish) out.begin_list().number(entry.listen).number(entry.port).end_list();
  out.end_list().end_list();
  Bytes bytes{kVersion};
  append(bytes, out.take());
  return bytes;
}

Result<std::uint16_t> port_of(rlp::Decoder& in) {
  TRY_ASSIGN(const auto number, in.number());
  if (number > 65535) return fail(ErrorCode::kCorrupt, "a port is out of range");
  return static_cast<std::uint16_t>(number);
}

Result<Route> decode(BytesView in) {
  if (in.empty() || in[0] != kVersion) return fail(ErrorCode::kCorrupt, "unknown version of a route");
  rlp::Decoder outer(in.subspan(1));
  TRY_ASSIGN(auto list, outer.list());
  Route out;
  TRY_ASSIGN(const auto name, list.bytes());
  out.name = as_text(name);
  TRY_ASSIGN(out.order, list.number());
  TRY_ASSIGN(out.user, list.fixed<Address>());
  TRY_ASSIGN(auto entries, list.list());
  while (!entries.at_end()) {
    TRY_ASSIGN(auto entry, entries.list());
    PublishedPort published;
    TRY_ASSIGN(published.listen, port_of(entry));
    TRY_ASSIGN(published.port, port_of(entry));
    out.publish.push_back(published);
  }
  return out;
}

}  // namespace

Result<> check_route_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const auto bad = [&](std::string_view why) {
    return fail(ErrorCode::kInvalid, fmt::format("the name \"{}\" {}", name, why));
  };
  if (name.empty() || name.size() > 32) return fail(ErrorCode::kInvalid, "a name has 1 to 32 characters");
  if (!std::ranges::all_of(name, [&](char c) { return letter(c) || c == '-'; }) || !letter(name.front()) ||
      !letter(name.back()))
    return bad("may hold a-z, 0-9 and, inside, \"-\"");
  if (std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }))
    return bad("is a number: those are leases");
  if (name.starts_with("lease-") || name.starts_with("order-")) return bad("begins with a reserved word");
  return {};
}

Result<std::unique_ptr<RouteTable>> RouteTable::open(runtime::Disk& disk, const std::string& path) {
  auto log = disk.open_log(path);
  if (!log) return fail(std::move(log).error().wrap("the table of routes"));
  std::unique_ptr<RouteTable> out(new RouteTable(*std::move(log)));
  for (const auto& record : out->log_->recovered()) {
    auto route = decode(record);
    if (!route) return fail(std::move(route).error().wrap(path));
    if (route->order == 0) {
      out->routes_.erase(route->name);
    } else {
      out->routes_[route->name] = *route;
    }
    ++out->records_;
  }
  return out;
}

Result<> RouteTable::write(BytesView record) {
  if (auto done = log_->append(record); !done) return done;
  if (auto done = log_->sync(); !done) return done;
  if (++records_ <= routes_.size() + kMaxHistory) return {};
  std::vector<Bytes> live;
  for (const auto& [_, route] : routes_) live.push_back(encode(route));
  records_ = live.size();
  return log_->rewrite(live);
}

Result<> RouteTable::put(const Route& route) {
  const std::scoped_lock lock(mutex_);
  const auto found = routes_.find(route.name);
  if (found != routes_.end() && found->second.user != route.user)
    return fail(ErrorCode::kExists, fmt::format("the name \"{}\" is taken on this node", route.name));
  if (found == routes_.end() && routes_.size() >= kMaxRoutes)
    return fail(ErrorCode::kExhausted, fmt::format("this node keeps at most {} routes", kMaxRoutes));
  routes_[route.name] = route;
  return write(encode(route));
}

Result<> RouteTable::erase(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  if (routes_.erase(name) == 0) return fail(ErrorCode::kNotFound, fmt::format("there is no route \"{}\"", name));
  Route gone;
  gone.name = name;
  return write(encode(gone));
}

std::optional<Route> RouteTable::find(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = routes_.find(name);
  if (found == routes_.end()) return std::nullopt;
  return found->second;
}

std::vector<Route> RouteTable::all() const {
  const std::scoped_lock lock(mutex_);
  std::vector<Route> out;
  for (const auto& [_, route] : routes_) out.push_back(route);
  return out;
}

}  // namespace bonus::node
