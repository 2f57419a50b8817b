// The structured log on spdlog: spdlog stamps level and time (UTC), this file formats the rest.
#include "bonus/base/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <exception>
#include <memory>

namespace bonus::log {
namespace {

constexpr std::size_t kFileBytes = 16U << 20U;
constexpr std::size_t kFilesKept = 5;

struct State {
  std::shared_ptr<spdlog::logger> logger;
  bool json = false;
};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

State make(const Options& options, spdlog::sink_ptr sink) {
  const char* pattern =
      options.json ? R"({"level":"%l","time":"%Y-%m-%dT%H:%M:%S.%eZ",%v})" : "%l %Y-%m-%dT%H:%M:%S.%eZ %v";
  auto logger = std::make_shared<spdlog::logger>("bonus", std::move(sink));
  logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern, spdlog::pattern_time_type::utc));
  logger->set_level(to_spdlog(options.level));
  logger->flush_on(spdlog::level::trace);  // A crash must not lose the lines that explain it.
  return State{std::move(logger), options.json};
}

/// Written by configure() only, which runs before any other thread exists.
State& state() {
  static State instance = make({}, std::make_shared<spdlog::sinks::stderr_sink_mt>());
  return instance;
}

/// Escapes as JSON strings do; in text lines too, so that foreign input cannot start a line of its own.
void append_quoted(std::string& out, std::string_view in) {
  out.push_back('"');
  for (const char c : in) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

bool plain(std::string_view in) {
  if (in.empty()) return false;
  for (const char c : in) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) return false;
  }
  return true;
}

std::string format_json(std::string_view module, std::string_view event, std::initializer_list<Field> fields) {
  std::string line = "\"module\":";
  append_quoted(line, module);
  line += ",\"event\":";
  append_quoted(line, event);
  for (const Field& field : fields) {
    line.push_back(',');
    append_quoted(line, field.key);
    line.push_back(':');
    append_quoted(line, field.value);
  }
  return line;
}

std::string format_text(std::string_view module, std::string_view event, std::initializer_list<Field> fields) {
  std::string line(module);
  line.push_back(' ');
  line += event;
  for (const Field& field : fields) {
    line.push_back(' ');
    line += field.key;
    line.push_back('=');
    if (plain(field.value)) {
      line += field.value;
    } else {
      append_quoted(line, field.value);
    }
  }
  return line;
}

}  // namespace

void configure(const Options& options) {
  if (options.file.empty()) {
    state() = make(options, std::make_shared<spdlog::sinks::stderr_sink_mt>());
    return;
  }
  try {
    state() =
        make(options, std::make_shared<spdlog::sinks::rotating_file_sink_mt>(options.file, kFileBytes, kFilesKept - 1));
  } catch (const std::exception& error) {
    state() = make(options, std::make_shared<spdlog::sinks::stderr_sink_mt>());
    warn("log", "file_unusable", {{"file", options.file}, {"error", error.what()}, {"instead", "standard error"}});
  }
}

Result<Level> parse_level(std::string_view text) {
  if (text == "debug") return Level::kDebug;
  if (text == "info") return Level::kInfo;
  if (text == "warn" || text == "warning") return Level::kWarn;
  if (text == "error") return Level::kError;
  return fail(ErrorCode::kInvalid, fmt::format("unknown log level '{}'; use debug, info, warn or error", text));
}

void write(Level level, std::string_view module, std::string_view event, std::initializer_list<Field> fields) {
  const State& current = state();
  const auto spd_level = to_spdlog(level);
  if (!current.logger->should_log(spd_level)) return;
  const std::string line = current.json ? format_json(module, event, fields) : format_text(module, event, fields);
  // spdlog reports a failing sink by itself (once a second, on standard error) and does not throw here.
  current.logger->log(spd_level, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace bonus::log
