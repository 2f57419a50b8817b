// Requests to a node and reading of its answers.
#include "bonus/cli/node_api.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <charconv>

#include "bonus/cli/console.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
const json::value kNull;
constexpr std::size_t kMaxLineBytes = 1 << 20;

ErrorCode code_of_status(int status) {
  switch (status) {
    case 400:
      return ErrorCode::kInvalid;
    case 401:
    case 403:
      return ErrorCode::kDenied;
    case 404:
      return ErrorCode::kNotFound;
    case 409:
      return ErrorCode::kConflict;
    case 429:
      return ErrorCode::kExhausted;
    case 502:
    case 503:
      return ErrorCode::kUnavailable;
    case 504:
      return ErrorCode::kTimeout;
    default:
      return ErrorCode::kInternal;
  }
}

std::optional<ErrorCode> code_of_name(std::string_view name) {
  for (unsigned i = 0; i <= static_cast<unsigned>(ErrorCode::kInternal); ++i)
    if (code_name(static_cast<ErrorCode>(i)) == name) return static_cast<ErrorCode>(i);
  return std::nullopt;
}

void write_pretty(std::string& out, const json::value& value, std::size_t indent) {
  const std::string pad(indent + 2, ' ');
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    out += "{\n";
    std::string_view comma;
    for (const auto& item : *object) {
      out += fmt::format("{}{}{}: ", comma, pad, json::serialize(json::value(item.key())));
      write_pretty(out, item.value(), indent + 2);
      comma = ",\n";
    }
    out += "\n" + std::string(indent, ' ') + "}";
  } else if (const auto* array = value.if_array(); array != nullptr && !array->empty()) {
    out += "[\n";
    std::string_view comma;
    for (const auto& item : *array) {
      out += fmt::format("{}{}", comma, pad);
      write_pretty(out, item, indent + 2);
      comma = ",\n";
    }
    out += "\n" + std::string(indent, ' ') + "]";
  } else {
    out += json::serialize(value);
  }
}

}  // namespace

Result<std::string> sign_request(const crypto::SecretKey256& key, std::string_view method, std::string_view path,
                                 UnixSeconds now) {
  TRY_ASSIGN(const auto address, crypto::address_of(key));
  const std::string message = fmt::format("bonus-api/v1\n{}\n{}\n{}", method, path, now);
  TRY_ASSIGN(const auto signature, crypto::secp256k1_sign(key, crypto::personal_message_hash(as_bytes(message))));
  return fmt::format("Bonus {}:{}:0x{}{}{:02x}", crypto::to_checksum(address), now, to_hex(signature.r.view()),
                     to_hex(signature.s.view()), 27 + signature.recovery);
}

Error api_error(int status, std::string_view body, std::string_view what) {
  boost::system::error_code bad;
  const json::value root = json::parse(body, bad);
  if (!bad) {
    const json::value& error = json_member(root, "error");
    const std::string message = json_text(error, "message");
    if (!message.empty())
      return {code_of_name(json_text(error, "code")).value_or(code_of_status(status)), printable(message)};
  }
  return {code_of_status(status), fmt::format("{}: the node answered HTTP {}", what, status)};
}

namespace {

Result<runtime::http::ClientRequest> wire_request(const ApiRequest& request) {
  runtime::http::ClientRequest wire;
  wire.method = request.method;
  wire.url = request.url;
  wire.timeout = request.timeout;
  if (!request.body.empty()) {
    wire.body.assign(request.body.begin(), request.body.end());
    wire.headers.set("Content-Type", request.content_type);
  }
  if (request.key) {
    TRY_ASSIGN(auto header,
               sign_request(*request.key, request.method, path_of_url(request.url), runtime::system_clock().unix_s()));
    wire.headers.set("Authorization", std::move(header));
  }
  return wire;
}

Error unreachable(Error error) {
  if (error.code == ErrorCode::kTimeout || error.code == ErrorCode::kIo) error.code = ErrorCode::kUnavailable;
  if (error.code == ErrorCode::kUnavailable) error.message += "; is the node running? (bonus devnet status)";
  return error;
}

runtime::Task<Result<>> read_lines(runtime::http::ClientRequest wire, std::function<void(std::string_view)> line) {
  const std::string url = wire.url;
  auto response = co_await runtime::http::send(std::move(wire));
  if (!response) co_return fail(unreachable(std::move(response).error()));
  if ((*response)->status() / 100 != 2) {
    CO_TRY_ASSIGN(const auto body, co_await (*response)->read_all(64 << 10));
    co_return fail(api_error((*response)->status(), as_text(body), url));
  }
  std::string pending;
  std::array<std::uint8_t, 16384> buffer{};
  for (;;) {
    CO_TRY_ASSIGN(const auto got, co_await (*response)->read(buffer));
    if (got == 0) break;
    pending.append(reinterpret_cast<const char*>(buffer.data()), got);
    std::size_t start = 0;
    for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n', start)) {
      line(std::string_view(pending).substr(start, end - start));
      start = end + 1;
    }
    pending.erase(0, start);
    if (pending.size() > kMaxLineBytes) co_return fail(ErrorCode::kExhausted, "a line of more than 1 MiB");
  }
  if (!pending.empty()) line(pending);
  co_return Result<>{};
}

}  // namespace

Result<> api_lines(const ApiRequest& request, const std::function<void(std::string_view)>& line) {
  TRY_ASSIGN(auto wire, wire_request(request));
  boost::asio::io_context io;
  Result<> result;
  auto task = read_lines(std::move(wire), line);
  boost::asio::co_spawn(io, std::move(task), [&](const std::exception_ptr& thrown, Result<> ended) {
    result = thrown ? fail(ErrorCode::kInternal, "reading the node's answer failed unexpectedly") : std::move(ended);
  });
  io.run();
  return result;
}

Result<json::value> api_call(const ApiRequest& request) {
  TRY_ASSIGN(auto wire, wire_request(request));
  auto response = runtime::http::send_blocking(std::move(wire), 64 << 20);
  if (!response) return fail(unreachable(std::move(response).error()));
  if (response->status / 100 != 2) return fail(api_error(response->status, as_text(response->body), request.url));
  if (response->body.empty()) return json::value(json::object{});
  boost::system::error_code bad;
  json::value out = json::parse(as_text(response->body), bad);
  if (bad) return fail(ErrorCode::kInvalid, fmt::format("{}: the answer is not JSON", request.url));
  return out;
}

Result<std::string> parse_node_url(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" is not the address of a node's local API such as http://127.0.0.1:7070", text));
  };
  std::string_view rest = text;
  if (rest.starts_with("https://"))
    return fail(ErrorCode::kUnsupported, "a node speaks http, not https; put a TLS proxy or an SSH tunnel before it");
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.size() > 255 || rest.find_first_of("/?#@ \t\r\n") != std::string_view::npos) return bad();
  const auto colon = rest.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return bad();
  const std::string_view port = rest.substr(colon + 1), host = rest.substr(0, colon);
  if (host.find(':') != std::string_view::npos && (host.front() != '[' || host.back() != ']')) return bad();
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number == 0) return bad();
  return "http://" + std::string(rest);
}

std::string path_of_url(std::string_view url) {
  const auto scheme = url.find("://");
  const auto slash = url.find('/', scheme == std::string_view::npos ? 0 : scheme + 3);
  if (slash == std::string_view::npos) return "/";
  return std::string(url.substr(slash, url.find('?', slash) - slash));
}

std::string url_escape(std::string_view text) {
  constexpr std::string_view kSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    if (kSafe.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

const json::value& json_member(const json::value& object, std::string_view name) {
  const auto* fields = object.if_object();
  const json::value* found = fields == nullptr ? nullptr : fields->if_contains(name);
  return found == nullptr ? kNull : *found;
}

std::string json_text(const json::value& object, std::string_view name) {
  const auto* text = json_member(object, name).if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

std::uint64_t json_number(const json::value& object, std::string_view name) {
  const json::value& value = json_member(object, name);
  if (value.is_uint64()) return value.get_uint64();
  if (value.is_int64() && value.get_int64() >= 0) return static_cast<std::uint64_t>(value.get_int64());
  return 0;
}

std::optional<double> json_real(const json::value& object, std::string_view name) {
  const json::value& value = json_member(object, name);
  if (!value.is_number()) return std::nullopt;
  return value.to_number<double>();
}

bool json_flag(const json::value& object, std::string_view name) {
  const auto* flag = json_member(object, name).if_bool();
  return flag != nullptr && *flag;
}

std::string pretty(const json::value& value) {
  std::string out;
  write_pretty(out, value, 0);
  return out;
}

}  // namespace bonus::cli
