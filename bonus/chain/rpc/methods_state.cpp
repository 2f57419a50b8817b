// The node, the network, and the state of accounts.
#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/methods.hpp"
#include "bonus/chain/rpc/storage_key.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

JsonReply client_version(const Context& context, const Params&) { return json::value(context.options.client_version); }
JsonReply sha3(const Context&, const Params& params) {
  TRY_ASSIGN(const auto data, params.data(0));
  return json::value(to_hex0x(crypto::keccak256(data)));
}
JsonReply net_version(const Context& context, const Params&) { return json::value(std::to_string(context.chain_id())); }
JsonReply net_listening(const Context&, const Params&) { return true; }
JsonReply net_peer_count(const Context& context, const Params&) {
  return json::value(
      quantity(context.options.peer_count ? static_cast<std::uint64_t>(context.options.peer_count()) : 0));
}
JsonReply chain_id(const Context& context, const Params&) { return json::value(quantity(context.chain_id())); }
JsonReply syncing(const Context& context, const Params&) {
  const auto status = context.options.sync_status ? context.options.sync_status() : std::nullopt;
  if (!status) return false;
  json::object out;
  out["startingBlock"] = quantity(status->starting_block);
  out["currentBlock"] = quantity(status->current_block);
  out["highestBlock"] = quantity(status->highest_block);
  return out;
}
JsonReply accounts(const Context&, const Params&) { return json::array(); }
JsonReply mining(const Context&, const Params&) { return false; }
JsonReply hashrate(const Context&, const Params&) { return "0x0"; }

Reply<Account> account_at(const Context& context, const Params& params, std::size_t block_index) {
  TRY_ASSIGN(const auto address, params.address(0));
  TRY_ASSIGN(const auto id, params.block_or_latest(block_index));
  TRY_ASSIGN(const auto number, context.number_of(id));
  auto account = context.ledger.account(address, number);
  if (!account) return failure(account.error());
  return *std::move(account);
}

JsonReply get_balance(const Context& context, const Params& params) {
  TRY(params.at_most(2));
  TRY_ASSIGN(const auto account, account_at(context, params, 1));
  return json::value(quantity(account.balance));
}

JsonReply get_code(const Context& context, const Params& params) {
  TRY(params.at_most(2));
  TRY_ASSIGN(const auto address, params.address(0));
  TRY_ASSIGN(const auto id, params.block_or_latest(1));
  TRY_ASSIGN(const auto number, context.number_of(id));
  const auto account = context.ledger.account(address, number);
  if (!account) return failure(account.error());
  // Native contracts show one INVALID instruction, so that tools which look for code find a contract.
  if (account->code_hash == system_code_hash()) return json::value(to_hex0x(kSystemCode));
  const auto code = context.ledger.code(address, number);
  if (!code) return failure(code.error());
  return json::value(to_hex0x(**code));
}

JsonReply get_transaction_count(const Context& context, const Params& params) {
  TRY(params.at_most(2));
  TRY_ASSIGN(const auto id, params.block_or_latest(1));
  if (const auto* tag = std::get_if<Tag>(&id); tag != nullptr && *tag == Tag::kPending) {
    TRY_ASSIGN(const auto address, params.address(0));
    return json::value(quantity(context.mempool.next_nonce(address)));
  }
  TRY_ASSIGN(const auto account, account_at(context, params, 1));
  return json::value(quantity(account.nonce));
}

JsonReply get_storage_at(const Context& context, const Params& params) {
  TRY(params.at_most(3));
  TRY_ASSIGN(const auto address, params.address(0));
  TRY_ASSIGN(const auto key, read_storage_key(params, 1));
  TRY_ASSIGN(const auto id, params.block_or_latest(2));
  TRY_ASSIGN(const auto number, context.number_of(id));
  const auto value = context.ledger.storage(address, key.slot, number);
  if (!value) return failure(value.error());
  return json::value(to_hex0x(value->to_be()));
}

constexpr std::size_t kMaxStorageValues = 1024;  ///< As geth has it.

/// {address: [slot...]} to {address: [value...]}.
JsonReply get_storage_values(const Context& context, const Params& params) {
  TRY(params.at_most(2));
  TRY_ASSIGN(const auto* requested, params.required(0));
  const auto* object = requested->if_object();
  if (object == nullptr) return Params::invalid(0, "an object of addresses is expected");
  TRY_ASSIGN(const auto id, params.block_or_latest(1));
  TRY_ASSIGN(const auto number, context.number_of(id));
  std::size_t count = 0;
  json::object out;
  for (const auto& item : *object) {
    const auto address = read_fixed<Address>(json::value(item.key()));
    const auto* slots = item.value().if_array();
    if (!address || slots == nullptr) return Params::invalid(0, "lists of slots by address are expected");
    if ((count += slots->size()) > kMaxStorageValues)
      return failure(kInvalidParams, fmt::format("too many slots (max {})", kMaxStorageValues));
    json::array values;
    for (const auto& slot : *slots) {
      const auto key = read_fixed<Hash32>(slot);
      if (!key) return Params::invalid(0, key.error().message);
      const auto value = context.ledger.storage(*address, uint256::from_be(*key), number);
      if (!value) return failure(value.error());
      values.emplace_back(to_hex0x(value->to_be()));
    }
    TRY(context.in_time());
    out[item.key()] = std::move(values);
  }
  if (count == 0) return failure(kInvalidParams, "empty request");
  return out;
}

/// How far back each kind of data goes.
JsonReply capabilities(const Context& context, const Params& params) {
  TRY(params.at_most(0));
  const auto since = [](std::uint64_t oldest) {
    json::object out;
    out["disabled"] = false;
    out["oldestBlock"] = quantity(oldest);
    return out;
  };
  json::object head;
  head["number"] = quantity(context.ledger.head().number);
  head["hash"] = to_hex0x(context.ledger.head_hash());
  json::object out;
  out["head"] = std::move(head);
  out["state"] = since(context.ledger.oldest_state());
  for (const auto* kind : {"tx", "logs", "receipts", "blocks"}) out[kind] = since(0);
  out["stateproofs"] = since(context.ledger.oldest_proof());
  return out;
}

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"web3_clientVersion", client_version},
    {"web3_sha3", sha3},
    {"net_version", net_version},
    {"net_listening", net_listening},
    {"net_peerCount", net_peer_count},
    {"eth_chainId", chain_id},
    {"eth_syncing", syncing},
    {"eth_accounts", accounts},
    {"eth_mining", mining},
    {"eth_hashrate", hashrate},
    {"eth_getBalance", get_balance},
    {"eth_getCode", get_code},
    {"eth_getTransactionCount", get_transaction_count},
    {"eth_getStorageAt", get_storage_at},
    {"eth_getStorageValues", get_storage_values},
    {"eth_capabilities", capabilities},
});

}  // namespace

std::span<const NamedMethod> state_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
