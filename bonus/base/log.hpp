// Structured log: one line per event, `level time module event key=value ...`, or one JSON object per line.
#pragma once

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "bonus/base/result.hpp"

namespace bonus::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError };

struct Field {
  std::string_view key;
  std::string value;
  template <class T>
  Field(std::string_view k, const T& v) : key(k), value(fmt::format("{}", v)) {}
};

struct Options {
  Level level = Level::kInfo;
  bool json = false;
  std::string file;  ///< Empty: standard error. A file is rotated at 16 MiB, five are kept.
};
/// Once, at the start of a program. Thread-safe afterwards, as are all functions below.
void configure(const Options& options);
[[nodiscard]] Result<Level> parse_level(std::string_view text);
void write(Level level, std::string_view module, std::string_view event, std::initializer_list<Field> fields);

inline void debug(std::string_view module, std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::kDebug, module, event, fields);
}
inline void info(std::string_view module, std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::kInfo, module, event, fields);
}
inline void warn(std::string_view module, std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::kWarn, module, event, fields);
}
inline void error(std::string_view module, std::string_view event, std::initializer_list<Field> fields = {}) {
  write(Level::kError, module, event, fields);
}

}  // namespace bonus::log
