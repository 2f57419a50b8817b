// Encoding of the lease services.
#include "bonus/node/lease_protocol.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>

#include "bonus/codec/rlp.hpp"
#include "bonus/node/wire.hpp"

namespace bonus::node {

using runtime::ByteStream;
using runtime::Task;

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxAuthorizationBytes = 512;
constexpr std::size_t kMaxErrorBytes = 1024;

Task<Result<Bytes>> read_exactly(ByteStream& stream, std::size_t n) {
  Bytes out(n);
  std::size_t done = 0;
  while (done < n) {
    auto task = stream.read(std::span(out).subspan(done));
    CO_TRY_ASSIGN(const std::size_t got, co_await std::move(task));
    if (got == 0) co_return fail(ErrorCode::kUnavailable, "the stream has ended");
    done += got;
  }
  co_return out;
}

Result<std::uint16_t> small_number(const boost::json::value& value, std::string_view key) {
  if (const auto* n = value.if_int64(); n != nullptr && *n > 0 && *n <= 10'000) return static_cast<std::uint16_t>(*n);
  return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is a number from 1 to 10000", key));
}

Result<boost::json::object> parse_object(std::string_view text) {
  boost::system::error_code error;
  auto value = boost::json::parse(text, error);
  if (error) return fail(ErrorCode::kInvalid, fmt::format("not valid JSON: {}", error.message()));
  if (!value.is_object()) return fail(ErrorCode::kInvalid, "expected a JSON object");
  return value.as_object();
}

std::string text_of(const boost::json::value& value) {
  const auto& text = value.as_string();
  return {text.data(), text.size()};
}

}  // namespace

std::string service_name(LeaseService service) {
  constexpr std::array<const char*, 4> kNames{"lease.connect", "lease.logs", "lease.exec", "lease.inspect"};
  return kNames[static_cast<std::size_t>(service)];
}

Bytes LeaseRequest::encode() const {
  rlp::Encoder out;
  out.begin_list().number(lease).number(port).number(follow ? 1 : 0).number(tail).text(authorization).end_list();
  Bytes bytes{kVersion};
  append(bytes, out.take());
  return bytes;
}

Result<LeaseRequest> LeaseRequest::decode(BytesView in) {
  if (in.empty() || in[0] != kVersion) return fail(ErrorCode::kUnsupported, "unknown version of a lease request");
  rlp::Decoder outer(in.subspan(1));
  TRY_ASSIGN(auto list, outer.list());
  if (auto end = outer.expect_end(); !end) return fail(std::move(end).error());
  LeaseRequest out;
  TRY_ASSIGN(out.lease, list.number());
  TRY_ASSIGN(const auto port, list.number());
  TRY_ASSIGN(const auto follow, list.number());
  TRY_ASSIGN(out.tail, list.number());
  TRY_ASSIGN(const auto authorization, list.bytes());
  if (auto end = list.expect_end(); !end) return fail(std::move(end).error());
  if (port > 65535 || follow > 1 || authorization.size() > kMaxAuthorizationBytes)
    return fail(ErrorCode::kInvalid, "a field of the lease request is out of range");
  out.port = static_cast<std::uint16_t>(port);
  out.follow = follow == 1;
  out.authorization = as_text(authorization);
  return out;
}

std::string LeaseRequest::path(LeaseService service) const {
  switch (service) {
    case LeaseService::kConnect:
      return fmt::format("/v1/leases/{}/connect/{}", lease, port);
    case LeaseService::kLogs:
      return fmt::format("/v1/leases/{}/logs", lease);
    case LeaseService::kExec:
      return fmt::format("/v1/leases/{}/exec", lease);
    case LeaseService::kInspect:
      break;
  }
  return fmt::format("/v1/leases/{}", lease);
}

Task<Result<>> write_head(ByteStream& stream, Result<> outcome) {
  Bytes out;
  if (outcome) {
    out.push_back(0);
  } else {
    std::string message = outcome.error().message.substr(0, kMaxErrorBytes);
    out.push_back(static_cast<std::uint8_t>(static_cast<std::uint8_t>(outcome.error().code) + 1));
    put_u32(out, static_cast<std::uint32_t>(message.size()));
    append(out, as_bytes(message));
  }
  auto task = stream.write(out);
  co_return co_await std::move(task);
}

Task<Result<>> read_head(ByteStream& stream) {
  auto first = read_exactly(stream, 1);
  CO_TRY_ASSIGN(const auto code, co_await std::move(first));
  if (code[0] == 0) co_return Result<>();
  if (code[0] > static_cast<std::uint8_t>(ErrorCode::kInternal) + 1)
    co_return fail(ErrorCode::kInvalid, "the worker's answer is not understood");
  auto second = read_exactly(stream, 4);
  CO_TRY_ASSIGN(const auto raw, co_await std::move(second));
  ByteReader in(raw);
  const std::uint32_t length = in.u32().value_or(0);
  if (length > kMaxErrorBytes) co_return fail(ErrorCode::kInvalid, "the worker's answer is too long");
  auto third = read_exactly(stream, length);
  CO_TRY_ASSIGN(const auto message, co_await std::move(third));
  co_return fail(static_cast<ErrorCode>(code[0] - 1), std::string(as_text(message)));
}

Task<Result<>> write_frame(ByteStream& stream, ExecChannel channel, BytesView data) {
  Bytes out;
  out.reserve(data.size() + 5);
  out.push_back(static_cast<std::uint8_t>(channel));
  put_u32(out, static_cast<std::uint32_t>(data.size()));
  append(out, data);
  auto task = stream.write(out);
  co_return co_await std::move(task);
}

Task<Result<ExecFrame>> read_frame(ByteStream& stream) {
  auto first = read_exactly(stream, 5);
  CO_TRY_ASSIGN(const auto head, co_await std::move(first));
  ByteReader in(BytesView(head).subspan(1));
  const std::uint32_t length = in.u32().value_or(0);
  if (head[0] > static_cast<std::uint8_t>(ExecChannel::kRequest) || length > kMaxExecFrameBytes)
    co_return fail(ErrorCode::kInvalid, "malformed exec frame");
  auto second = read_exactly(stream, length);
  ExecFrame frame;
  frame.channel = static_cast<ExecChannel>(head[0]);
  CO_TRY_ASSIGN(frame.data, co_await std::move(second));
  co_return frame;
}

Result<compute::ExecRequest> parse_exec_request(std::string_view json) {
  TRY_ASSIGN(const auto object, parse_object(json));
  compute::ExecRequest out;
  for (const auto& [name, value] : object) {
    const std::string_view key(name.data(), name.size());
    if (key == "argv") {
      const auto* list = value.if_array();
      if (list == nullptr || list->size() > 256)
        return fail(ErrorCode::kInvalid, "\"argv\" is a list of at most 256 strings");
      for (const auto& item : *list) {
        if (!item.is_string()) return fail(ErrorCode::kInvalid, "\"argv\" is a list of strings");
        out.argv.push_back(text_of(item));
      }
    } else if (key == "tty") {
      if (!value.is_bool()) return fail(ErrorCode::kInvalid, "\"tty\" is true or false");
      out.tty = value.as_bool();
    } else if (key == "columns") {
      TRY_ASSIGN(out.columns, small_number(value, key));
    } else if (key == "rows") {
      TRY_ASSIGN(out.rows, small_number(value, key));
    } else if (key == "env") {
      const auto* table = value.if_object();
      if (table == nullptr || table->size() > 256)
        return fail(ErrorCode::kInvalid, "\"env\" is an object of at most 256 strings");
      for (const auto& [variable, content] : *table) {
        if (!content.is_string()) return fail(ErrorCode::kInvalid, "the values of \"env\" are strings");
        out.env[std::string(variable.data(), variable.size())] = text_of(content);
      }
    } else {
      return fail(ErrorCode::kInvalid, fmt::format("unknown key \"{}\"; known are argv, tty, columns, rows, env", key));
    }
  }
  if (out.argv.empty() || out.argv[0].empty()) return fail(ErrorCode::kInvalid, "\"argv\" names no program");
  return out;
}

Result<TerminalSize> parse_resize(std::string_view json) {
  TRY_ASSIGN(const auto object, parse_object(json));
  TerminalSize out;
  const auto* columns = object.if_contains("columns");
  const auto* rows = object.if_contains("rows");
  if (columns == nullptr || rows == nullptr) return fail(ErrorCode::kInvalid, "a size has columns and rows");
  TRY_ASSIGN(out.columns, small_number(*columns, "columns"));
  TRY_ASSIGN(out.rows, small_number(*rows, "rows"));
  return out;
}

}  // namespace bonus::node
