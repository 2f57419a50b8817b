// CRI log format: "<RFC 3339 time> stdout|stderr P|F <text>".
#include "bonus/compute/vm/log_reader.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>

#include "bonus/runtime/disk.hpp"

namespace bonus::compute::vm {
namespace {

constexpr std::size_t kMaxLineBytes = 1 << 20;
constexpr std::size_t kMaxFileBytes = 1 << 30;
constexpr std::size_t kReadBytes = 64 << 10;

struct Parsed {
  std::string_view time, text;
  bool is_stderr = false, full = false;
};
std::optional<Parsed> parse_line(std::string_view line) {
  Parsed out;
  const std::size_t a = line.find(' ');
  if (a == std::string_view::npos) return std::nullopt;
  out.time = line.substr(0, a);
  std::string_view rest = line.substr(a + 1);
  if (!rest.starts_with("stdout ") && !rest.starts_with("stderr ")) return std::nullopt;
  out.is_stderr = rest.starts_with("stderr");
  rest.remove_prefix(7);
  if (rest.size() < 2 || rest[1] != ' ' || (rest[0] != 'F' && rest[0] != 'P')) return std::nullopt;
  out.full = rest[0] == 'F';
  out.text = rest.substr(2);
  return out;
}

// Offsets after each whole line.
std::vector<std::size_t> line_ends(std::string_view content) {
  std::vector<std::size_t> out;
  for (std::size_t at = 0; at < content.size();) {
    const std::size_t end = content.find('\n', at);
    if (end == std::string_view::npos) break;
    const auto parsed = parse_line(content.substr(at, end - at));
    if (parsed && parsed->full) out.push_back(end + 1);
    at = end + 1;
  }
  return out;
}

}  // namespace

UnixMillis parse_rfc3339(std::string_view text) {
  const auto digits = [&](std::size_t at, std::size_t count) -> std::optional<int> {
    if (text.size() < at + count) return std::nullopt;
    int value = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + count, value);
    if (error != std::errc() || end != text.data() + at + count) return std::nullopt;
    return value;
  };
  const auto year = digits(0, 4), month = digits(5, 2), day = digits(8, 2), hour = digits(11, 2),
             minute = digits(14, 2), second = digits(17, 2), milli = digits(20, 3);
  if (!year || !month || !day || !hour || !minute || !second) return 0;
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                            std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return 0;
  const auto since = sys_days(date).time_since_epoch() + hours(*hour) + minutes(*minute) + seconds(*second) +
                     milliseconds(milli.value_or(0));
  return duration_cast<milliseconds>(since).count();
}

LogReader::LogReader(std::string folder, std::size_t tail) : folder_(std::move(folder)) {
  if (tail > 0) seek_tail(tail);
}

std::string LogReader::name_of(std::uint64_t number) const { return fmt::format("{}/{:08}.log", folder_, number); }

std::vector<std::uint64_t> LogReader::numbers() const {
  std::vector<std::uint64_t> out;
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(folder_, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::uint64_t number = 0;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (failed == std::errc() && std::string_view(end) == ".log") out.push_back(number);
  }
  std::ranges::sort(out);
  return out;
}

void LogReader::seek_tail(std::size_t lines) {
  const auto all = numbers();
  std::size_t have = 0;
  for (auto it = all.rbegin(); it != all.rend(); ++it) {
    auto content = runtime::system_disk().read_file(name_of(*it), kMaxFileBytes);
    if (!content) continue;
    const auto ends = line_ends(as_text(*content));
    const std::size_t wanted = lines - have;
    Fd file(::open(name_of(*it).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) continue;
    const std::size_t start = ends.size() > wanted ? ends[ends.size() - wanted - 1] : 0;
    ::lseek(file.get(), static_cast<off_t>(start), SEEK_SET);
    file_ = std::move(file);
    number_ = *it;
    have += std::min(wanted, ends.size());
    if (have >= lines) return;
  }
}

// The next file in order; false when there is none (yet).
bool LogReader::advance_file() {
  for (const auto number : numbers()) {
    if (number <= number_) continue;
    Fd file(::open(name_of(number).c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) continue;  // rotated away in this moment
    file_ = std::move(file);
    number_ = number;
    buffer_.clear();
    return true;
  }
  return false;
}

void LogReader::take_line(std::string_view line, std::vector<LogLine>& out) {
  const auto parsed = parse_line(line);
  if (!parsed) return;
  std::string& pieces = partial_[parsed->is_stderr ? 1 : 0];
  pieces += parsed->text;
  if (!parsed->full && pieces.size() < kMaxLineBytes) return;
  out.push_back({parse_rfc3339(parsed->time), parsed->is_stderr, std::exchange(pieces, {})});
}

Result<std::vector<LogLine>> LogReader::next(std::size_t limit) {
  std::vector<LogLine> out;
  if (!file_ && !advance_file()) return out;
  std::string chunk(kReadBytes, '\0');
  while (out.size() < limit) {
    const ssize_t n = ::read(file_.get(), chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(os_error("reading the log in", folder_));
    if (n == 0) {
      // The writer finishes a file before it begins the next: if there is one, look for a last piece, then go on.
      const auto all = numbers();
      if (all.empty() || all.back() <= number_) return out;
      const ssize_t last = ::read(file_.get(), chunk.data(), chunk.size());
      if (last > 0) {
        buffer_.append(chunk.data(), static_cast<std::size_t>(last));
      } else if (!advance_file()) {
        return out;
      }
    } else {
      buffer_.append(chunk.data(), static_cast<std::size_t>(n));
    }
    std::size_t at = 0;
    for (std::size_t end = 0; (end = buffer_.find('\n', at)) != std::string::npos; at = end + 1)
      take_line(std::string_view(buffer_).substr(at, end - at), out);
    buffer_.erase(0, at);
    if (buffer_.size() > kMaxLineBytes) buffer_.clear();
  }
  return out;
}

}  // namespace bonus::compute::vm
