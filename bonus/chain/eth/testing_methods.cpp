// testing_buildBlockV1.
#include "bonus/chain/eth/testing_methods.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include "bonus/chain/api/transaction_rules.hpp"
#include "bonus/chain/eth/json.hpp"

namespace bonus::chain::eth {
namespace {

namespace json = boost::json;

Result<TransactionPtr> read_transaction(const json::value& value) {
  TRY_ASSIGN(const Bytes raw, to_bytes(value));
  TRY_ASSIGN(Transaction tx, decode_transaction(raw));
  return recover(std::move(tx));
}

Result<EthLedger::BuildOptions> read_options(const json::array& params, const EthLedger& ledger,
                                             const Mempool& mempool) {
  if (params.size() < 2)
    return fail(ErrorCode::kInvalid, fmt::format("missing value for required argument {}", params.size()));
  EthLedger::BuildOptions out;
  TRY_ASSIGN(out.parent, to_fixed<Hash32>(params[0]));
  TRY_ASSIGN(const auto* object, as_object(params[1], "payload attributes"));
  const Fields attributes(*object);
  TRY(attributes.read(out.timestamp, "timestamp"));
  TRY(attributes.read(out.randao, "prevRandao"));
  TRY(attributes.read(out.beneficiary, "suggestedFeeRecipient"));
  TRY(attributes.read(out.beacon_root, "parentBeaconBlockRoot"));
  if (const auto* withdrawals = attributes.find("withdrawals"); withdrawals != nullptr) {
    TRY_ASSIGN(out.withdrawals, read_withdrawals(*withdrawals));
  }
  if (params.size() > 2 && !params[2].is_null()) {
    TRY_ASSIGN(const auto* items, as_array(params[2], "transactions"));
    for (const auto& item : *items) {
      auto tx = read_transaction(item);
      if (!tx) return fail(std::move(tx).error().wrap(fmt::format("transaction {}", out.transactions.size())));
      out.transactions.push_back(*std::move(tx));
    }
  } else {
    TRY_ASSIGN(const BlockContext next, ledger.context(ledger.head().number + 1));
    out.transactions = mempool.best(next.base_fee, next.gas_limit);
    // Their blobs are not kept, so that no bundle could be made of them.
    std::erase_if(out.transactions, [](const TransactionPtr& tx) { return tx->tx.type == 3; });
    out.skip_invalid = true;
  }
  if (params.size() > 3 && !params[3].is_null()) {
    TRY_ASSIGN(out.extra_data, to_bytes(params[3]));
  }
  return out;
}

json::object write_payload(const Block& block) {
  const Header& h = block.header;
  const auto quantity = [](std::uint64_t value) { return fmt::format("0x{:x}", value); };
  json::object out;
  out["parentHash"] = to_hex0x(h.parent_hash);
  out["feeRecipient"] = to_hex0x(h.beneficiary);
  out["stateRoot"] = to_hex0x(h.state_root);
  out["receiptsRoot"] = to_hex0x(h.receipts_root);
  out["logsBloom"] = to_hex0x(h.logs_bloom);
  out["prevRandao"] = to_hex0x(h.prev_randao);
  out["blockNumber"] = quantity(h.number);
  out["gasLimit"] = quantity(h.gas_limit);
  out["gasUsed"] = quantity(h.gas_used);
  out["timestamp"] = quantity(h.timestamp);
  out["extraData"] = to_hex0x(h.extra_data);
  out["baseFeePerGas"] = h.base_fee.to_quantity();
  out["blockHash"] = to_hex0x(h.hash());
  json::array transactions;
  for (const auto& tx : block.transactions) transactions.emplace_back(to_hex0x(tx->tx.encode()));
  out["transactions"] = std::move(transactions);
  if (h.has(HeaderForm::kShanghai)) {
    json::array withdrawals;
    for (const Withdrawal& w : block.withdrawals) {
      json::object one;
      one["index"] = quantity(w.index);
      one["validatorIndex"] = quantity(w.validator);
      one["address"] = to_hex0x(w.address);
      one["amount"] = quantity(w.amount_gwei);
      withdrawals.emplace_back(std::move(one));
    }
    out["withdrawals"] = std::move(withdrawals);
  }
  if (h.has(HeaderForm::kCancun)) {
    out["blobGasUsed"] = quantity(h.blob_gas_used);
    out["excessBlobGas"] = quantity(h.excess_blob_gas);
  }
  return out;
}

Result<std::string> build_block(const EthLedger& ledger, const Mempool& mempool, std::string_view params) {
  TRY_ASSIGN(const json::value parsed, parse_json(params));
  TRY_ASSIGN(const auto* list, as_array(parsed, "params"));
  TRY_ASSIGN(const auto options, read_options(*list, ledger, mempool));
  auto built = ledger.build(options);
  if (!built) {
    // The call was well-formed: what does not fit is the state.
    Error error = std::move(built).error();
    if (error.code == ErrorCode::kInvalid) error.code = ErrorCode::kConflict;
    return fail(std::move(error));
  }
  json::object bundle;
  for (const auto* part : {"commitments", "proofs", "blobs"}) bundle[part] = json::array();
  json::array requests;
  for (const Bytes& request : built->requests) requests.emplace_back(to_hex0x(request));
  json::object out;
  out["executionPayload"] = write_payload(built->block);
  out["blockValue"] = built->tips.to_quantity();
  out["blobsBundle"] = std::move(bundle);
  out["executionRequests"] = std::move(requests);
  out["shouldOverrideBuilder"] = false;
  return json::serialize(out);
}

}  // namespace

std::map<std::string, std::function<Result<std::string>(std::string_view params)>, std::less<>> testing_methods(
    const EthLedger& ledger, const Mempool& mempool) {
  return {{"testing_buildBlockV1",
           [&](std::string_view params) -> Result<std::string> { return build_block(ledger, mempool, params); }}};
}

}  // namespace bonus::chain::eth
