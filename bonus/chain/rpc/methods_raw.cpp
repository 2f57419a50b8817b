// Blocks, receipts and transactions as the bytes that are hashed; and the list of namespaces.
#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "bonus/chain/api/ethereum_block.hpp"
#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/methods.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

/// geth answers "0x" for a transaction that it does not know.
JsonReply raw_transaction(const Context& context, const Params& params) {
  TRY(params.at_most(1));
  TRY_ASSIGN(const auto hash, params.hash(0));
  const auto mined = context.ledger.receipt(hash);
  if (mined && mined->transaction) return json::value(to_hex0x(mined->transaction->tx.encode()));
  if (!mined && mined.error().code != ErrorCode::kNotFound) return failure(mined.error());
  if (const auto pending = context.mempool.find(hash)) return json::value(to_hex0x(pending->tx.encode()));
  return "0x";
}

JsonReply raw_transaction_by_index(const Context& context, const Params& params) {
  TRY(params.at_most(2));
  TRY_ASSIGN(const auto id, params.block(0));
  TRY_ASSIGN(const auto index, params.quantity64(1));
  TRY_ASSIGN(const auto block, context.find_block(id));
  if (!block || index >= block->block.transactions.size()) return "0x";
  return json::value(to_hex0x(block->block.transactions[index]->tx.encode()));
}

Reply<std::shared_ptr<const StoredBlock>> known_block(const Context& context, const Params& params,
                                                      std::string_view what) {
  TRY(params.at_most(1));
  TRY_ASSIGN(const auto id, params.block(0));
  TRY_ASSIGN(auto block, context.find_block(id));
  if (block) return block;
  if (const auto* number = std::get_if<std::uint64_t>(&id))
    return failure(kServerError, fmt::format("{} #{} not found", what, *number));
  return failure(kServerError, fmt::format("{} not found", what));
}

JsonReply raw_header(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto block, known_block(context, params, "header"));
  return json::value(to_hex0x(block->block.header.encode()));
}

JsonReply raw_block(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto block, known_block(context, params, "block"));
  return json::value(to_hex0x(encode_ethereum_block(block->block)));
}

JsonReply raw_receipts(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto block, known_block(context, params, "block"));
  const auto receipts = context.ledger.receipts(block->block.header.number);
  if (!receipts) return failure(receipts.error());
  json::array out;
  for (const auto& receipt : *receipts)
    if (receipt.transaction) out.emplace_back(to_hex0x(receipt.receipt.encode()));
  return out;
}

JsonReply modules(const Context&, const Params&) {
  json::object out;
  for (const auto* name : {"debug", "eth", "net", "rpc", "txpool", "web3"}) out[name] = "1.0";
  return out;
}

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"eth_getRawTransactionByHash", raw_transaction},
    {"eth_getRawTransactionByBlockNumberAndIndex", raw_transaction_by_index},
    {"eth_getRawTransactionByBlockHashAndIndex", raw_transaction_by_index},
    {"debug_getRawTransaction", raw_transaction},
    {"debug_getRawHeader", raw_header},
    {"debug_getRawBlock", raw_block},
    {"debug_getRawReceipts", raw_receipts},
    {"rpc_modules", modules},
});

}  // namespace

std::span<const NamedMethod> raw_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
