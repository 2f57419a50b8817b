// JSON of blocks, transactions, receipts and logs.
#include "bonus/chain/rpc/encode.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>

#include "bonus/chain/api/gas.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

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
  out["difficulty"] = quantity(header.difficulty);
  out["gasLimit"] = quantity(header.gas_limit);
  out["gasUsed"] = quantity(header.gas_used);
  out["timestamp"] = quantity(header.timestamp);
  out["extraData"] = to_hex0x(header.extra_data);
  out["mixHash"] = to_hex0x(header.prev_randao);
  out["nonce"] = fmt::format("0x{:016x}", header.nonce);
  if (header.has(HeaderForm::kLondon)) out["baseFeePerGas"] = quantity(header.base_fee);
  if (header.has(HeaderForm::kShanghai)) out["withdrawalsRoot"] = to_hex0x(header.withdrawals_root);
  if (header.has(HeaderForm::kCancun)) {
    out["blobGasUsed"] = quantity(header.blob_gas_used);
    out["excessBlobGas"] = quantity(header.excess_blob_gas);
    out["parentBeaconBlockRoot"] = to_hex0x(header.parent_beacon_root);
  }
  if (header.has(HeaderForm::kPrague)) out["requestsHash"] = to_hex0x(header.requests_hash);
  return out;
}

/// What a block has besides its header and its transactions.
void add_body(json::object& out, const Block& block, std::uint64_t size) {
  out["size"] = quantity(size);
  json::array uncles;
  for (const auto& ommer : block.ommers) uncles.emplace_back(to_hex0x(ommer.hash()));
  out["uncles"] = std::move(uncles);
  if (!block.header.has(HeaderForm::kShanghai)) return;
  json::array withdrawals;
  for (const auto& item : block.withdrawals) {
    json::object one;
    one["index"] = quantity(item.index);
    one["validatorIndex"] = quantity(item.validator);
    one["address"] = to_hex0x(item.address);
    one["amount"] = quantity(item.amount_gwei);
    withdrawals.emplace_back(std::move(one));
  }
  out["withdrawals"] = std::move(withdrawals);
}

json::array transaction_list(const Block& block, const Hash32* hash, std::uint64_t chain_id, bool full) {
  json::array out;
  out.reserve(block.transactions.size());
  std::uint32_t index = 0;
  for (const auto& item : block.transactions) {
    const Place place{hash != nullptr ? *hash : Hash32(), block.header.number, index++, block.header.base_fee,
                      block.header.timestamp};
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

json::array access_list(const std::vector<Transaction::AccessEntry>& entries) {
  json::array out;
  for (const auto& entry : entries) {
    json::array keys;
    for (const auto& key : entry.keys) keys.emplace_back(to_hex0x(key));
    json::object one;
    one["address"] = to_hex0x(entry.address);
    one["storageKeys"] = std::move(keys);
    out.emplace_back(std::move(one));
  }
  return out;
}

json::array authorization_list(const std::vector<Authorization>& list) {
  json::array out;
  for (const auto& item : list) {
    json::object one;
    one["chainId"] = quantity(item.chain_id);
    one["address"] = to_hex0x(item.address);
    one["nonce"] = quantity(item.nonce);
    one["yParity"] = quantity(static_cast<std::uint64_t>(item.y_parity));
    one["r"] = quantity(item.r);
    one["s"] = quantity(item.s);
    out.emplace_back(std::move(one));
  }
  return out;
}

/// What is particular to the type.
void add_typed_fields(json::object& out, const Transaction& tx, std::uint64_t chain_id, const Place* place) {
  const std::uint64_t parity = tx.signature.recovery;
  if (tx.type == 0) {
    out["gasPrice"] = quantity(tx.max_fee);
    if (tx.chain_id != 0) out["chainId"] = quantity(tx.chain_id);
    // EIP-155
    out["v"] =
        tx.chain_id == 0 ? quantity(27 + parity) : quantity(uint256(tx.chain_id) * uint256(2) + uint256(35 + parity));
    return;
  }
  out["chainId"] = quantity(chain_id);
  out["accessList"] = access_list(tx.access_list);
  out["v"] = quantity(parity);
  out["yParity"] = quantity(parity);
  if (tx.type == 1) {
    out["gasPrice"] = quantity(tx.max_fee);
    return;
  }
  out["gasPrice"] = quantity(place != nullptr ? tx.effective_gas_price(place->base_fee) : tx.max_fee);
  out["maxFeePerGas"] = quantity(tx.max_fee);
  out["maxPriorityFeePerGas"] = quantity(tx.max_priority_fee);
  if (tx.type == 3) {
    out["maxFeePerBlobGas"] = quantity(tx.max_fee_per_blob_gas);
    json::array hashes;
    for (const auto& hash : tx.blob_hashes) hashes.emplace_back(to_hex0x(hash));
    out["blobVersionedHashes"] = std::move(hashes);
  }
  if (tx.type == 4) out["authorizationList"] = authorization_list(tx.authorizations);
}

}  // namespace

std::string quantity(std::uint64_t value) { return fmt::format("0x{:x}", value); }
std::string quantity(const uint256& value) { return value.to_quantity(); }

json::object encode_transaction(const SenderTransaction& item, std::uint64_t chain_id, const Place* place) {
  const auto& tx = item.tx;
  json::object out;
  if (place != nullptr) {
    out["blockHash"] = to_hex0x(place->block_hash);
    out["blockNumber"] = quantity(place->block_number);
    out["blockTimestamp"] = quantity(place->timestamp);
    out["transactionIndex"] = quantity(place->index);
  } else {
    for (const auto* name : {"blockHash", "blockNumber", "blockTimestamp", "transactionIndex"}) out[name] = nullptr;
  }
  out["from"] = to_hex0x(item.sender);
  out["gas"] = quantity(tx.gas_limit);
  out["hash"] = to_hex0x(item.hash);
  out["input"] = to_hex0x(tx.data);
  out["nonce"] = quantity(tx.nonce);
  out["to"] = optional_address(tx.to);
  out["value"] = quantity(tx.value);
  out["type"] = quantity(tx.type);
  add_typed_fields(out, tx, chain_id, place);
  out["r"] = quantity(uint256::from_be(tx.signature.r));
  out["s"] = quantity(uint256::from_be(tx.signature.s));
  return out;
}

json::object encode_header(const StoredBlock& block) {
  auto out = header_fields(block.block.header);
  out["hash"] = to_hex0x(block.hash);
  return out;
}

json::object encode_block(const StoredBlock& block, std::uint64_t chain_id, bool full) {
  auto out = header_fields(block.block.header);
  out["hash"] = to_hex0x(block.hash);
  add_body(out, block.block, block.size_bytes);
  out["transactions"] = transaction_list(block.block, &block.hash, chain_id, full);
  return out;
}

json::object encode_pending_block(const Block& block, std::uint64_t chain_id, bool full) {
  auto out = header_fields(block.header);
  out["hash"] = nullptr;
  out["nonce"] = nullptr;
  out["miner"] = nullptr;
  add_body(out, block, block.encode().size());
  out["transactions"] = transaction_list(block, nullptr, chain_id, full);
  return out;
}

json::object encode_receipt(const StoredReceipt& stored, const ReceiptPlace& place) {
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
  if (receipt.state_root)
    out["root"] = to_hex0x(*receipt.state_root);
  else
    out["status"] = receipt.success ? "0x1" : "0x0";
  out["effectiveGasPrice"] = quantity(receipt.effective_gas_price);
  if (receipt.type == 3) {
    out["blobGasUsed"] = quantity(blob_gas(item.tx));
    out["blobGasPrice"] = quantity(place.blob_base_fee);
  }
  json::array logs;
  std::uint32_t index = stored.first_log_index;
  for (const auto& log : receipt.logs) {
    const FoundLog found{log, stored.block_hash, item.hash, stored.block_number, stored.index, index++};
    logs.emplace_back(encode_log(found, place.timestamp));
  }
  out["logs"] = std::move(logs);
  return out;
}

json::object encode_log(const FoundLog& found, UnixSeconds block_timestamp) {
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
  out["blockTimestamp"] = quantity(block_timestamp);
  out["logIndex"] = quantity(found.log_index);
  out["removed"] = false;
  return out;
}

}  // namespace bonus::chain::rpc
