// What the commands of `bonus net` share: questions to the node's network routes (docs/formats/local_api.md,
// "Network").
#pragma once

#include <boost/json/fwd.hpp>
#include <string>
#include <string_view>

#include "bonus/cli/app.hpp"
#include "bonus/cli/node_api.hpp"

namespace bonus::cli {

/// A request to /v1/net/<route> of the chosen node, not signed.
[[nodiscard]] Result<ApiRequest> net_request(Session& session, std::string_view route);
[[nodiscard]] Result<boost::json::value> net_get(Session& session, std::string_view route);

/// "12.3 ms", "0.42 ms", "-" when it is not known.
[[nodiscard]] std::string ms_text(const boost::json::value& object, std::string_view name);
/// "0.5%", "-".
[[nodiscard]] std::string share_text(const boost::json::value& object, std::string_view name);
/// "3m12s ago", "never".
[[nodiscard]] std::string ago_text(const boost::json::value& object, std::string_view name);
/// "512 B", "1.2 MiB".
[[nodiscard]] std::string bytes_text(std::uint64_t bytes);
/// A member as text without control characters; "-" when it is absent, null or empty.
[[nodiscard]] std::string cell(const boost::json::value& object, std::string_view name);
/// The first twelve digits of an id.
[[nodiscard]] std::string id_cell(const boost::json::value& object, std::string_view name = "id");
/// A list of texts, joined by commas; "-" when it is empty.
[[nodiscard]] std::string list_cell(const boost::json::value& object, std::string_view name);

// Each adds its commands to the group `net`.
void add_net_live_commands(App& app, CLI::App& group);
void add_net_invite_commands(App& app, CLI::App& group);

}  // namespace bonus::cli
