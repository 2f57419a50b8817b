// Fork schedules.
#include "bonus/chain/eth/config.hpp"

#include <fmt/format.h>

#include <boost/crc.hpp>
#include <charconv>

#include "bonus/chain/eth/json.hpp"

namespace bonus::chain::eth {
namespace {

namespace json = boost::json;

struct Key {
  std::string_view name;
  Revision revision;
};
constexpr std::array kForkKeys{
    Key{"homesteadBlock", Revision::kHomestead},
    Key{"eip150Block", Revision::kTangerineWhistle},
    Key{"eip158Block", Revision::kSpuriousDragon},
    Key{"byzantiumBlock", Revision::kByzantium},
    Key{"constantinopleBlock", Revision::kConstantinople},
    Key{"petersburgBlock", Revision::kPetersburg},
    Key{"istanbulBlock", Revision::kIstanbul},
    Key{"berlinBlock", Revision::kBerlin},
    Key{"londonBlock", Revision::kLondon},
    Key{"shanghaiTime", Revision::kShanghai},
    Key{"cancunTime", Revision::kCancun},
    Key{"pragueTime", Revision::kPrague},
    Key{"osakaTime", Revision::kOsaka},
};

/// The forks that set the blob market, with what mainnet (bpo1, bpo2) and the test suites (bpo3, bpo4) use.
struct BlobDefault {
  std::string_view name;
  BlobSchedule schedule;
};
constexpr std::uint32_t kBlobsOfTransaction = 6;  // EIP-7594
const std::array kBlobDefaults{
    BlobDefault{"cancun", blob_schedule(Revision::kCancun)},
    BlobDefault{"prague", blob_schedule(Revision::kPrague)},
    BlobDefault{"osaka", blob_schedule(Revision::kOsaka)},
    BlobDefault{"bpo1", {10, 15, kBlobsOfTransaction, 8'346'193}},
    BlobDefault{"bpo2", {14, 21, kBlobsOfTransaction, 11'684'671}},
    BlobDefault{"bpo3", {21, 32, kBlobsOfTransaction, 20'609'697}},
    BlobDefault{"bpo4", {14, 21, kBlobsOfTransaction, 13'739'630}},
    BlobDefault{"bpo5", {14, 21, kBlobsOfTransaction, 11'684'671}},
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

void add_blob_fork(ChainConfig& config, std::string_view name, std::uint64_t timestamp) {
  for (const auto& entry : kBlobDefaults)
    if (entry.name == name) config.blob_forks.push_back({std::string(name), timestamp, entry.schedule});
}

std::size_t index(Revision revision) { return static_cast<std::size_t>(revision); }

/// The digits behind "terminalTotalDifficulty" in the file's text; empty when it is not a plain number there.
std::string_view total_difficulty_digits(std::string_view source) {
  constexpr std::string_view kKey = "\"terminalTotalDifficulty\"";
  auto at = source.find(kKey);
  if (at == std::string_view::npos) return {};
  at = source.find_first_not_of(" \t\r\n:", at + kKey.size());
  if (at == std::string_view::npos) return {};
  return source.substr(at, source.find_first_not_of("0123456789", at) - at);
}

HeaderForm form_of(Revision revision) {
  if (revision >= Revision::kPrague) return HeaderForm::kPrague;
  if (revision >= Revision::kCancun) return HeaderForm::kCancun;
  if (revision >= Revision::kShanghai) return HeaderForm::kShanghai;
  if (revision >= Revision::kLondon) return HeaderForm::kLondon;
  return HeaderForm::kFrontier;
}

/// "5", "0x5" or "15k".
std::optional<std::uint64_t> parse_position(std::string_view text) {
  std::uint64_t scale = 1;
  if (text.ends_with('k')) {
    scale = 1000;
    text.remove_suffix(1);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > UINT64_MAX / scale) return std::nullopt;
  return value * scale;
}

/// A single rule set from the first block on, or from `block`, `timestamp` or `difficulty` on.
struct Start {
  std::uint64_t block = 0, timestamp = 0;
  uint256 difficulty;
};

/// Everything up to the named fork begins at `start` unless it has begun before. False for an unknown name.
bool begin_up_to(ChainConfig& config, std::string_view name, const Start& start) {
  const std::string small = lower(name);
  std::optional<Revision> revision = revision_from(name);
  unsigned glacier = 0;
  unsigned blobs = 0;
  if (small == "muirglacier") revision = Revision::kIstanbul, glacier = 1;
  if (small == "arrowglacier") revision = Revision::kLondon, glacier = 2;
  if (small == "grayglacier") revision = Revision::kLondon, glacier = 3;
  if (small.size() == 4 && small.starts_with("bpo") && small[3] >= '1' && small[3] <= '5') {
    revision = Revision::kOsaka;
    blobs = static_cast<unsigned>(small[3] - '0');
  }
  if (!revision) return false;
  if (*revision >= Revision::kBerlin || glacier >= 1) config.muir_glacier = config.muir_glacier.value_or(start.block);
  if (*revision >= Revision::kParis || glacier >= 2) config.arrow_glacier = config.arrow_glacier.value_or(start.block);
  if (*revision >= Revision::kParis || glacier >= 3) config.gray_glacier = config.gray_glacier.value_or(start.block);
  if (*revision >= Revision::kParis && !config.terminal_total_difficulty)
    config.terminal_total_difficulty = start.difficulty;
  for (const Key& key : kForkKeys) {
    auto& begins = config.begins[index(key.revision)];
    if (key.revision > *revision || begins) continue;
    const bool timed = key.revision > Revision::kParis;
    begins = timed ? start.timestamp : start.block;
    if (timed) add_blob_fork(config, lower(to_string(key.revision)), start.timestamp);
  }
  for (unsigned i = 1; i <= blobs; ++i) {
    const std::string fork = fmt::format("bpo{}", i);
    if (std::ranges::count(config.blob_forks, fork, &ChainConfig::BlobFork::name) == 0)
      add_blob_fork(config, fork, start.timestamp);
  }
  return true;
}

}  // namespace

Rules ChainConfig::at(std::uint64_t number, UnixSeconds timestamp, bool proof_of_stake) const {
  Rules out;
  for (std::size_t i = 1; i < index(Revision::kParis); ++i)
    if (begins[i] && number >= *begins[i]) out.revision = static_cast<Revision>(i);
  out.fork_block_of_london = begins[index(Revision::kLondon)] == number;
  if (out.revision == Revision::kLondon) {
    if (proof_of_stake) out.revision = Revision::kParis;
    for (std::size_t i = index(Revision::kShanghai); i < kRevisionCount; ++i)
      if (begins[i] && timestamp >= *begins[i]) out.revision = static_cast<Revision>(i);
  }
  out.form = form_of(out.revision);
  out.blobs = blob_schedule(out.revision);
  if (out.since(Revision::kCancun)) {
    for (const BlobFork& fork : blob_forks)
      if (timestamp >= fork.timestamp) out.blobs = fork.schedule;
    out.blobs.max_transaction = out.since(Revision::kOsaka) ? kBlobsOfTransaction : out.blobs.max;
  }
  // EIP-649, 1234, 2384, 3554, 4345, 5133.
  const auto reached = [&](const std::optional<std::uint64_t>& block) { return block && number >= *block; };
  if (out.since(Revision::kByzantium)) out.bomb_delay = 3'000'000;
  if (out.since(Revision::kConstantinople)) out.bomb_delay = 5'000'000;
  if (reached(muir_glacier)) out.bomb_delay = 9'000'000;
  if (out.since(Revision::kLondon)) out.bomb_delay = 9'700'000;
  if (reached(arrow_glacier)) out.bomb_delay = 10'700'000;
  if (reached(gray_glacier)) out.bomb_delay = 11'400'000;
  return out;
}

std::uint32_t ChainConfig::fork_hash(const Header& genesis, std::uint64_t number, UnixSeconds timestamp) const {
  boost::crc_32_type sum;
  const Hash32 hash = genesis.hash();
  sum.process_bytes(hash.bytes.data(), hash.bytes.size());
  // Each point once, in order; what holds in the genesis block does not count.
  const auto add = [&](std::vector<std::uint64_t> points, std::uint64_t after, std::uint64_t until) {
    std::ranges::sort(points);
    const auto repeated = std::ranges::unique(points);
    points.erase(repeated.begin(), repeated.end());
    for (const std::uint64_t point : points) {
      if (point <= after || point > until) continue;
      for (int shift = 56; shift >= 0; shift -= 8) sum.process_byte(static_cast<std::uint8_t>(point >> shift));
    }
  };
  add(fork_blocks, 0, number);
  add(fork_times, genesis.timestamp, timestamp);
  return sum.checksum();
}

Result<> read_blob_schedule(const json::object& schedule, ChainConfig& config) {
  for (const auto& [key, value] : schedule) {
    const std::string name = lower(key);
    TRY_ASSIGN(const auto* object, as_object(value, fmt::format("blobSchedule.{}", name)));
    std::uint64_t target = 0;
    std::uint64_t max = 0;
    std::uint64_t fraction = 0;
    const Fields fields(*object);
    TRY(fields.read(target, "target"));
    TRY(fields.read(max, "max"));
    TRY(fields.read(fraction, "baseFeeUpdateFraction"));
    if (target > max || max > UINT32_MAX || fraction == 0)
      return fail(ErrorCode::kInvalid, fmt::format("blobSchedule.{}: not a schedule", name));
    for (auto& fork : config.blob_forks) {
      if (fork.name == name)
        fork.schedule = {static_cast<std::uint32_t>(target), static_cast<std::uint32_t>(max), 0, fraction};
    }
  }
  return {};
}

Result<ChainConfig> ChainConfig::from_json(const json::object& object, std::string_view source) {
  ChainConfig out;
  const Fields fields(object);
  TRY(fields.read(out.chain_id, "chainId"));
  for (const Key& key : kForkKeys) TRY(fields.read(out.begins[index(key.revision)], key.name));
  // As geth reads it: without a Petersburg of its own, Constantinople never had EIP-1283.
  auto& petersburg = out.begins[index(Revision::kPetersburg)];
  if (!petersburg) petersburg = out.begins[index(Revision::kConstantinople)];
  TRY(fields.read(out.muir_glacier, "muirGlacierBlock"));
  TRY(fields.read(out.arrow_glacier, "arrowGlacierBlock"));
  TRY(fields.read(out.gray_glacier, "grayGlacierBlock"));
  TRY(fields.read(out.deposit_contract, "depositContractAddress"));
  if (const auto* difficulty = fields.find("terminalTotalDifficulty");
      difficulty != nullptr && difficulty->is_double()) {
    TRY_ASSIGN(out.terminal_total_difficulty, uint256::parse(total_difficulty_digits(source)));
  } else {
    TRY(fields.read(out.terminal_total_difficulty, "terminalTotalDifficulty"));
  }
  for (const auto& [key, value] : object) {
    const std::string_view name = key;
    const bool block = name.ends_with("Block");
    if ((!block && !name.ends_with("Time")) || value.is_null()) continue;
    std::uint64_t begins = 0;
    TRY(fields.read(begins, name));
    (block ? out.fork_blocks : out.fork_times).push_back(begins);
  }
  for (const BlobDefault& fork : kBlobDefaults) {
    std::optional<std::uint64_t> begins;
    TRY(fields.read(begins, fmt::format("{}Time", fork.name)));
    if (begins) add_blob_fork(out, fork.name, *begins);
  }
  if (const auto* schedule = fields.find("blobSchedule")) {
    TRY_ASSIGN(const auto* entries, as_object(*schedule, "blobSchedule"));
    TRY(read_blob_schedule(*entries, out));
  }
  return out;
}

Result<ChainConfig> ChainConfig::of_network(std::string_view name, std::uint64_t chain_id) {
  const auto unknown = [&] { return fail(ErrorCode::kNotFound, fmt::format("network {} is not known", name)); };
  ChainConfig out;
  out.chain_id = chain_id;
  // "<from>To<to>At<place>"; "To" also stands inside no fork's name.
  const auto to = name.find("To");
  const auto at = to == std::string_view::npos ? to : name.find("At", to);
  if (at == std::string_view::npos) {
    if (!begin_up_to(out, name, {})) return unknown();
    return out;
  }
  std::string_view place = name.substr(at + 2);
  Start start{.block = 0, .timestamp = 0, .difficulty = {}};
  if (place.starts_with("Time")) {
    const auto time = parse_position(place.substr(4));
    if (!time) return unknown();
    start.timestamp = *time;
  } else if (place.starts_with("Diff")) {
    TRY_ASSIGN(start.difficulty, uint256::parse("0x" + std::string(place.substr(4))));
  } else {
    const auto block = parse_position(place);
    if (!block) return unknown();
    start.block = *block;
  }
  if (!begin_up_to(out, name.substr(0, to), {}) || !begin_up_to(out, name.substr(to + 2, at - to - 2), start))
    return unknown();
  return out;
}

}  // namespace bonus::chain::eth
