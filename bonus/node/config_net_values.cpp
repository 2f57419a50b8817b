// Setters of the [net] section's values.
#include <fmt/format.h>

#include "bonus/crypto/keys.hpp"
#include "bonus/node/config_values.hpp"

namespace bonus::node::config_internal {

namespace {
constexpr std::size_t kMaxEntries = 64;

/// Every text of a list through `parse`.
template <class T, class Parse>
Result<> set_each(std::vector<T>& out, const Value& value, Parse parse) {
  std::vector<std::string> texts;
  TRY(set_list(texts, value));
  if (texts.size() > kMaxEntries) return fail(ErrorCode::kInvalid, fmt::format("at most {} entries", kMaxEntries));
  out.clear();
  for (const auto& text : texts) {
    TRY_ASSIGN(auto one, parse(text));
    out.push_back(std::move(one));
  }
  return {};
}

Result<NodeId> parse_node_id(std::string_view text) {
  auto id = fixed_from_hex<NodeId>(text);
  if (!id) return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a node id: 64 hexadecimal digits", text));
  return id;
}

Result<std::pair<NodeId, net::Prefix>> parse_accept(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos)
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\": write \"<node id>=192.168.8.0/24\"", text));
  TRY_ASSIGN(const auto id, parse_node_id(text.substr(0, equals)));
  TRY_ASSIGN(const auto prefix, net::parse_prefix(text.substr(equals + 1)));
  return std::pair{id, prefix};
}
}  // namespace

Result<> set_prefixes(std::vector<net::Prefix>& out, const Value& value) {
  return set_each(out, value, [](const std::string& text) { return net::parse_prefix(text); });
}
Result<> set_endpoints(std::vector<net::UdpEndpoint>& out, const Value& value) {
  return set_each(out, value, [](const std::string& text) { return net::parse_endpoint(text); });
}
Result<> set_node_id(std::optional<NodeId>& out, const Value& value) {
  TRY_ASSIGN(const auto text, text_of(value));
  out.reset();
  if (text.empty()) return {};
  TRY_ASSIGN(out, parse_node_id(text));
  return {};
}
Result<> set_accept(std::vector<std::pair<NodeId, net::Prefix>>& out, const Value& value) {
  return set_each(out, value, [](const std::string& text) { return parse_accept(text); });
}
Result<> set_accounts(std::vector<Address>& out, const Value& value) {
  return set_each(out, value, [](const std::string& text) { return crypto::parse_address(text); });
}
Result<> set_short(std::string& out, const Value& value) {
  TRY_ASSIGN(const auto text, text_of(value));
  if (text.size() > 32) return fail(ErrorCode::kInvalid, "at most 32 bytes");
  out = text;
  return {};
}

}  // namespace bonus::node::config_internal
