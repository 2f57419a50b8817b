// Rendering of problems.
#include "bonus/net/gateway/error_page.hpp"

#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace bonus::net::gateway {
namespace {

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html(const Problem& problem) {
  const auto refresh = problem.retry_after_s > 0
                           ? fmt::format("<meta http-equiv=\"refresh\" content=\"{}\">\n", problem.retry_after_s)
                           : std::string();
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n{}<title>{} {}</title>\n"
      "<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:4em auto;padding:0 "
      "1em}}small{{color:#666}}</style>\n"
      "</head>\n<body>\n<h1>{}</h1>\n<p>{}</p>\n<p>{}</p>\n<small>BonusCloud gateway, HTTP {} "
      "{}</small>\n</body>\n</html>\n",
      refresh, problem.status, escape(problem.title), escape(problem.title), escape(problem.detail),
      escape(problem.hint), problem.status, escape(problem.code));
}

std::string json(const Problem& problem) {
  boost::json::object error;
  error["status"] = problem.status;
  error["code"] = problem.code;
  error["message"] = problem.title + " " + problem.detail;
  error["hint"] = problem.hint;
  boost::json::object out;
  out["error"] = std::move(error);
  return boost::json::serialize(out) + "\n";
}

}  // namespace

Page render(const Problem& problem, std::string_view accept) {
  const bool browser = accept.find("text/html") != std::string_view::npos;
  const auto text = browser ? html(problem) : json(problem);
  Page out;
  out.headers.set("Content-Type", browser ? "text/html; charset=utf-8" : "application/json");
  out.headers.set("Cache-Control", "no-store");
  if (problem.retry_after_s > 0) out.headers.set("Retry-After", std::to_string(problem.retry_after_s));
  out.body.assign(text.begin(), text.end());
  return out;
}

}  // namespace bonus::net::gateway
