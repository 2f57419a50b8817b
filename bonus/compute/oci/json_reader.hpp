// Strict access to JSON documents of strangers: every failure names the field. For .cpp files of this folder.
#pragma once

#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>
#include <string>
#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::compute::oci::json {

namespace bj = boost::json;

[[nodiscard]] inline Result<bj::object> parse_object(BytesView text, std::size_t limit_bytes, std::string_view what) {
  if (text.size() > limit_bytes)
    return fail(ErrorCode::kExhausted, fmt::format("{} has more than {} bytes", what, limit_bytes));
  try {
    bj::error_code error;
    bj::parse_options options;
    options.max_depth = 32;
    auto value = bj::parse(bj::string_view(as_text(text)), error, {}, options);
    if (error) return fail(ErrorCode::kInvalid, fmt::format("{} is not JSON: {}", what, error.message()));
    if (!value.is_object()) return fail(ErrorCode::kInvalid, fmt::format("{} is not a JSON object", what));
    return std::move(value.get_object());
  } catch (const std::exception& e) {
    return fail(ErrorCode::kInvalid, fmt::format("{}: {}", what, e.what()));
  }
}

[[nodiscard]] inline std::unexpected<Error> wrong(std::string_view field, std::string_view expected) {
  return fail(ErrorCode::kInvalid, fmt::format("{} must be {}", field, expected));
}
/// null counts as absent, as Go's encoders write it.
[[nodiscard]] inline const bj::value* find(const bj::object& object, std::string_view key) {
  const auto* value = object.if_contains(bj::string_view(key));
  return value == nullptr || value->is_null() ? nullptr : value;
}

[[nodiscard]] inline Result<std::string> text(const bj::object& object, std::string_view key, std::size_t limit,
                                              bool required) {
  const auto* value = find(object, key);
  if (value == nullptr) {
    if (required) return fail(ErrorCode::kInvalid, fmt::format("{} is missing", key));
    return std::string();
  }
  if (!value->is_string() || value->get_string().size() > limit || value->get_string().find('\0') != bj::string::npos)
    return wrong(key, fmt::format("text of at most {} bytes", limit));
  return std::string(value->get_string());
}

[[nodiscard]] inline Result<std::uint64_t> number(const bj::object& object, std::string_view key, std::uint64_t limit) {
  const auto* value = find(object, key);
  if (value == nullptr) return fail(ErrorCode::kInvalid, fmt::format("{} is missing", key));
  if (!value->is_int64() || value->get_int64() < 0 || static_cast<std::uint64_t>(value->get_int64()) > limit)
    return wrong(key, fmt::format("a whole number up to {}", limit));
  return static_cast<std::uint64_t>(value->get_int64());
}

[[nodiscard]] inline Result<std::vector<std::string>> texts(const bj::object& object, std::string_view key,
                                                            std::size_t limit, std::size_t limit_bytes) {
  std::vector<std::string> out;
  const auto* value = find(object, key);
  if (value == nullptr) return out;
  if (!value->is_array() || value->get_array().size() > limit)
    return wrong(key, fmt::format("a list of at most {}", limit));
  for (const auto& item : value->get_array()) {
    if (!item.is_string() || item.get_string().size() > limit_bytes || item.get_string().find('\0') != bj::string::npos)
      return wrong(key, fmt::format("a list of texts of at most {} bytes", limit_bytes));
    out.emplace_back(item.get_string());
  }
  return out;
}

[[nodiscard]] inline Result<std::map<std::string, std::string>> text_map(const bj::object& object, std::string_view key,
                                                                         std::size_t limit) {
  std::map<std::string, std::string> out;
  const auto* value = find(object, key);
  if (value == nullptr) return out;
  if (!value->is_object() || value->get_object().size() > limit)
    return wrong(key, fmt::format("at most {} pairs of texts", limit));
  for (const auto& [name, item] : value->get_object()) {
    if (!item.is_string()) return wrong(key, "pairs of texts");
    out.emplace(std::string(name), std::string(item.get_string()));
  }
  return out;
}

}  // namespace bonus::compute::oci::json
