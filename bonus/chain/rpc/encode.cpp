// JSON of blocks, transactions, receipts and logs.
#include "bonus/chain/rpc/encode.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

/// The header fields that our Header does not carry, because BonusChain fixes them; read back from what is really
/// hashed.
struct FixedFields {
  uint256 difficulty, blob_gas_used, excess_blob_gas;
  Hash32 withdrawals_root, parent_beacon_root, requests_hash;
};

Result<FixedFields> fixed_fields(const Header& header) {
  const Bytes encoded = header.encode();
  rlp::Decoder outer(encoded);
  TRY_ASSIGN(auto items, outer.list());
  constexpr int kDifficulty = 7;
  constexpr int kBehindBaseFee = 16;  // EIP-4895, 4844, 4788, 7685 in this order
  FixedFields out;
  for (int i = 0; i < kBehindBaseFee; ++i) {
    if (i == kDifficulty) {
      TRY_ASSIGN(out.difficulty, items.number256());
    } else {
      TRY(items.raw_item());
    }
  }
  TRY_ASSIGN(out.withdrawals_root, items.fixed<Hash32>());
  TRY_ASSIGN(out.blob_gas_used, items.number256());
  TRY_ASSIGN(out.excess_blob_gas, items.number256());
  TRY_ASSIGN(out.parent_beacon_root, items.fixed<Hash32>());
  TRY_ASSIGN(out.requests_hash, items.fixed<Hash32>());
  return out;
}

json::object header_fields(const Header& header) {
  json::object out;
  out["number"] = quantity(header.number);
  out["parentHash"] = to_hex0x(header.parent_hash);
  out["sha3Uncles"] = to_hex0x(header.ommers_hash);
  out["miner"] = to_hex0x(header.beneficiary);
  out["stateRoot"] = to_hex0x(header.state_root);
  out["transactionsRoot"] = to_hex0x(header.transactions_root);
  out["receiptsRoot"] = to_hex0x(header.receipts_root);
  out["logsBloom"] = to_hex0x(header.logs_bloom);
  out["gasLimit"] = quantity(header.gas_limit);
  out["gasUsed"] = quantity(header.gas_used);
  out["timestamp"] = quantity(header.timestamp);
  out["extraData"] = to_hex0x(header.extra_data);
  out["mixHash"] = to_hex0x(header.prev_randao);
  out["nonce"] = fmt::format("0x{:016x}", header.nonce);
  out["baseFeePerGas"] = quantity(header.base_fee);
  out["uncles"] = json::array();
  out["withdrawals"] = json::array();
  if (const auto fixed = fixed_fields(header)) {
    out["difficulty"] = quantity(fixed->difficulty);
    out["withdrawalsRoot"] = to_hex0x(fixed->withdrawals_root);
    out["blobGasUsed"] = quantity(fixed->blob_gas_used);
    out["excessBlobGas"] = quantity(fixed->excess_blob_gas);
    out["parentBeaconBlockRoot"] = to_hex0x(fixed->parent_beacon_root);
    out["requestsHash"] = to_hex0x(fixed->requests_hash);
  }
  return out;
}

json::array transaction_list(const Block& block, const Hash32* hash, std::uint64_t chain_id, bool full) {
  json::array out;
  out.reserve(block.transactions.size());
  std::uint32_t index = 0;
  for (const auto& item : block.transactions) {
    const Place place{hash != nullptr ? *hash : Hash32(), block.header.number, index++, block.header.base_fee};
    if (full)
      out.emplace_back(encode_transaction(*item, chain_id, hash != nullptr ? &place : nullptr));
    else
      out.emplace_back(to_hex0x(item->hash));
  }
  return out;
}

/// keccak(rlp([sender, nonce]))[12..]: Yellow Paper, section 7.
Address created_address(const SenderTransaction& item) {
  rlp::Encoder encoder;
  encoder.begin_list().bytes(item.sender).number(item.tx.nonce).end_list();
  const Hash32 digest = crypto::keccak256(encoder.take());
  Address out;
  std::copy_n(digest.bytes.begin() + 12, 20, out.bytes.begin());
  return out;
}

json::value optional_address(const std::optional<Address>& address) {
  return address ? json::value(to_hex0x(*address)) : json::value(nullptr);
}

}  // namespace

std::string quantity(std::uint64_t value) { return fmt::format("0x{:x}", value); }
std::string quantity(const uint256& value) { return value.to_quantity(); }

json::object encode_transaction(const SenderTransaction& item, std::uint64_t chain_id, const Place* place) {
  const auto& tx = item.tx;
  json::object out;
  out["blockHash"] = place != nullptr ? json::value(to_hex0x(place->block_hash)) : json::value(nullptr);
  out["blockNumber"] = place != nullptr ? json::value(quantity(place->block_number)) : json::value(nullptr);
  out["transactionIndex"] = place != nullptr ? json::value(quantity(place->index)) : json::value(nullptr);
  out["from"] = to_hex0x(item.sender);
  out["gas"] = quantity(tx.gas_limit);
  out["hash"] = to_hex0x(item.hash);
  out["input"] = to_hex0x(tx.data);
  out["nonce"] = quantity(tx.nonce);
  out["to"] = optional_address(tx.to);
  out["value"] = quantity(tx.value);
  out["type"] = quantity(tx.type);
  const std::uint64_t parity = tx.signature.recovery;
  if (tx.type == 0) {
    out["gasPrice"] = quantity(tx.max_fee);
    if (tx.chain_id != 0) out["chainId"] = quantity(tx.chain_id);
    out["v"] =
        tx.chain_id == 0 ? quantity(27 + parity) : quantity(uint256(tx.chain_id) * uint256(2) + uint256(35 + parity));
  } else {
    out["gasPrice"] = quantity(place != nullptr ? tx.effective_gas_price(place->base_fee) : tx.max_fee);
    out["maxFeePerGas"] = quantity(tx.max_fee);
    out["maxPriorityFeePerGas"] = quantity(tx.max_priority_fee);
    out["chainId"] = quantity(chain_id);
    json::array access;
    for (const auto& entry : tx.access_list) {
      json::array keys;
      for (const auto& key : entry.keys) keys.emplace_back(to_hex0x(key));
      json::object one;
      one["address"] = to_hex0x(entry.address);
      one["storageKeys"] = std::move(keys);
      access.emplace_back(std::move(one));
    }
    out["accessList"] = std::move(access);
    out["v"] = quantity(parity);
    out["yParity"] = quantity(parity);
  }
  out["r"] = quantity(uint256::from_be(tx.signature.r));
  out["s"] = quantity(uint256::from_be(tx.signature.s));
  return out;
}

json::object encode_header(const StoredBlock& block) {
  auto out = header_fields(block.block.header);
  out.erase("uncles");
  out.erase("withdrawals");
  out["hash"] = to_hex0x(block.hash);
  return out;
}

json::object encode_block(const StoredBlock& block, std::uint64_t chain_id, bool full) {
  auto out = header_fields(block.block.header);
  out["hash"] = to_hex0x(block.hash);
  out["size"] = quantity(static_cast<std::uint64_t>(block.size_bytes));
  out["transactions"] = transaction_list(block.block, &block.hash, chain_id, full);
  return out;
}

json::object encode_pending_block(const Block& block, std::uint64_t chain_id, bool full) {
  auto out = header_fields(block.header);
  out["hash"] = nullptr;
  out["nonce"] = nullptr;
  out["miner"] = nullptr;
  out["size"] = quantity(static_cast<std::uint64_t>(block.encode().size()));
  out["transactions"] = transaction_list(block, nullptr, chain_id, full);
  return out;
}

json::object encode_receipt(const StoredReceipt& stored) {
  const auto& receipt = stored.receipt;
  const auto& item = *stored.transaction;
  json::object out;
  out["type"] = quantity(receipt.type);
  out["transactionHash"] = to_hex0x(item.hash);
  out["transactionIndex"] = quantity(stored.index);
  out["blockHash"] = to_hex0x(stored.block_hash);
  out["blockNumber"] = quantity(stored.block_number);
  out["from"] = to_hex0x(item.sender);
  out["to"] = optional_address(item.tx.to);
  out["cumulativeGasUsed"] = quantity(receipt.cumulative_gas);
  out["gasUsed"] = quantity(receipt.gas_used);
  out["contractAddress"] = item.tx.to ? json::value(nullptr) : json::value(to_hex0x(created_address(item)));
  out["logsBloom"] = to_hex0x(receipt.bloom());
  out["status"] = receipt.success ? "0x1" : "0x0";
  out["effectiveGasPrice"] = quantity(receipt.effective_gas_price);
  json::array logs;
  std::uint32_t index = stored.first_log_index;
  for (const auto& log : receipt.logs)
    logs.emplace_back(encode_log({log, stored.block_hash, item.hash, stored.block_number, stored.index, index++}));
  out["logs"] = std::move(logs);
  return out;
}

json::object encode_log(const FoundLog& found) {
  json::object out;
  out["address"] = to_hex0x(found.log.address);
  json::array topics;
  for (const auto& topic : found.log.topics) topics.emplace_back(to_hex0x(topic));
  out["topics"] = std::move(topics);
  out["data"] = to_hex0x(found.log.data);
  out["blockNumber"] = quantity(found.block_number);
  out["transactionHash"] = to_hex0x(found.transaction_hash);
  out["transactionIndex"] = quantity(found.transaction_index);
  out["blockHash"] = to_hex0x(found.block_hash);
  out["logIndex"] = quantity(found.log_index);
  out["removed"] = false;
  return out;
}

}  // namespace bonus::chain::rpc
