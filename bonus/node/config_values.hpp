// Setters of configuration values by kind; errors say what is wrong with the value. Internal to the parser.
#pragma once

#include "bonus/node/config_keys.hpp"

namespace bonus::node::config_internal {

[[nodiscard]] Result<std::string> text_of(const Value& value);
[[nodiscard]] Result<> set_text(std::string& out, const Value& value);
/// A text, or a list of at most one.
[[nodiscard]] Result<> set_origin(std::string& out, const Value& value);
[[nodiscard]] Result<> set_bool(bool& out, const Value& value);
[[nodiscard]] Result<> set_path(std::string& out, const Context& context, const Value& value);
[[nodiscard]] Result<> set_number(std::uint64_t& out, const Value& value, std::uint64_t low, std::uint64_t high);
[[nodiscard]] Result<> set_size(std::uint64_t& out, const Value& value, std::uint64_t low);
[[nodiscard]] Result<> set_mebibytes(std::uint32_t& out, const Value& value);
[[nodiscard]] Result<> set_cpu(std::uint32_t& out, const Value& value);
[[nodiscard]] Result<> set_bnc(uint256& out, const Value& value);
[[nodiscard]] Result<> check_host_port(std::string_view text);
[[nodiscard]] Result<> set_listen(ListenAddress& out, std::string_view key, const Value& value);
[[nodiscard]] Result<> set_list(std::vector<std::string>& out, const Value& value);
[[nodiscard]] Result<> set_roles(Config& config, const Value& value);
[[nodiscard]] Result<> set_peers(std::vector<ConfigPeer>& out, const Value& value);
[[nodiscard]] Result<> set_tier(std::uint8_t& out, const Value& value);
[[nodiscard]] Result<> set_region(std::string& out, const Value& value);
[[nodiscard]] Result<> set_runtimes(std::uint8_t& out, const Value& value);
[[nodiscard]] Result<> set_prefixes(std::vector<net::Prefix>& out, const Value& value);
[[nodiscard]] Result<> set_endpoints(std::vector<net::UdpEndpoint>& out, const Value& value);
[[nodiscard]] Result<> set_node_id(std::optional<NodeId>& out, const Value& value);
/// "<node id>=<prefix>".
[[nodiscard]] Result<> set_accept(std::vector<std::pair<NodeId, net::Prefix>>& out, const Value& value);
[[nodiscard]] Result<> set_accounts(std::vector<Address>& out, const Value& value);
/// At most 32 bytes.
[[nodiscard]] Result<> set_short(std::string& out, const Value& value);
[[nodiscard]] Result<> set_level(log::Level& out, const Value& value);

}  // namespace bonus::node::config_internal
