// Views of the Names contract over JSON-RPC, and the files of registrations that are not finished.
#include "bonus/cli/name_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <filesystem>

#include "bonus/base/parse.hpp"
#include "bonus/chain/api/host.hpp"
#include "bonus/cli/environment.hpp"
#include "bonus/cli/node_api.hpp"

namespace bonus::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace names = chain::names;

constexpr std::uint64_t kPage = 64;  // bound of INames.namesOf
constexpr std::uint64_t kDaySeconds = 86'400, kHourSeconds = 3'600;
constexpr int kFileVersion = 1;

}  // namespace

Result<Bytes> NameClient::view(BytesView data) { return rpc_.view(chain::kNamesAddress, data); }

Result<names::NameInfo> NameClient::find(const std::string& name) {
  TRY_ASSIGN(const auto raw, view(names::encode::get_name(name)));
  return names::decode::name(raw);
}

Result<uint256> NameClient::price(const std::string& name, std::uint64_t duration_s) {
  TRY_ASSIGN(const auto raw, view(names::encode::price(name, duration_s)));
  return names::decode::price(raw);
}

Result<names::Rules> NameClient::rules() {
  TRY_ASSIGN(const auto raw, view(names::encode::rules()));
  return names::decode::rules(raw);
}

Result<UnixSeconds> NameClient::committed_at(const Hash32& commitment) {
  TRY_ASSIGN(const auto raw, view(names::encode::committed_at(commitment)));
  return names::decode::number(raw);
}

Result<std::vector<names::NameInfo>> NameClient::names_of(const Address& owner, std::size_t limit) {
  std::vector<names::NameInfo> out;
  for (std::uint64_t from = 0; out.size() < limit; from += kPage) {
    TRY_ASSIGN(const auto raw, view(names::encode::names_of(owner, from, kPage)));
    TRY_ASSIGN(auto page, names::decode::names(raw));
    const bool last = page.size() < kPage;
    for (auto& info : page)
      if (info.state != names::NameState::kFree && out.size() < limit) out.push_back(std::move(info));
    if (last) break;
  }
  std::ranges::sort(out, {}, &names::NameInfo::name);
  return out;
}

Result<UnixSeconds> NameClient::chain_time() {
  TRY_ASSIGN(const auto block, rpc_.request("eth_getBlockByNumber", R"(["latest",false])"));
  auto time = uint256::parse(json_text(block, "timestamp"));
  if (!time) return fail(std::move(time).error().wrap("the timestamp of the latest block"));
  return time->clamp_u64();
}

Result<Hash32> NameClient::genesis_hash() {
  TRY_ASSIGN(const auto block, rpc_.request("eth_getBlockByNumber", R"(["0x0",false])"));
  auto hash = fixed_from_hex<Hash32>(json_text(block, "hash"));
  if (!hash) return fail(std::move(hash).error().wrap("the hash of block 0"));
  return *hash;
}

std::string PendingNames::path_of(const std::string& name, const Address& owner) const {
  const std::string chain = to_hex(BytesView(genesis_).first(8));
  return (fs::path(folder_) / fmt::format("{}-{}-{}.json", name, to_hex(owner), chain)).string();
}

Result<std::optional<PendingName>> PendingNames::load(const std::string& name, const Address& owner) const {
  const std::string path = path_of(name, owner);
  const auto text = read_text(path);
  if (!text && text.error().code == ErrorCode::kNotFound) return std::nullopt;
  if (!text) return fail(text.error());
  boost::system::error_code bad;
  const json::value root = json::parse(*text, bad);
  PendingName out{name, owner, json_number(root, "duration"), {}};
  const auto secret = fixed_from_hex<Hash32>(json_text(root, "secret"));
  if (bad || json_number(root, "version") != kFileVersion || !secret || out.duration_s == 0 ||
      json_text(root, "name") != name)
    return fail(ErrorCode::kCorrupt,
                fmt::format("{} is damaged; remove it to begin the registration of {} anew", path, name));
  out.secret = *secret;
  return out;
}

Result<> PendingNames::save(const PendingName& pending) const {
  TRY(make_private_folder(folder_));
  const json::object root{{"version", kFileVersion},
                          {"name", pending.name},
                          {"owner", to_hex0x(pending.owner)},
                          {"duration", pending.duration_s},
                          {"secret", to_hex0x(pending.secret)},
                          {"genesis", to_hex0x(genesis_)}};
  return write_text(path_of(pending.name, pending.owner), json::serialize(root) + "\n", 0600);
}

void PendingNames::remove(const PendingName& pending) const {
  std::error_code ignored;
  fs::remove(path_of(pending.name, pending.owner), ignored);
}

Result<std::uint64_t> parse_term(std::string_view text) {
  std::uint64_t years = 0;
  std::string_view rest = text;
  if (const auto mark = text.find('y'); mark != std::string_view::npos) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + mark, years);
    if (error != std::errc() || end != text.data() + mark || years > 1'000)
      return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a time such as 1y, 90d or 1y180d", text));
    rest = text.substr(mark + 1);
  }
  std::uint64_t seconds = years * names::kYearSeconds;
  if (!rest.empty() || text.empty()) {
    TRY_ASSIGN(const Duration more, parse_duration(rest));
    seconds += static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(more).count());
  }
  if (seconds == 0) return fail(ErrorCode::kInvalid, "the time is at least a second");
  return seconds;
}

std::string term_text(std::uint64_t seconds) {
  std::string out;
  unsigned units = 0;
  const auto part = [&](std::uint64_t unit, char letter) {
    if (seconds < unit || units == 2) return;
    out += fmt::format("{}{}", seconds / unit, letter);
    seconds %= unit;
    ++units;
  };
  part(names::kYearSeconds, 'y');
  part(kDaySeconds, 'd');
  part(kHourSeconds, 'h');
  part(60, 'm');
  part(1, 's');
  return out.empty() ? "0s" : out;
}

}  // namespace bonus::cli
