// The wire's configuration as JSON, version 1. Durations in microseconds.
#include "bonus/net/topology/wire_config.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <set>

namespace bonus::net::topology {
namespace {

namespace json = boost::json;

constexpr int kVersion = 1;

double us(Duration d) { return static_cast<double>(d.count()) / 1e3; }
Duration from_us(const json::value& value) {
  constexpr double kMaxUs = 3.6e9;  // an hour
  const double us = value.to_number<double>();
  if (!(us >= 0 && us <= kMaxUs)) throw std::out_of_range("a time outside of 0 to an hour");
  return Duration(static_cast<std::int64_t>(us * 1e3));
}
double probability(const json::value& value) {
  const double p = value.to_number<double>();
  if (!(p >= 0 && p <= 1)) throw std::out_of_range("a loss outside of 0 to 1");
  return p;
}

json::object attachment_json(const Attachment& a) {
  json::array addresses;
  for (const auto& address : a.addresses) addresses.emplace_back(to_string(address));
  return {{"name", a.name},
          {"namespace", a.network_namespace},
          {"device", a.device},
          {"region", a.region},
          {"addresses", std::move(addresses)},
          {"mtu", a.access.mtu},
          {"access_us", us(a.access.latency)},
          {"access_loss", a.access.loss},
          {"up_kbit", a.access.up_kbit},
          {"down_kbit", a.access.down_kbit},
          {"queue_bytes", a.access.queue_bytes},
          {"udp_blocked", a.udp_blocked},
          {"cut", a.cut}};
}

Attachment attachment_of(const json::value& value) {
  constexpr std::size_t kMaxAddresses = 8;
  Attachment a;
  a.name = value.at("name").as_string();
  a.network_namespace = value.at("namespace").as_string();
  a.device = value.at("device").as_string();
  a.region = value.at("region").to_number<std::size_t>();
  for (const auto& item : value.at("addresses").as_array()) {
    const auto ip = parse_ip(std::string_view(item.as_string()));
    if (!ip || a.addresses.size() == kMaxAddresses) throw std::out_of_range("an attachment's addresses");
    a.addresses.push_back(*ip);
  }
  a.access.mtu = value.at("mtu").to_number<std::uint32_t>();
  a.access.latency = from_us(value.at("access_us"));
  a.access.loss = probability(value.at("access_loss"));
  a.access.up_kbit = value.at("up_kbit").to_number<std::uint32_t>();
  a.access.down_kbit = value.at("down_kbit").to_number<std::uint32_t>();
  a.access.queue_bytes = value.at("queue_bytes").to_number<std::uint32_t>();
  a.udp_blocked = value.at("udp_blocked").as_bool();
  a.cut = value.at("cut").as_bool();
  return a;
}

}  // namespace

std::string WireConfig::to_json() const {
  json::array paths_json, attachments_json;
  for (const auto& path : paths) paths_json.push_back(json::array{us(path.latency), us(path.jitter), path.loss});
  for (const auto& a : attachments) attachments_json.push_back(attachment_json(a));
  return json::serialize(json::object{{"version", kVersion},
                                      {"seed", seed},
                                      {"max_bytes", max_bytes},
                                      {"capture", capture},
                                      {"regions", regions},
                                      {"paths", std::move(paths_json)},
                                      {"attachments", std::move(attachments_json)}}) +
         "\n";
}

Result<WireConfig> WireConfig::from_json(std::string_view text) try {
  const json::value root = json::parse(json::string_view(text.data(), text.size()));
  WireConfig out;
  if (root.at("version").to_number<int>() != kVersion)
    return fail(ErrorCode::kInvalid, "the wire's configuration has another version");
  out.seed = root.at("seed").to_number<std::uint64_t>();
  out.max_bytes = root.at("max_bytes").to_number<std::uint64_t>();
  out.capture = root.at("capture").as_string();
  out.regions = root.at("regions").to_number<std::size_t>();
  for (const auto& path : root.at("paths").as_array())
    out.paths.push_back({from_us(path.at(0)), from_us(path.at(1)), probability(path.at(2))});
  if (out.regions == 0 || out.regions > kMaxRegions || out.paths.size() != out.regions * out.regions)
    return fail(ErrorCode::kInvalid, "the wire's configuration: paths are regions x regions");
  std::set<std::string> names;
  std::set<Ipv6> addresses;
  for (const auto& item : root.at("attachments").as_array()) {
    Attachment a = attachment_of(item);
    if (a.region >= out.regions || !names.insert(a.name).second)
      return fail(ErrorCode::kInvalid, fmt::format("the wire's attachment {}: no such region, or named twice", a.name));
    for (const auto& address : a.addresses)
      if (!addresses.insert(address).second)
        return fail(ErrorCode::kInvalid, fmt::format("the wire's address {} is given twice", to_string(address)));
    out.attachments.push_back(std::move(a));
  }
  if (out.attachments.size() > kMaxAttachments)
    return fail(ErrorCode::kInvalid, fmt::format("the wire has at most {} attachments", kMaxAttachments));
  return out;
} catch (const std::exception& error) {
  return fail(ErrorCode::kInvalid, fmt::format("the wire's configuration cannot be read: {}", error.what()));
}

}  // namespace bonus::net::topology
