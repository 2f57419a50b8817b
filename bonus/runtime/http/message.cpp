// URLs, percent-encoding and heads as text (RFC 3986, RFC 9110, RFC 9112), and the plain members of http.hpp.
#include "bonus/runtime/http/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace bonus::runtime::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/// Octets that RFC 9110 allows in a field name.
bool token_char(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

Result<> append_fields(std::string& out, const Headers& headers) {
  for (const auto& [name, value] : headers.all()) {
    if (name.empty() || !std::ranges::all_of(name, token_char))
      return fail(ErrorCode::kInvalid, fmt::format("the header name \"{}\" is not allowed", name));
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      return fail(ErrorCode::kInvalid, fmt::format("the value of header {} contains a line break", name));
    out.append(name).append(": ").append(value).append("\r\n");
  }
  out += "\r\n";
  return {};
}

bool is_control(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; }

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

bool has_token(const Headers& headers, std::string_view name, std::string_view token) {
  for (const auto& [field, value] : headers.all()) {
    if (!same_name(field, name)) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      auto item = rest.substr(0, comma);
      while (!item.empty() && (item.front() == ' ' || item.front() == '\t')) item.remove_prefix(1);
      while (!item.empty() && (item.back() == ' ' || item.back() == '\t')) item.remove_suffix(1);
      if (same_name(item, token)) return true;
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return false;
}

void Headers::set(std::string_view name, std::string value) {
  erase(name);
  add(name, std::move(value));
}
void Headers::add(std::string_view name, std::string value) {
  fields_.emplace_back(std::string(name), std::move(value));
}
void Headers::erase(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return same_name(field.first, name); });
}
std::optional<std::string> Headers::get(std::string_view name) const {
  for (const auto& [field, value] : fields_)
    if (same_name(field, name)) return value;
  return std::nullopt;
}

Result<Url> parse_url(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a usable URL: {}", text, why));
  };
  if (std::ranges::any_of(text, is_control)) return bad("it contains spaces or control characters");
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) return bad("the scheme (http://) is missing");
  Url out;
  const auto scheme = text.substr(0, colon);
  if (same_name(scheme, "https") || same_name(scheme, "wss"))
    out.tls = true;
  else if (!same_name(scheme, "http") && !same_name(scheme, "ws"))
    return bad("only http is understood");
  auto rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  const auto authority = rest.substr(0, end);
  out.target = std::string(rest.substr(end));
  if (out.target.empty() || out.target.front() != '/') out.target.insert(0, "/");
  if (authority.find('@') != std::string_view::npos) return bad("user names in URLs are not supported");
  out.authority = std::string(authority);
  auto host = authority;
  std::string_view port;
  if (host.starts_with('[')) {
    const auto close = host.find(']');
    if (close == std::string_view::npos) return bad("the address is not closed by ]");
    port = host.substr(close + 1);
    host = host.substr(1, close - 1);
    if (!port.empty() && port.front() != ':') return bad("stray characters follow the address");
    if (!port.empty()) port.remove_prefix(1);
  } else if (const auto at = host.rfind(':'); at != std::string_view::npos) {
    port = host.substr(at + 1);
    host = host.substr(0, at);
  }
  if (host.empty()) return bad("the host is missing");
  out.host = std::string(host);
  out.port = out.tls ? 443 : 80;
  if (!port.empty()) {
    const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc() || stop != port.data() + port.size() || out.port == 0)
      return bad("the port is not a number from 1 to 65535");
  }
  return out;
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return fail(ErrorCode::kInvalid, "a percent escape in the request target is cut off");
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0)
        return fail(ErrorCode::kInvalid, "a percent escape in the request target is not hexadecimal");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0') return fail(ErrorCode::kInvalid, "the request target contains a zero byte");
    out.push_back(c);
  }
  return out;
}

Result<> split_target(Request& request) {
  std::string_view target = request.target;
  if (target == "*") {
    request.path = "*";
    return {};
  }
  // Absolute form (RFC 9112, 3.2.2): clients that believe us to be a proxy.
  if (const auto scheme = target.find("://");
      scheme != std::string_view::npos && scheme <= 5 && target.front() != '/') {
    TRY_ASSIGN(const auto url, parse_url(target));
    request.target = url.target;
    request.headers.set("Host", url.authority);
    target = request.target;
  }
  if (target.empty() || target.front() != '/') return fail(ErrorCode::kInvalid, "the request target is not a path");
  const auto mark = target.find('?');
  TRY_ASSIGN(request.path, percent_decode(target.substr(0, mark), false));
  if (mark == std::string_view::npos) return {};
  auto rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const auto amp = std::min(rest.find('&'), rest.size());
    const auto pair = rest.substr(0, amp);
    rest = rest.substr(std::min(amp + 1, rest.size()));
    if (pair.empty()) continue;
    const auto equal = std::min(pair.find('='), pair.size());
    TRY_ASSIGN(auto name, percent_decode(pair.substr(0, equal), true));
    TRY_ASSIGN(auto value, percent_decode(pair.substr(std::min(equal + 1, pair.size())), true));
    request.query.insert_or_assign(std::move(name), std::move(value));
  }
  return {};
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

Result<std::string> format_response_head(int status, const Headers& headers) {
  if (status < 100 || status > 999) return fail(ErrorCode::kInvalid, fmt::format("{} is not an HTTP status", status));
  std::string out = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  if (auto fields = append_fields(out, headers); !fields) return fail(std::move(fields).error());
  return out;
}

Result<std::string> format_request_head(std::string_view method, std::string_view target, const Headers& headers) {
  if (method.empty() || !std::ranges::all_of(method, token_char))
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not an HTTP method", method));
  if (target.empty() || std::ranges::any_of(target, is_control))
    return fail(ErrorCode::kInvalid, "the request target is empty or contains spaces");
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", method, target);
  if (auto fields = append_fields(out, headers); !fields) return fail(std::move(fields).error());
  return out;
}

std::string format_date(UnixSeconds time) {
  constexpr std::array<const char*, 7> kDays{"Thu", "Fri", "Sat", "Sun",
                                             "Mon", "Tue", "Wed"};  // 1970-01-01 was a Thursday
  constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto days = std::chrono::days(static_cast<int>(time / 86400));
  const std::chrono::year_month_day date{std::chrono::sys_days(days)};
  const auto second = time % 86400;
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[(time / 86400) % 7],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), second / 3600, second / 60 % 60, second % 60);
}

std::string chunk_line(std::size_t size) { return fmt::format("{:x}\r\n", size); }

namespace {

template <class Source>
Task<Result<Bytes>> collect(Source& source, std::optional<std::string> length, std::size_t limit_bytes) {
  const auto too_long = [&] {
    return Error{ErrorCode::kExhausted, fmt::format("the body is longer than {} bytes", limit_bytes)};
  };
  Bytes out;
  if (length) {
    std::uint64_t announced = 0;
    std::from_chars(length->data(), length->data() + length->size(), announced);
    if (announced > limit_bytes) co_return fail(too_long());
    out.reserve(std::min<std::size_t>(static_cast<std::size_t>(announced), 1 << 20));
  }
  Bytes part(64 << 10);
  for (;;) {
    const std::span<std::uint8_t> span(part);
    CO_TRY_ASSIGN(const std::size_t n, co_await source.read(span));
    if (n == 0) co_return out;
    if (out.size() + n > limit_bytes) co_return fail(too_long());
    append(out, BytesView(part).first(n));
  }
}

}  // namespace

Task<Result<Bytes>> Exchange::read_all(std::size_t limit_bytes) {
  co_return co_await collect(*this, request().headers.get("Content-Length"), limit_bytes);
}
Task<Result<Bytes>> ClientResponse::read_all(std::size_t limit_bytes) {
  // Not the announced length: the answer to a HEAD request announces what it does not carry.
  co_return co_await collect(*this, std::nullopt, limit_bytes);
}

Task<Result<>> respond_text(Exchange& exchange, int status, std::string body, std::string content_type) {
  Headers headers;
  headers.set("Content-Type", std::move(content_type));
  Bytes bytes(body.begin(), body.end());
  co_return co_await exchange.respond(status, std::move(headers), std::move(bytes));
}
Task<Result<>> respond_json(Exchange& exchange, int status, std::string body) {
  co_return co_await respond_text(exchange, status, std::move(body), "application/json");
}

}  // namespace bonus::runtime::http
