// eth_getProof (EIP-1186).
#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/methods.hpp"
#include "bonus/chain/rpc/storage_key.hpp"

namespace bonus::chain::rpc {

namespace json = boost::json;

Reply<StorageKey> read_storage_key(const json::value& value) {
  const auto* text = value.if_string();
  if (text == nullptr) return failure(kInvalidParams, "a storage key must be a hex string");
  std::string_view digits(text->data(), text->size());
  const std::string shown = json::serialize(value);
  if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2);
  constexpr std::size_t kDigits = 64;
  if (digits.size() > kDigits) return failure(kInvalidParams, "storage key too long (want at most 32 bytes): " + shown);
  const auto bytes = from_hex((digits.size() % 2 == 0 ? "" : "0") + std::string(digits));
  if (!bytes) return failure(kInvalidParams, "invalid hex in storage key: " + shown);
  return StorageKey{uint256::from_be(*bytes), bytes->size() == 32};
}

namespace {

constexpr std::size_t kMaxSlots = 1024;  // As geth.

json::array node_list(const std::vector<Bytes>& nodes) {
  json::array out;
  out.reserve(nodes.size());
  for (const Bytes& node : nodes) out.emplace_back(to_hex0x(node));
  return out;
}

JsonReply get_proof(const Context& context, const Params& params) {
  TRY(params.at_most(3));
  TRY_ASSIGN(const auto address, params.address(0));
  TRY_ASSIGN(const auto* list, params.required(1));
  if (!list->is_array()) return Params::invalid(1, "a list of storage keys is expected");
  if (list->get_array().size() > kMaxSlots)
    return failure(kInvalidParams, fmt::format("too many slots (max {})", kMaxSlots));
  std::vector<StorageKey> keys;
  std::vector<uint256> slots;
  for (const auto& item : list->get_array()) {
    TRY_ASSIGN(const auto key, read_storage_key(item));
    keys.push_back(key);
    slots.push_back(key.slot);
  }
  TRY_ASSIGN(const auto id, params.block_or_latest(2));
  TRY_ASSIGN(const auto number, context.number_of(id));
  const auto proof = context.ledger.proof(address, slots, number);
  if (!proof) return failure(proof.error());

  json::object out;
  out["address"] = to_hex0x(address);
  out["accountProof"] = node_list(proof->nodes);
  out["balance"] = quantity(proof->account.balance);
  out["codeHash"] = to_hex0x(proof->account.code_hash);
  out["nonce"] = quantity(proof->account.nonce);
  out["storageHash"] = to_hex0x(proof->account.storage_root);
  json::array storage;
  for (std::size_t i = 0; i < proof->slots.size() && i < keys.size(); ++i) {
    const auto& slot = proof->slots[i];
    json::object one;
    one["key"] = keys[i].whole ? to_hex0x(slot.slot.to_be()) : quantity(slot.slot);
    one["value"] = quantity(slot.value);
    one["proof"] = node_list(slot.nodes);
    storage.emplace_back(std::move(one));
  }
  out["storageProof"] = std::move(storage);
  return out;
}

constexpr auto kMethods = std::to_array<NamedMethod>({{"eth_getProof", get_proof}});

}  // namespace

std::span<const NamedMethod> proof_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
