// Records of blocks and receipts.
#include "bonus/chain/eth/records.hpp"

#include "bonus/chain/api/ethereum_block.hpp"
#include "bonus/codec/rlp.hpp"

namespace bonus::chain::eth {
namespace {

std::unexpected<Error> corrupt(Error error, const char* what) {
  error.code = ErrorCode::kCorrupt;
  return fail(std::move(error).wrap(what));
}

Result<Log> read_log(rlp::Decoder d) {
  Log out;
  TRY_ASSIGN(out.address, d.fixed<Address>());
  TRY_ASSIGN(rlp::Decoder topics, d.list());
  while (!topics.at_end()) {
    TRY_ASSIGN(const Hash32 topic, topics.fixed<Hash32>());
    out.topics.push_back(topic);
  }
  TRY_ASSIGN(const BytesView data, d.bytes());
  out.data.assign(data.begin(), data.end());
  TRY(d.expect_end());
  return out;
}

Result<Receipt> read_receipt(rlp::Decoder d) {
  Receipt out;
  TRY_ASSIGN(const std::uint64_t type, d.number());
  out.type = static_cast<std::uint8_t>(type);
  TRY_ASSIGN(const std::uint64_t success, d.number());
  out.success = success != 0;
  TRY_ASSIGN(const BytesView root, d.bytes());
  if (!root.empty()) {
    TRY_ASSIGN(out.state_root, Hash32::from(root));
  }
  TRY_ASSIGN(out.cumulative_gas, d.number());
  TRY_ASSIGN(out.gas_used, d.number());
  TRY_ASSIGN(out.effective_gas_price, d.number256());
  TRY_ASSIGN(const BytesView returned, d.bytes());
  out.return_data.assign(returned.begin(), returned.end());
  TRY_ASSIGN(rlp::Decoder logs, d.list());
  while (!logs.at_end()) {
    TRY_ASSIGN(const rlp::Decoder fields, logs.list());
    TRY_ASSIGN(Log log, read_log(fields));
    out.logs.push_back(std::move(log));
  }
  TRY(d.expect_end());
  return out;
}

Result<std::vector<Receipt>> read_receipts(BytesView in) {
  rlp::Decoder outer(in);
  TRY_ASSIGN(rlp::Decoder items, outer.list());
  TRY(outer.expect_end());
  std::vector<Receipt> out;
  while (!items.at_end()) {
    TRY_ASSIGN(const rlp::Decoder fields, items.list());
    TRY_ASSIGN(Receipt receipt, read_receipt(fields));
    out.push_back(std::move(receipt));
  }
  return out;
}

Result<BlockRecord> read_block(BytesView in) {
  rlp::Decoder outer(in);
  TRY_ASSIGN(rlp::Decoder d, outer.list());
  TRY(outer.expect_end());
  TRY_ASSIGN(const BytesView raw, d.bytes());
  TRY_ASSIGN(rlp::Decoder senders, d.list());
  BlockRecord out;
  TRY_ASSIGN(out.total_difficulty, d.number256());
  TRY(d.expect_end());
  TRY_ASSIGN(BareEthereumBlock bare, decode_ethereum_block(raw));
  out.stored.block = std::move(bare.block);
  for (auto& item : bare.transactions) {
    TRY_ASSIGN(const Address sender, senders.fixed<Address>());
    // Shared: block, receipts and mempool hold the same immutable object.
    out.stored.block.transactions.push_back(
        std::make_shared<const SenderTransaction>(SenderTransaction{std::move(item.tx), sender, item.hash}));
  }
  TRY(senders.expect_end());
  out.stored.hash = out.stored.block.header.hash();
  out.stored.size_bytes = raw.size();
  return out;
}

}  // namespace

Bytes encode_block_record(const Block& block, BytesView raw, const uint256& total_difficulty) {
  rlp::Encoder e;
  e.begin_list().bytes(raw).begin_list();
  for (const auto& tx : block.transactions) e.bytes(tx->sender);
  e.end_list().number(total_difficulty).end_list();
  return e.take();
}

Result<BlockRecord> decode_block_record(BytesView in) {
  auto out = read_block(in);
  if (!out) return corrupt(std::move(out).error(), "block record");
  return out;
}

Bytes encode_receipts_record(const std::vector<Receipt>& receipts) {
  rlp::Encoder e;
  e.begin_list();
  for (const Receipt& r : receipts) {
    e.begin_list().number(std::uint64_t{r.type}).number(std::uint64_t{r.success ? 1u : 0u});
    e.bytes(r.state_root ? r.state_root->view() : BytesView());
    e.number(r.cumulative_gas).number(r.gas_used).number(r.effective_gas_price).bytes(r.return_data).begin_list();
    for (const Log& log : r.logs) {
      e.begin_list().bytes(log.address).begin_list();
      for (const Hash32& topic : log.topics) e.bytes(topic);
      e.end_list().bytes(log.data).end_list();
    }
    e.end_list().end_list();
  }
  e.end_list();
  return e.take();
}

Result<std::vector<Receipt>> decode_receipts_record(BytesView in) {
  auto out = read_receipts(in);
  if (!out) return corrupt(std::move(out).error(), "receipts record");
  return out;
}

}  // namespace bonus::chain::eth
