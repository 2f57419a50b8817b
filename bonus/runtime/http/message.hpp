// What both sides of HTTP/1.1 share: URLs, percent-encoding, heads as text (RFC 9110, RFC 9112). Internal to this
// folder.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "bonus/runtime/http/http.hpp"

namespace bonus::runtime::http {

/// The parsed start line and fields of a message.
struct Head {
  std::string method, target;  ///< Of requests.
  int status = 0;              ///< Of responses.
  unsigned version = 11;       ///< 10 or 11.
  Headers headers;
  bool keep_alive = false;
  bool chunked = false;
  std::optional<std::uint64_t> content_length;
};

struct Url {
  bool tls = false;
  std::string host;  ///< Without brackets.
  std::uint16_t port = 80;
  std::string authority;  ///< As written, for the Host field.
  std::string target;     ///< Path and query, "/" at least.
};
/// Accepts http, https, ws, wss. kInvalid says what is wrong.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

[[nodiscard]] bool same_name(std::string_view a, std::string_view b);
/// True when the comma-separated list field contains the token, without case.
[[nodiscard]] bool has_token(const Headers& headers, std::string_view name, std::string_view token);
/// kInvalid for a broken escape or a NUL.
[[nodiscard]] Result<std::string> percent_decode(std::string_view text, bool plus_is_space);
/// Fills path and query from the target; kInvalid when the target has no usable form.
[[nodiscard]] Result<> split_target(Request& request);

[[nodiscard]] std::string_view reason_phrase(int status);
/// "HTTP/1.1 200 OK\r\n...\r\n\r\n". kInvalid when a field would break the framing (line breaks, empty name).
[[nodiscard]] Result<std::string> format_response_head(int status, const Headers& headers);
[[nodiscard]] Result<std::string> format_request_head(std::string_view method, std::string_view target,
                                                      const Headers& headers);
/// IMF-fixdate of RFC 9110, section 5.6.7.
[[nodiscard]] std::string format_date(UnixSeconds time);
/// "4000\r\n": the line before a chunk.
[[nodiscard]] std::string chunk_line(std::size_t size);

}  // namespace bonus::runtime::http
