// Overrides: reading them and writing them into a journal.
#include "bonus/chain/rpc/overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "bonus/chain/precompiles/precompiles.hpp"
#include "bonus/chain/rpc/params.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

std::unexpected<Error> bad(std::string message) { return fail(ErrorCode::kInvalid, std::move(message)); }

Result<AccountOverride::Slots> slots_of(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return bad("an object of slots is expected");
  AccountOverride::Slots out;
  out.reserve(object->size());
  for (const auto& [key, word] : *object) {
    TRY_ASSIGN(const auto slot, read_fixed<Hash32>(json::value(key)));
    TRY_ASSIGN(const auto content, read_fixed<Hash32>(word));
    out.emplace_back(uint256::from_be(slot), uint256::from_be(content));
  }
  return out;
}

Result<AccountOverride> account_of(std::string_view key, const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return bad("an account override must be an object");
  AccountOverride out;
  TRY_ASSIGN(out.address, read_fixed<Address>(json::value(key)));
  TRY_ASSIGN(out.nonce, member(*object, "nonce", &read_quantity64));
  TRY_ASSIGN(out.balance, member(*object, "balance", &read_quantity));
  TRY_ASSIGN(out.code, member(*object, "code", &read_data));
  TRY_ASSIGN(out.state, member(*object, "state", &slots_of));
  TRY_ASSIGN(out.state_diff, member(*object, "stateDiff", &slots_of));
  // Both spellings are in use: geth's and that of execution-apis.
  TRY_ASSIGN(out.move_precompile_to, member(*object, "movePrecompileToAddress", &read_fixed<Address>));
  if (!out.move_precompile_to) {
    TRY_ASSIGN(out.move_precompile_to, member(*object, "MovePrecompileToAddress", &read_fixed<Address>));
  }
  return out;
}

Result<Withdrawal> withdrawal_of(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return bad("a withdrawal must be an object");
  TRY_ASSIGN(const auto index, member(*object, "index", &read_quantity64));
  TRY_ASSIGN(const auto validator, member(*object, "validatorIndex", &read_quantity64));
  TRY_ASSIGN(const auto address, member(*object, "address", &read_fixed<Address>));
  TRY_ASSIGN(const auto amount, member(*object, "amount", &read_quantity64));
  Withdrawal out;
  out.index = index.value_or(0);
  out.validator = validator.value_or(0);
  out.address = address.value_or(Address());
  out.amount_gwei = amount.value_or(0);
  return out;
}
Result<std::vector<Withdrawal>> withdrawals_of(const json::value& value) {
  const auto* list = value.if_array();
  if (list == nullptr) return bad("a list of withdrawals is expected");
  std::vector<Withdrawal> out;
  for (const auto& item : *list) {
    TRY_ASSIGN(auto one, withdrawal_of(item));
    out.push_back(one);
  }
  return out;
}

}  // namespace

Result<StateOverrides> read_state_overrides(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return bad("an object of accounts is expected");
  StateOverrides out;
  std::unordered_set<Address> known;
  out.reserve(object->size());
  for (const auto& [key, account] : *object) {
    TRY_ASSIGN(auto one, account_of(std::string_view(key.data(), key.size()), account));
    if (!known.insert(one.address).second)
      return bad(fmt::format("account {} is overridden twice", to_hex0x(one.address)));
    out.push_back(std::move(one));
  }
  return out;
}

Result<BlockOverrides> read_block_overrides(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return bad("an object of header fields is expected");
  BlockOverrides out;
  TRY_ASSIGN(out.number, member(*object, "number", &read_quantity));
  TRY_ASSIGN(out.difficulty, member(*object, "difficulty", &read_quantity));
  TRY_ASSIGN(out.time, member(*object, "time", &read_quantity64));
  TRY_ASSIGN(out.gas_limit, member(*object, "gasLimit", &read_quantity64));
  TRY_ASSIGN(out.fee_recipient, member(*object, "feeRecipient", &read_fixed<Address>));
  TRY_ASSIGN(out.prev_randao, member(*object, "prevRandao", &read_fixed<Hash32>));
  TRY_ASSIGN(out.base_fee, member(*object, "baseFeePerGas", &read_quantity));
  TRY_ASSIGN(out.blob_base_fee, member(*object, "blobBaseFee", &read_quantity));
  TRY_ASSIGN(out.beacon_root, member(*object, "beaconRoot", &read_fixed<Hash32>));
  TRY_ASSIGN(out.withdrawals, member(*object, "withdrawals", &withdrawals_of));
  if (out.number && !out.number->fits_u64()) return bad("number: hex number > 64 bits");
  return out;
}

void BlockOverrides::apply(BlockContext& block) const {
  if (number) block.number = number->low64();
  if (difficulty) block.difficulty = *difficulty;
  if (time) block.timestamp = *time;
  if (gas_limit) block.gas_limit = *gas_limit;
  if (fee_recipient) block.beneficiary = *fee_recipient;
  if (prev_randao) block.randao = *prev_randao;
  if (base_fee) block.base_fee = *base_fee;
  if (blob_base_fee) block.blob_base_fee = *blob_base_fee;
}

Result<> move_precompiles(const StateOverrides& overrides, Revision revision, evm::MovedPrecompiles& moved) {
  // The precompile that answers at an address now, if any.
  const auto precompile_at = [&](const Address& address) -> std::optional<Address> {
    if (const auto found = moved.find(address); found != moved.end()) return found->second;
    return precompiles::is_precompile(address, revision) ? std::optional(address) : std::nullopt;
  };
  for (const AccountOverride& item : overrides) {
    if (item.state && item.state_diff)
      return bad(fmt::format("account {} has both 'state' and 'stateDiff'", to_hex0x(item.address)));
    const auto here = precompile_at(item.address);
    if (item.move_precompile_to) {
      const Address& to = *item.move_precompile_to;
      if (!here) return bad(fmt::format("account {} is not a precompile", to_hex0x(item.address)));
      const bool taken = std::ranges::any_of(overrides, [&](const AccountOverride& o) { return o.address == to; });
      if (taken) return bad(fmt::format("account {} is already overridden", to_hex0x(to)));
      moved[to] = *here;
    }
    if (here) moved[item.address] = std::nullopt;
  }
  return {};
}

void apply_overrides(const StateOverrides& overrides, state::Journal& journal) {
  journal.begin_transaction();
  for (const AccountOverride& item : overrides) {
    const auto write = [&](const AccountOverride::Slots& slots) {
      for (const auto& [slot, value] : slots) journal.set_storage({item.address, slot}, value);
    };
    journal.touch(item.address);
    if (item.nonce) journal.set_nonce(item.address, *item.nonce);
    if (item.code) {
      const Hash32 hash = crypto::keccak256(*item.code);
      journal.set_code(item.address, *item.code, hash);
    }
    if (item.balance) journal.set_balance(item.address, *item.balance);
    if (item.state) {
      journal.wipe_storage(item.address);
      write(*item.state);
    }
    if (item.state_diff) write(*item.state_diff);
  }
  journal.end_transaction(false);
}

}  // namespace bonus::chain::rpc
