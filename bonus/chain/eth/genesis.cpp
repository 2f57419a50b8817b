// genesis.json.
#include "bonus/chain/eth/genesis.hpp"

#include <fmt/format.h>

#include "bonus/chain/eth/json.hpp"
#include "bonus/chain/eth/nodes.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::eth {
namespace {

namespace json = boost::json;

// What geth assumes when the file is silent.
constexpr std::uint64_t kDefaultGasLimit = 4'712'388;
constexpr std::uint64_t kDefaultDifficulty = 131'072;
constexpr std::uint64_t kInitialBaseFee = 1'000'000'000;  // EIP-1559

Result<AllocAccount> read_account(const json::object& object) {
  AllocAccount out;
  const Fields fields(object);
  TRY(fields.read(out.nonce, "nonce"));
  TRY(fields.read(out.balance, {"balance", "wei"}));
  TRY(fields.read(out.code, "code"));
  if (const auto* storage = fields.find("storage")) {
    TRY_ASSIGN(const auto* slots, as_object(*storage, "storage"));
    for (const auto& [key, value] : *slots) {
      auto slot = to_fixed<Hash32>(json::value(key));
      if (!slot) return fail(std::move(slot).error().wrap(fmt::format("storage key {}", std::string_view(key))));
      auto content = to_fixed<Hash32>(value);
      if (!content) return fail(std::move(content).error().wrap(fmt::format("storage {}", std::string_view(key))));
      out.storage[uint256::from_be(*slot)] = uint256::from_be(*content);
    }
  }
  return out;
}

Result<Header> read_header(const json::object& object, const ChainConfig& config) {
  Header h;
  const Fields fields(object);
  h.gas_limit = kDefaultGasLimit;
  h.difficulty = config.terminal_total_difficulty == uint256() ? uint256() : uint256(kDefaultDifficulty);
  h.ommers_hash = kEmptyOmmersHash;
  h.transactions_root = h.receipts_root = kEmptyTrieRoot;
  TRY(fields.read(h.parent_hash, "parentHash"));
  TRY(fields.read(h.beneficiary, {"coinbase", "author"}));
  TRY(fields.read(h.difficulty, "difficulty"));
  TRY(fields.read(h.number, "number"));
  TRY(fields.read(h.gas_limit, "gasLimit"));
  TRY(fields.read(h.gas_used, "gasUsed"));
  TRY(fields.read(h.timestamp, "timestamp"));
  TRY(fields.read(h.extra_data, "extraData"));
  TRY(fields.read(h.prev_randao, {"mixHash", "mixhash"}));
  TRY(fields.read(h.nonce, "nonce"));
  h.form = config.of(h).form;
  h.base_fee = h.has(HeaderForm::kLondon) ? uint256(kInitialBaseFee) : uint256();
  TRY(fields.read(h.base_fee, "baseFeePerGas"));
  TRY(fields.read(h.blob_gas_used, "blobGasUsed"));
  TRY(fields.read(h.excess_blob_gas, "excessBlobGas"));
  TRY(fields.read(h.parent_beacon_root, "parentBeaconBlockRoot"));
  return h;
}

}  // namespace

Result<Alloc> read_alloc(const json::object& accounts) {
  Alloc out;
  for (const auto& [key, value] : accounts) {
    const std::string place = fmt::format("account {}", std::string_view(key));
    auto address = to_fixed<Address>(json::value(key));
    if (!address) return fail(std::move(address).error().wrap(place));
    TRY_ASSIGN(const auto* object, as_object(value, place));
    auto account = read_account(*object);
    if (!account) return fail(std::move(account).error().wrap(place));
    out[*address] = *std::move(account);
  }
  return out;
}

json::object write_alloc(const Alloc& alloc) {
  json::object out;
  for (const auto& [address, account] : alloc) {
    json::object one;
    if (!account.code.empty()) one["code"] = to_hex0x(account.code);
    json::object storage;
    for (const auto& [slot, value] : account.storage)
      if (!value.is_zero()) storage[to_hex0x(slot.to_be())] = to_hex0x(value.to_be());
    if (!storage.empty()) one["storage"] = std::move(storage);
    one["balance"] = account.balance.to_quantity();
    if (account.nonce != 0) one["nonce"] = fmt::format("0x{:x}", account.nonce);
    out[to_hex0x(address)] = std::move(one);
  }
  return out;
}

void put_alloc(state::Journal& journal, const Alloc& alloc) {
  for (const auto& [address, account] : alloc) {
    journal.touch(address);
    if (!account.balance.is_zero()) journal.set_balance(address, account.balance);
    if (account.nonce != 0) journal.set_nonce(address, account.nonce);
    if (!account.code.empty()) journal.set_code(address, account.code, crypto::keccak256(account.code));
    for (const auto& [slot, value] : account.storage)
      if (!value.is_zero()) journal.set_storage({address, slot}, value);
  }
  journal.end_transaction(false);
}

Result<state::StateDiff> make_genesis_state(const Alloc& alloc) {
  const MemoryNodes empty;
  const NodeView base(empty, kEmptyTrieRoot);
  state::Journal journal(base);
  put_alloc(journal, alloc);
  return state::make_diff(journal, empty, kEmptyTrieRoot);
}

Block EthGenesis::block() const {
  Block out;
  out.header = header;
  return out;
}

Result<EthGenesis> EthGenesis::from_json(std::string_view text) {
  const auto context = [](Error error) { return fail(std::move(error).wrap("genesis")); };
  auto parsed = parse_json(text);
  if (!parsed) return context(std::move(parsed).error());
  const auto* object = parsed->if_object();
  if (object == nullptr) return fail(ErrorCode::kInvalid, "genesis: not an object");
  EthGenesis out;
  const Fields fields(*object);
  const auto* config = fields.find("config");
  if (config == nullptr || !config->is_object()) return fail(ErrorCode::kInvalid, "genesis: config is missing");
  auto read_config = ChainConfig::from_json(config->get_object(), text);
  if (!read_config) return context(std::move(read_config).error().wrap("config"));
  out.config = *std::move(read_config);
  auto header = read_header(*object, out.config);
  if (!header) return context(std::move(header).error());
  out.header = *std::move(header);
  if (const auto* accounts = fields.find("alloc")) {
    if (!accounts->is_object()) return fail(ErrorCode::kInvalid, "genesis: alloc is not an object");
    auto alloc = read_alloc(accounts->get_object());
    if (!alloc) return context(std::move(alloc).error().wrap("alloc"));
    out.alloc = *std::move(alloc);
  }
  TRY_ASSIGN(out.state, make_genesis_state(out.alloc));
  out.header.state_root = out.state.root;
  return out;
}

}  // namespace bonus::chain::eth
