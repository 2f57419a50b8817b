// A node's local API and registry over HTTP, with errors that say what to do next (docs/formats/local_api.md).
#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "bonus/base/bytes.hpp"
#include "bonus/base/time.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::cli {

/// "Bonus <address>:<unix seconds>:<signature>" over the EIP-191 message of the API's "Who may ask".
[[nodiscard]] Result<std::string> sign_request(const crypto::SecretKey256& key, std::string_view method,
                                               std::string_view path, UnixSeconds now);

/// One JSON request. `key`: sign it. The error of a node keeps its code; kUnavailable when it cannot be reached.
/// kInvalid: the answer is no JSON.
struct ApiRequest {
  std::string method = "GET";
  std::string url;  ///< Whole.
  std::string body{};
  std::string content_type = "application/json";
  std::optional<crypto::SecretKey256> key{};
  Duration timeout = std::chrono::seconds(30);
};
[[nodiscard]] Result<boost::json::value> api_call(const ApiRequest& request);

/// The same for an answer of lines that come one by one: `line` sees each without its end, as it arrives. A line is at
/// most 1 MiB (kExhausted).
[[nodiscard]] Result<> api_lines(const ApiRequest& request, const std::function<void(std::string_view)>& line);

/// The error in a node's answer of this status, or one made of the status.
[[nodiscard]] Error api_error(int status, std::string_view body, std::string_view what);

/// "127.0.0.1:7070", "http://host:port/": normalised to "http://host:port". kInvalid otherwise.
[[nodiscard]] Result<std::string> parse_node_url(std::string_view text);
/// Path part of a URL without the query ("/" when empty): what is signed.
[[nodiscard]] std::string path_of_url(std::string_view url);
/// Percent-encodes what may not stand in a path segment.
[[nodiscard]] std::string url_escape(std::string_view text);

/// Members of untrusted JSON with their defaults.
[[nodiscard]] std::string json_text(const boost::json::value& object, std::string_view name);
[[nodiscard]] std::uint64_t json_number(const boost::json::value& object, std::string_view name);
/// Any number; nothing when it is absent, null or something else.
[[nodiscard]] std::optional<double> json_real(const boost::json::value& object, std::string_view name);
[[nodiscard]] bool json_flag(const boost::json::value& object, std::string_view name);
/// The member, or null.
[[nodiscard]] const boost::json::value& json_member(const boost::json::value& object, std::string_view name);
/// Two-space indented text.
[[nodiscard]] std::string pretty(const boost::json::value& value);

}  // namespace bonus::cli
