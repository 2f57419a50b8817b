// What a command prints: results on standard output (text or one JSON document), progress and errors on standard error.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/base/result.hpp"

namespace bonus::cli {

/// Exit codes of every command (docs/operating/cli.md). `exec` passes on the code of the command it ran.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNotFound = 3;  ///< The thing does not exist, or the node cannot be reached.
inline constexpr int kExitDenied = 4;
[[nodiscard]] int exit_code(ErrorCode code);
/// As in JSON: "not-found", "io".
[[nodiscard]] std::string code_name(ErrorCode code);
inline constexpr std::string_view kExitCodesText =
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found or unreachable, 4 denied.";

enum class Colour : std::uint8_t { kNone, kBold, kDim, kGreen, kYellow, kRed };

/// Not thread-safe. Colours and moving progress only on a terminal (and never with NO_COLOR, no-color.org).
class Console {
 public:
  Console(std::FILE* out, std::FILE* err, bool out_is_tty, bool err_is_tty, bool colours);
  /// Standard output and error of this process.
  [[nodiscard]] static Console standard();

  void set_json(bool json) { json_ = json; }
  [[nodiscard]] bool json() const { return json_; }
  [[nodiscard]] bool out_is_tty() const { return out_tty_; }
  [[nodiscard]] bool err_is_tty() const { return err_tty_; }

  void print(std::string_view line);       ///< A line of the result.
  void raw(std::string_view bytes);        ///< Bytes of the result as they are.
  void raw_error(std::string_view bytes);  ///< Bytes for standard error as they are.
  void note(std::string_view line);        ///< For people, on standard error; silent with --json.
  void warn(std::string_view line);
  void error(const Error& error);  ///< "error: ..." or, with --json, {"error":{"code","message"}}.
  /// A moving line on a terminal, replaced by the next one; otherwise one plain line for each new text.
  void progress(std::string_view text);
  /// The same with a bar; off a terminal only every tenth of the way is a line. total 0: unknown.
  void progress_bytes(std::string_view what, std::uint64_t done, std::uint64_t total);
  void end_progress();
  /// `text` in a colour for standard output, unchanged off a terminal.
  [[nodiscard]] std::string paint(Colour colour, std::string_view text) const;

 private:
  void line_to(std::FILE* file, std::string_view line);

  std::FILE *out_, *err_;
  bool out_tty_, err_tty_, colours_;
  bool json_ = false;
  bool moving_ = false;
  std::string last_progress_;
  std::uint64_t last_tenth_ = UINT64_MAX;
};

/// Columns aligned by spaces, header in upper case. Cells may hold UTF-8; widths count code points.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] std::string to_string() const;  ///< Ends with a line break.

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

/// A line of text from a peer or a container, without control characters that could drive the terminal.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace bonus::cli
