// Printing for people and for programs.
#include "bonus/cli/console.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>

namespace bonus::cli {
namespace {

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string_view code_of(Colour colour) {
  switch (colour) {
    case Colour::kBold:
      return "1";
    case Colour::kDim:
      return "2";
    case Colour::kGreen:
      return "32";
    case Colour::kYellow:
      return "33";
    case Colour::kRed:
      return "31";
    case Colour::kNone:
      break;
  }
  return "0";
}

}  // namespace

int exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kNotFound:
    case ErrorCode::kUnavailable:
      return kExitNotFound;
    case ErrorCode::kDenied:
      return kExitDenied;
    default:
      return kExitFailed;
  }
}

std::string code_name(ErrorCode code) {
  if (code == ErrorCode::kIo) return "io";
  std::string out(to_string(code));
  std::ranges::replace(out, ' ', '-');
  return out;
}

Console::Console(std::FILE* out, std::FILE* err, bool out_is_tty, bool err_is_tty, bool colours)
    : out_(out), err_(err), out_tty_(out_is_tty), err_tty_(err_is_tty), colours_(colours) {}

Console Console::standard() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  const bool out_tty = isatty(STDOUT_FILENO) == 1, err_tty = isatty(STDERR_FILENO) == 1 && !dumb;
  return {stdout, stderr, out_tty, err_tty, (no_colour == nullptr || *no_colour == '\0') && !dumb};
}

void Console::line_to(std::FILE* file, std::string_view line) {
  if (moving_) {
    std::fputs("\r\x1b[K", err_);
    moving_ = false;
  }
  std::fwrite(line.data(), 1, line.size(), file);
  std::fputc('\n', file);
  std::fflush(file);
}

void Console::print(std::string_view line) { line_to(out_, line); }

void Console::raw(std::string_view bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), out_);
  std::fflush(out_);
}

void Console::raw_error(std::string_view bytes) {
  std::fwrite(bytes.data(), 1, bytes.size(), err_);
  std::fflush(err_);
}

void Console::note(std::string_view line) {
  if (!json_) line_to(err_, line);
}

void Console::warn(std::string_view line) {
  const bool colour = err_tty_ && colours_;
  line_to(err_, fmt::format("{}warning:{} {}", colour ? "\x1b[33m" : "", colour ? "\x1b[0m" : "", line));
}

void Console::error(const Error& error) {
  if (json_) {
    boost::json::object body{{"code", code_name(error.code)}, {"message", error.message}};
    line_to(err_, boost::json::serialize(boost::json::object{{"error", std::move(body)}}));
    return;
  }
  const bool colour = err_tty_ && colours_;
  line_to(err_,
          fmt::format("{}error:{} {}", colour ? "\x1b[31m" : "", colour ? "\x1b[0m" : "", printable(error.message)));
}

void Console::progress(std::string_view text) {
  if (text == last_progress_) return;
  last_progress_ = text;
  last_tenth_ = UINT64_MAX;
  if (err_tty_) {
    fmt::print(err_, "\r\x1b[K{}", text);
    std::fflush(err_);
    moving_ = true;
  } else {
    note(text);
  }
}

void Console::progress_bytes(std::string_view what, std::uint64_t done, std::uint64_t total) {
  constexpr std::size_t kBarWidth = 24;
  const std::uint64_t tenth = total == 0 ? 0 : std::min<std::uint64_t>(done, total) * 10 / total;
  const std::string text = total == 0
                               ? fmt::format("{}: {:.1f} MiB", what, static_cast<double>(done) / 1048576)
                               : fmt::format("{}: {:.1f} of {:.1f} MiB", what, static_cast<double>(done) / 1048576,
                                             static_cast<double>(total) / 1048576);
  if (err_tty_) {
    std::string bar;
    if (total != 0) {
      const auto full = static_cast<std::size_t>(std::min<std::uint64_t>(done, total) * kBarWidth / total);
      bar = fmt::format(" [{}{}]", std::string(full, '#'), std::string(kBarWidth - full, '.'));
    }
    last_progress_ = text;
    fmt::print(err_, "\r\x1b[K{}{}", text, bar);
    std::fflush(err_);
    moving_ = true;
    return;
  }
  if (tenth == last_tenth_) return;
  last_tenth_ = tenth;
  note(text);
}

void Console::end_progress() {
  if (moving_) {
    std::fputs("\r\x1b[K", err_);
    std::fflush(err_);
    moving_ = false;
  }
  last_progress_.clear();
  last_tenth_ = UINT64_MAX;
}

std::string Console::paint(Colour colour, std::string_view text) const {
  if (!out_tty_ || !colours_ || json_ || colour == Colour::kNone) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code_of(colour), text);
}

std::string Table::to_string() const {
  std::vector<std::size_t> widths(header_.size(), 0);
  const auto measure = [&](const std::vector<std::string>& row) {
    for (std::size_t i = 0; i < widths.size() && i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  };
  measure(header_);
  for (const auto& row : rows_) measure(row);
  std::string out;
  const auto write = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      const std::string& cell = i < row.size() ? row[i] : std::string();
      line += cell;
      if (i + 1 < widths.size()) line.append(widths[i] - std::min(width_of(cell), widths[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  write(header_);
  for (const auto& row : rows_) write(row);
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '\n' || c == '\t' || (u >= 0x20 && u != 0x7f)) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", u);
    }
  }
  return out;
}

}  // namespace bonus::cli
