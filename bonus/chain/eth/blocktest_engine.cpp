// Blocks as the consensus layer hands them over (execution-apis, engine_newPayloadV1 to V4).
#include <fmt/format.h>

#include "bonus/chain/api/ethereum_block.hpp"
#include "bonus/chain/api/transaction_rules.hpp"
#include "bonus/chain/eth/blocktest.hpp"
#include "bonus/chain/eth/json.hpp"
#include "bonus/chain/eth/process.hpp"
#include "bonus/chain/eth/requests.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::eth {
namespace {

namespace json = boost::json;

Result<> check_version(std::uint64_t version, const Rules& rules) {
  const std::uint64_t newest = rules.since(Revision::kPrague) ? 4 : rules.since(Revision::kCancun) ? 3 : 2;
  if (version == newest || (version == 1 && rules.revision == Revision::kParis)) return {};
  return fail(ErrorCode::kUnsupported,
              fmt::format("engine_newPayloadV{} is not for {}", version, to_string(rules.revision)));
}

Result<Header> read_header(const Fields& payload) {
  Header h;
  h.ommers_hash = kEmptyOmmersHash;
  TRY(payload.read(h.parent_hash, "parentHash"));
  TRY(payload.read(h.beneficiary, "feeRecipient"));
  TRY(payload.read(h.state_root, "stateRoot"));
  TRY(payload.read(h.receipts_root, "receiptsRoot"));
  TRY(payload.read(h.logs_bloom, "logsBloom"));
  TRY(payload.read(h.prev_randao, "prevRandao"));
  TRY(payload.read(h.number, "blockNumber"));
  TRY(payload.read(h.gas_limit, "gasLimit"));
  TRY(payload.read(h.gas_used, "gasUsed"));
  TRY(payload.read(h.timestamp, "timestamp"));
  TRY(payload.read(h.extra_data, "extraData"));
  TRY(payload.read(h.base_fee, "baseFeePerGas"));
  TRY(payload.read(h.blob_gas_used, "blobGasUsed"));
  TRY(payload.read(h.excess_blob_gas, "excessBlobGas"));
  return h;
}

Result<std::vector<Bytes>> read_byte_strings(const json::value& value, const char* what) {
  TRY_ASSIGN(const auto* items, as_array(value, what));
  std::vector<Bytes> out;
  for (const auto& item : *items) {
    TRY_ASSIGN(Bytes one, to_bytes(item));
    out.push_back(std::move(one));
  }
  return out;
}

/// EIP-4844: the consensus layer names the blobs that it expects in the transactions.
Result<> check_blob_hashes(const json::value& expected, const std::vector<Bytes>& transactions) {
  std::vector<Hash32> have;
  for (const Bytes& raw : transactions) {
    TRY_ASSIGN(const Transaction tx, decode_transaction(raw));
    have.insert(have.end(), tx.blob_hashes.begin(), tx.blob_hashes.end());
  }
  TRY_ASSIGN(const auto want, read_byte_strings(expected, "expectedBlobVersionedHashes"));
  if (std::ranges::equal(have, want, [](const Hash32& a, const Bytes& b) { return std::ranges::equal(a.view(), b); }))
    return {};
  return fail(ErrorCode::kInvalid, "the blob hashes are not the expected ones");
}

/// EIP-7685: in order of their types, none empty, none twice.
Result<> check_requests(const std::vector<Bytes>& requests) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (requests[i].size() < 2 || (i > 0 && requests[i][0] <= requests[i - 1][0]))
      return fail(ErrorCode::kInvalid, "the execution requests are not in order");
  }
  return {};
}

}  // namespace

Result<Bytes> block_of_payload(const json::array& params, std::uint64_t version, const ChainConfig& config) {
  if (params.empty()) return fail(ErrorCode::kInvalid, "no payload");
  TRY_ASSIGN(const auto* object, as_object(params[0], "payload"));
  const Fields payload(*object);
  TRY_ASSIGN(Header header, read_header(payload));
  const Rules rules = config.of(header);
  TRY(check_version(version, rules));
  header.form = rules.form;
  // What a version has, all of its calls must have, and no others.
  const std::size_t count = version >= 4 ? 4 : version == 3 ? 3 : 1;
  const bool blobs = payload.find("blobGasUsed") != nullptr && payload.find("excessBlobGas") != nullptr;
  if (params.size() != count || blobs != rules.since(Revision::kCancun))
    return fail(ErrorCode::kInvalid, "the call does not have the parts of its version");
  const auto* withdrawals = payload.find("withdrawals");
  if ((withdrawals != nullptr) != rules.since(Revision::kShanghai))
    return fail(ErrorCode::kInvalid, "withdrawals do not belong to the fork, or are missing");

  const auto* list = payload.find("transactions");
  if (list == nullptr) return fail(ErrorCode::kInvalid, "transactions are missing");
  TRY_ASSIGN(const auto transactions, read_byte_strings(*list, "transactions"));
  header.transactions_root = state::ordered_root(transactions);
  std::vector<Withdrawal> payments;
  if (withdrawals != nullptr) {
    TRY_ASSIGN(payments, read_withdrawals(*withdrawals));
    header.withdrawals_root = withdrawals_root(payments);
  }
  if (version >= 3) {
    TRY(check_blob_hashes(params[1], transactions));
    TRY_ASSIGN(header.parent_beacon_root, to_fixed<Hash32>(params[2]));
  }
  if (version >= 4) {
    TRY_ASSIGN(const auto requests, read_byte_strings(params[3], "executionRequests"));
    TRY(check_requests(requests));
    header.requests_hash = requests_hash(requests);
  }
  Hash32 hash;
  TRY(payload.read(hash, "blockHash"));
  if (hash != header.hash())
    return fail(ErrorCode::kInvalid,
                fmt::format("blockHash: have {}, want {}", to_hex0x(hash), to_hex0x(header.hash())));

  rlp::Encoder e;
  e.begin_list().raw(header.encode()).begin_list();
  for (const Bytes& tx : transactions) {
    if (!tx.empty() && tx[0] >= 0xc0) {
      e.raw(tx);
    } else {
      e.bytes(tx);
    }
  }
  e.end_list().begin_list().end_list();
  if (rules.since(Revision::kShanghai)) {
    e.begin_list();
    for (const Withdrawal& payment : payments) e.raw(encode_withdrawal(payment));
    e.end_list();
  }
  e.end_list();
  return e.take();
}

}  // namespace bonus::chain::eth
