// Answers of the gateway itself: HTML for browsers, JSON for programs. Pure.
#pragma once

#include <string>

#include "bonus/runtime/http/http.hpp"

namespace bonus::net::gateway {

struct Problem {
  int status = 502;
  std::string code;       ///< For programs: "lease_not_found".
  std::string title;      ///< For people, one short sentence.
  std::string detail;     ///< What happened.
  std::string hint;       ///< What to do about it.
  int retry_after_s = 0;  ///< 0: retrying by itself makes no sense.
};

struct Page {
  runtime::http::Headers headers;
  Bytes body;
};
/// By the Accept field: HTML when it names text/html, JSON otherwise.
[[nodiscard]] Page render(const Problem& problem, std::string_view accept);

}  // namespace bonus::net::gateway
