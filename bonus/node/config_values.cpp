// Checks of single configuration values.
#include "bonus/node/config_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "bonus/base/parse.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::node::config_internal {

Result<std::string> text_of(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.v)) return *text;
  return fail(ErrorCode::kInvalid, "expected a string in quotes");
}
Result<> set_text(std::string& out, const Value& value) {
  TRY_ASSIGN(out, text_of(value));
  return {};
}
Result<> set_origin(std::string& out, const Value& value) {
  if (!std::holds_alternative<Value::List>(value.v)) return set_text(out, value);
  std::vector<std::string> origins;
  if (auto set = set_list(origins, value); !set) return set;
  if (origins.size() > 1) return fail(ErrorCode::kInvalid, "one origin, or \"*\" for all");
  out = origins.empty() ? "" : origins.front();
  return {};
}
Result<> set_bool(bool& out, const Value& value) {
  const auto* flag = std::get_if<bool>(&value.v);
  if (flag == nullptr) return fail(ErrorCode::kInvalid, "expected true or false");
  out = *flag;
  return {};
}
Result<> set_path(std::string& out, const Context& context, const Value& value) {
  TRY_ASSIGN(const auto text, text_of(value));
  if (text.find('\0') != std::string::npos) return fail(ErrorCode::kInvalid, "a path contains no NUL");
  if (text.empty() || context.base_dir.empty()) {
    out = text;
  } else {
    out = (std::filesystem::path(context.base_dir) / text).lexically_normal().string();
  }
  return {};
}
Result<> set_number(std::uint64_t& out, const Value& value, std::uint64_t low, std::uint64_t high) {
  const auto* number = std::get_if<std::int64_t>(&value.v);
  if (number == nullptr) return fail(ErrorCode::kInvalid, "expected a whole number");
  if (*number < 0 || static_cast<std::uint64_t>(*number) < low || static_cast<std::uint64_t>(*number) > high)
    return fail(ErrorCode::kInvalid, fmt::format("{} is outside {}..{}", *number, low, high));
  out = static_cast<std::uint64_t>(*number);
  return {};
}
Result<> set_size(std::uint64_t& out, const Value& value, std::uint64_t low) {
  if (const auto* number = std::get_if<std::int64_t>(&value.v); number != nullptr && *number >= 0) {
    out = static_cast<std::uint64_t>(*number);
  } else {
    TRY_ASSIGN(const auto text, text_of(value));
    TRY_ASSIGN(out, parse_size(text));
  }
  if (out < low) return fail(ErrorCode::kInvalid, fmt::format("at least {} bytes are needed", low));
  return {};
}
Result<> set_mebibytes(std::uint32_t& out, const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value.v); text != nullptr && *text == "auto") {
    out = 0;
    return {};
  }
  std::uint64_t bytes = 0;
  if (auto set = set_size(bytes, value, 1 << 20); !set) return set;
  if ((bytes >> 20) > UINT32_MAX) return fail(ErrorCode::kInvalid, "the size is too large");
  out = static_cast<std::uint32_t>(bytes >> 20);
  return {};
}
Result<> set_cpu(std::uint32_t& out, const Value& value) {
  std::string text;
  if (const auto* number = std::get_if<std::int64_t>(&value.v)) {
    text = std::to_string(*number);
  } else if (const auto* real = std::get_if<double>(&value.v)) {
    text = fmt::format("{}", *real);
  } else {
    TRY_ASSIGN(text, text_of(value));
  }
  if (text == "auto") {
    out = 0;
    return {};
  }
  TRY_ASSIGN(const auto cpu, parse_cpu(text));
  out = cpu.value;
  return {};
}
Result<> set_bnc(uint256& out, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value.v); number != nullptr && *number >= 0) {
    TRY_ASSIGN(out, parse_bnc(std::to_string(*number)));
    return {};
  }
  if (std::holds_alternative<double>(value.v))
    return fail(ErrorCode::kInvalid,
                "write the amount in quotes, such as \"0.25\": money is never a floating-point number");
  TRY_ASSIGN(const auto text, text_of(value));
  TRY_ASSIGN(out, parse_bnc(text));
  return {};
}
Result<> check_host_port(std::string_view text) {
  TRY_ASSIGN(const auto address, parse_listen(text));
  if (address.port == 0) return fail(ErrorCode::kInvalid, fmt::format("\"{}\" needs a port other than 0", text));
  return {};
}
Result<> set_listen(ListenAddress& out, std::string_view key, const Value& value) {
  TRY_ASSIGN(const auto text, text_of(value));
  out = {};
  if (!text.empty()) {
    TRY_ASSIGN(out, parse_listen(text));
  }
  out.key = key;
  return {};
}
Result<> set_list(std::vector<std::string>& out, const Value& value) {
  const auto* list = std::get_if<Value::List>(&value.v);
  if (list == nullptr) return fail(ErrorCode::kInvalid, "expected a list such as [\"a\", \"b\"]");
  if (list->size() > 256) return fail(ErrorCode::kInvalid, "at most 256 entries");
  out.clear();
  for (const auto& item : *list) {
    TRY_ASSIGN(out.emplace_back(), text_of(item));
  }
  return {};
}
Result<> set_roles(Config& config, const Value& value) {
  std::vector<std::string> roles;
  if (auto set = set_list(roles, value); !set) return set;
  config.node.bookkeeper = config.node.worker = config.node.gateway = false;
  for (const auto& role : roles) {
    if (role == "bookkeeper") {
      config.node.bookkeeper = true;
    } else if (role == "worker") {
      config.node.worker = true;
    } else if (role == "gateway") {
      config.node.gateway = true;
    } else {
      return fail(ErrorCode::kInvalid,
                  fmt::format("\"{}\" is not a role: \"bookkeeper\", \"worker\", \"gateway\"", role));
    }
  }
  return {};
}
Result<> set_peers(std::vector<ConfigPeer>& out, const Value& value) {
  const auto* list = std::get_if<Value::List>(&value.v);
  if (list == nullptr) return fail(ErrorCode::kInvalid, "expected a list of {key = \"...\", endpoint = \"host:port\"}");
  if (list->size() > 1024) return fail(ErrorCode::kInvalid, "at most 1024 peers");
  out.clear();
  for (const auto& item : *list) {
    const auto* table = std::get_if<Value::Table>(&item.v);
    if (table == nullptr)
      return fail(ErrorCode::kInvalid, "a peer is written {key = \"...\", endpoint = \"host:port\"}");
    std::string key, endpoint, id;
    for (const auto& [name, field] : *table) {
      if (name == "key") {
        TRY_ASSIGN(key, text_of(field));
      } else if (name == "endpoint") {
        TRY_ASSIGN(endpoint, text_of(field));
      } else if (name == "id") {
        TRY_ASSIGN(id, text_of(field));
      } else {
        return fail(ErrorCode::kInvalid, fmt::format("a peer has no \"{}\"; known are key, endpoint and id", name));
      }
    }
    ConfigPeer peer;
    auto parsed = fixed_from_hex<Ed25519PublicKey>(key);
    if (!parsed) return fail(ErrorCode::kInvalid, "a peer's key is its Ed25519 public key, 64 hexadecimal digits");
    peer.key = *parsed;
    if (auto good = check_host_port(endpoint); !good) return good;
    peer.endpoint = endpoint;
    if (!id.empty()) {
      auto wanted = fixed_from_hex<NodeId>(id);
      if (!wanted || *wanted != crypto::node_id(peer.key))
        return fail(ErrorCode::kInvalid, fmt::format("the peer's id {} does not belong to its key", id));
    }
    out.push_back(std::move(peer));
  }
  return {};
}
Result<> set_tier(std::uint8_t& out, const Value& value) {
  TRY_ASSIGN(const auto text, text_of(value));
  constexpr std::array<std::string_view, 3> kTiers{"lite", "normal", "super"};
  const auto found = std::ranges::find(kTiers, text);
  if (found == kTiers.end())
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a tier: \"lite\", \"normal\", \"super\"", text));
  out = static_cast<std::uint8_t>(found - kTiers.begin());
  return {};
}
Result<> set_region(std::string& out, const Value& value) {
  TRY_ASSIGN(const auto text, text_of(value));
  if (text.size() > 32 ||
      !std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }))
    return fail(ErrorCode::kInvalid, "a region has at most 32 of a-z, 0-9 and -");
  out = text;
  return {};
}
Result<> set_runtimes(std::uint8_t& out, const Value& value) {
  std::vector<std::string> names;
  if (auto set = set_list(names, value); !set) return set;
  out = 0;
  for (const auto& name : names) {
    if (name != "runc")
      return fail(ErrorCode::kInvalid, fmt::format("this version knows the runtime \"runc\", not \"{}\"", name));
    out = 1;
  }
  if (out == 0) return fail(ErrorCode::kInvalid, "name at least one runtime");
  return {};
}
Result<> set_level(log::Level& out, const Value& value) {
  TRY_ASSIGN(const auto text, text_of(value));
  auto level = log::parse_level(text);
  if (!level) return fail(std::move(level).error());
  out = *level;
  return {};
}
}  // namespace bonus::node::config_internal
