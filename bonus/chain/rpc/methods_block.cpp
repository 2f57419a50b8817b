// Blocks, transactions, receipts and logs.
#include <array>
#include <boost/json/array.hpp>

#include "bonus/chain/api/ethereum_block.hpp"
#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/log_scan.hpp"
#include "bonus/chain/rpc/methods.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

JsonReply block_number(const Context& context, const Params& params) {
  TRY(params.at_most(0));
  return json::value(quantity(context.ledger.head().number));
}

/// The block that this node would build from its mempool on the head; its roots are unknown before it is executed.
JsonReply pending_block(const Context& context, bool full) {
  const Header head = context.ledger.head();
  Block block;
  block.header = head;
  block.header.parent_hash = context.ledger.head_hash();
  block.header.number = head.number + 1;
  block.header.timestamp = head.timestamp + 1;
  block.header.gas_used = 0;
  block.header.logs_bloom = Bloom();
  block.header.state_root = block.header.transactions_root = block.header.receipts_root = Hash32();
  block.header.prev_randao = Hash32();
  block.header.extra_data.clear();
  block.header.base_fee = next_base_fee(head, context.ledger.genesis());
  block.transactions = context.mempool.best(block.header.base_fee, block.header.gas_limit);
  return encode_pending_block(block, context.chain_id(), full);
}

JsonReply get_block(const Context& context, const Params& params) {
  TRY(params.at_most(2));
  TRY_ASSIGN(const auto id, params.block(0));
  TRY_ASSIGN(const bool full, params.boolean_or_false(1));
  if (const auto* tag = std::get_if<Tag>(&id); tag != nullptr && *tag == Tag::kPending)
    return pending_block(context, full);
  TRY_ASSIGN(const auto block, context.find_block(id));
  if (!block) return nullptr;
  return encode_block(*block, context.chain_id(), full);
}

JsonReply get_block_by_hash(const Context& context, const Params& params) {
  TRY(params.hash(0));
  return get_block(context, params);
}

JsonReply transaction_count(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto id, params.block(0));
  TRY_ASSIGN(const auto block, context.find_block(id));
  if (!block) return nullptr;
  return json::value(quantity(static_cast<std::uint64_t>(block->block.transactions.size())));
}

JsonReply uncle_count(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto id, params.block(0));
  TRY_ASSIGN(const auto block, context.find_block(id));
  if (!block) return nullptr;
  return json::value(quantity(static_cast<std::uint64_t>(block->block.ommers.size())));
}

JsonReply uncle_by_index(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto id, params.block(0));
  TRY_ASSIGN(const auto index, params.quantity64(1));
  TRY_ASSIGN(const auto block, context.find_block(id));
  if (!block || index >= block->block.ommers.size()) return nullptr;
  // As a block without transactions, which is how geth shows it.
  StoredBlock uncle;
  uncle.block.header = block->block.ommers[index];
  uncle.hash = uncle.block.header.hash();
  uncle.size_bytes = encode_ethereum_block(uncle.block).size();
  auto out = encode_block(uncle, context.chain_id(), false);
  out.erase("transactions");
  return out;
}

JsonReply get_header(const Context& context, const Params& params) {
  TRY(params.at_most(1));
  TRY_ASSIGN(const auto id, params.block(0));
  TRY_ASSIGN(const auto block, context.find_block(id));
  if (!block) return nullptr;
  return encode_header(*block);
}

JsonReply transaction_by_index(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto id, params.block(0));
  TRY_ASSIGN(const auto index, params.quantity64(1));
  TRY_ASSIGN(const auto block, context.find_block(id));
  if (!block || index >= block->block.transactions.size()) return nullptr;
  const auto& header = block->block.header;
  const Place place{block->hash, header.number, static_cast<std::uint32_t>(index), header.base_fee, header.timestamp};
  return encode_transaction(*block->block.transactions[index], context.chain_id(), &place);
}

JsonReply transaction_by_hash(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto hash, params.hash(0));
  const auto mined = context.ledger.receipt(hash);
  if (mined && mined->transaction) {
    const auto block = context.ledger.block(mined->block_number);
    if (!block) return failure(block.error());
    const auto& header = (*block)->block.header;
    const Place place{mined->block_hash, mined->block_number, mined->index, header.base_fee, header.timestamp};
    return encode_transaction(*mined->transaction, context.chain_id(), &place);
  }
  if (!mined && mined.error().code != ErrorCode::kNotFound) return failure(mined.error());
  if (const auto pending = context.mempool.find(hash)) return encode_transaction(*pending, context.chain_id(), nullptr);
  return nullptr;
}

/// Only blobs need the context of the block, which may cost more than the block.
Reply<ReceiptPlace> receipt_place(const Context& context, const Header& header) {
  ReceiptPlace out;
  out.timestamp = header.timestamp;
  if (header.blob_gas_used == 0) return out;
  const auto executed = context.ledger.context(header.number);
  if (!executed) return failure(executed.error());
  out.blob_base_fee = executed->blob_base_fee;
  return out;
}

JsonReply receipt_by_hash(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto hash, params.hash(0));
  const auto found = context.ledger.receipt(hash);
  if (!found && found.error().code != ErrorCode::kNotFound) return failure(found.error());
  if (!found || !found->transaction) return nullptr;
  const auto block = context.ledger.block(found->block_number);
  if (!block) return failure(block.error());
  TRY_ASSIGN(const auto place, receipt_place(context, (*block)->block.header));
  return encode_receipt(*found, place);
}

JsonReply block_receipts(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto id, params.block(0));
  TRY_ASSIGN(const auto block, context.find_block(id));
  if (!block) return nullptr;
  const auto receipts = context.ledger.receipts(block->block.header.number);
  if (!receipts) return failure(receipts.error());
  TRY_ASSIGN(const auto place, receipt_place(context, block->block.header));
  json::array out;
  for (const auto& receipt : *receipts)
    if (receipt.transaction) out.emplace_back(encode_receipt(receipt, place));
  return out;
}

JsonReply get_logs(const Context& context, const Params& params) {
  TRY(params.at_most(1));
  TRY_ASSIGN(auto query, read_log_query(params, 0));
  TRY_ASSIGN(auto filter, resolve_range(context, std::move(query)));
  return scan_logs(context, std::move(filter));
}

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"eth_blockNumber", block_number},
    {"eth_getBlockByNumber", get_block},
    {"eth_getBlockByHash", get_block_by_hash},
    {"eth_getBlockTransactionCountByNumber", transaction_count},
    {"eth_getBlockTransactionCountByHash", transaction_count},
    {"eth_getUncleCountByBlockNumber", uncle_count},
    {"eth_getUncleCountByBlockHash", uncle_count},
    {"eth_getUncleByBlockNumberAndIndex", uncle_by_index},
    {"eth_getUncleByBlockHashAndIndex", uncle_by_index},
    {"eth_getHeaderByNumber", get_header},
    {"eth_getHeaderByHash", get_header},
    {"eth_getTransactionByBlockNumberAndIndex", transaction_by_index},
    {"eth_getTransactionByBlockHashAndIndex", transaction_by_index},
    {"eth_getTransactionByHash", transaction_by_hash},
    {"eth_getTransactionReceipt", receipt_by_hash},
    {"eth_getBlockReceipts", block_receipts},
    {"eth_getLogs", get_logs},
});

}  // namespace

std::span<const NamedMethod> block_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
