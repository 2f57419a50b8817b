// The table of configuration keys. Internal to the parser of bonus/node/config.hpp.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bonus/node/config.hpp"

namespace bonus::node::config_internal {

/// A TOML value without the TOML library.
struct Field;
struct Value {
  using List = std::vector<Value>;
  using Table = std::vector<Field>;
  std::variant<std::string, std::int64_t, double, bool, List, Table> v;
  std::uint32_t line = 0;
};
struct Field {
  std::string name;
  Value value;
};

/// What setters need besides the value.
struct Context {
  Config& config;
  std::string base_dir;  ///< For relative paths.
};

struct Key {
  std::string_view section, name;
  std::string_view kind;      ///< For people: "path", "host:port", "size", ...
  std::string_view fallback;  ///< The default as a TOML literal; empty: no default.
  std::string_view sample;    ///< Shown in the example when there is no default.
  std::string_view doc;
  Result<> (*set)(Context&, const Value&);
};

[[nodiscard]] std::span<const Key> keys();
[[nodiscard]] std::string_view section_doc(std::string_view section);

/// Checks that involve several keys; each problem is appended as "key: what is wrong".
void check_together(const Config& config, std::vector<std::string>& problems);

}  // namespace bonus::node::config_internal
