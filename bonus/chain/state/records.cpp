// Encoding of the ledger's records. What cannot be decoded was damaged on disk: kCorrupt.
#include "bonus/chain/state/records.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/state/store.hpp"
#include "bonus/codec/rlp.hpp"

namespace bonus::chain::state {
namespace {

constexpr std::uint64_t kVersion = 1;

Error corrupt(std::string_view what, const Error& cause) {
  return {ErrorCode::kCorrupt, fmt::format("stored {} is damaged: {}", what, cause.message)};
}

/// The list behind the version number of a record.
Result<rlp::Decoder> open_record(BytesView in, std::string_view what) {
  rlp::Decoder outer(in);
  auto list = outer.list();
  if (!list) return fail(corrupt(what, list.error()));
  if (auto end = outer.expect_end(); !end) return fail(corrupt(what, end.error()));
  auto version = list->number();
  if (!version) return fail(corrupt(what, version.error()));
  if (*version != kVersion)
    return fail(ErrorCode::kUnsupported,
                fmt::format("stored {} has version {}, this program knows {}", what, *version, kVersion));
  return *list;
}

Result<std::vector<Log>> decode_logs(rlp::Decoder& d) {
  TRY_ASSIGN(auto list, d.list());
  std::vector<Log> out;
  while (!list.at_end()) {
    TRY_ASSIGN(auto item, list.list());
    Log log;
    TRY_ASSIGN(log.address, item.fixed<Address>());
    TRY_ASSIGN(auto topics, item.list());
    while (!topics.at_end()) {
      TRY_ASSIGN(auto topic, topics.fixed<Hash32>());
      log.topics.push_back(topic);
    }
    TRY_ASSIGN(auto data, item.bytes());
    log.data.assign(data.begin(), data.end());
    TRY(item.expect_end());
    out.push_back(std::move(log));
  }
  return out;
}

Result<Account> read_account(BytesView in) {
  rlp::Decoder outer(in);
  TRY_ASSIGN(auto d, outer.list());
  Account out;
  TRY_ASSIGN(out.nonce, d.number());
  TRY_ASSIGN(out.balance, d.number256());
  TRY_ASSIGN(out.storage_root, d.fixed<Hash32>());
  TRY_ASSIGN(out.code_hash, d.fixed<Hash32>());
  TRY(d.expect_end());
  TRY(outer.expect_end());
  return out;
}

Result<StoredBlock> read_block(rlp::Decoder& d) {
  TRY_ASSIGN(auto raw, d.bytes());
  TRY_ASSIGN(auto commit, d.bytes());
  TRY_ASSIGN(auto list, d.list());
  std::vector<Address> senders;
  while (!list.at_end()) {
    TRY_ASSIGN(auto sender, list.fixed<Address>());
    senders.push_back(sender);
  }
  TRY(d.expect_end());
  StoredBlock out;
  TRY_ASSIGN(out.block,
             decode_block(raw, [&](Transaction tx, const Hash32& hash, std::size_t index) -> Result<TransactionPtr> {
               if (index >= senders.size()) return fail(ErrorCode::kCorrupt, "a sender is missing");
               return std::make_shared<const SenderTransaction>(SenderTransaction{std::move(tx), senders[index], hash});
             }));
  out.hash = out.block.header.hash();
  out.commit.assign(commit.begin(), commit.end());
  out.size_bytes = raw.size();
  return out;
}

Result<Receipt> read_receipt(rlp::Decoder& list) {
  TRY_ASSIGN(auto d, list.list());
  Receipt out;
  TRY_ASSIGN(const std::uint64_t type, d.number());
  TRY_ASSIGN(const std::uint64_t success, d.number());
  if (type > UINT8_MAX || success > 1) return fail(ErrorCode::kCorrupt, "type or status out of range");
  out.type = static_cast<std::uint8_t>(type);
  out.success = success == 1;
  TRY_ASSIGN(out.cumulative_gas, d.number());
  TRY_ASSIGN(out.gas_used, d.number());
  TRY_ASSIGN(out.effective_gas_price, d.number256());
  TRY_ASSIGN(out.logs, decode_logs(d));
  TRY_ASSIGN(auto data, d.bytes());
  out.return_data.assign(data.begin(), data.end());
  TRY(d.expect_end());
  return out;
}

Result<ReceiptsRecord> read_receipts(rlp::Decoder& d) {
  ReceiptsRecord out;
  TRY_ASSIGN(auto list, d.list());
  while (!list.at_end()) {
    TRY_ASSIGN(auto receipt, read_receipt(list));
    out.receipts.push_back(std::move(receipt));
  }
  TRY_ASSIGN(out.system_logs, decode_logs(d));
  TRY(d.expect_end());
  return out;
}

Result<std::vector<NewNodes::Replaced>> read_replaced(rlp::Decoder& d) {
  TRY_ASSIGN(auto list, d.list());
  std::vector<NewNodes::Replaced> out;
  while (!list.at_end()) {
    TRY_ASSIGN(const auto place, list.bytes());
    TRY_ASSIGN(const auto version, list.number());
    out.push_back({{place.begin(), place.end()}, version});
  }
  TRY(d.expect_end());
  return out;
}

Result<ChangesRecord> read_changes(rlp::Decoder& d) {
  ChangesRecord out;
  TRY_ASSIGN(auto accounts, d.list());
  while (!accounts.at_end()) {
    TRY_ASSIGN(const auto address, accounts.fixed<Address>());
    out.accounts.push_back(address);
  }
  TRY_ASSIGN(auto contracts, d.list());
  while (!contracts.at_end()) {
    TRY_ASSIGN(const auto address, contracts.fixed<Address>());
    TRY_ASSIGN(auto slots, contracts.list());
    while (!slots.at_end()) {
      TRY_ASSIGN(const uint256 slot, slots.number256());
      out.slots.push_back({address, slot});
    }
  }
  TRY(d.expect_end());
  return out;
}

}  // namespace

Bytes encode_account(const Account& account) {
  rlp::Encoder e;
  e.begin_list().number(account.nonce).number(account.balance).bytes(account.storage_root).bytes(account.code_hash);
  e.end_list();
  return e.take();
}

Result<Account> decode_account(BytesView in) {
  auto out = read_account(in);
  if (!out) return fail(corrupt("account", out.error()));
  return out;
}

Bytes encode_slot_value(const uint256& value) {
  const Hash32 be = value.to_be();
  const auto* first = std::ranges::find_if(be.bytes, [](std::uint8_t b) { return b != 0; });
  return {first, be.bytes.end()};
}

Result<uint256> decode_slot_trie_value(BytesView in) {
  auto value = rlp::Decoder(in).number256();
  if (!value) return fail(ErrorCode::kCorrupt, "stored slot: " + value.error().message);
  return *value;
}

Bytes slot_record_key(const SlotKey& key) {
  Bytes out(key.contract.bytes.begin(), key.contract.bytes.end());
  append(out, key.slot.to_be());
  return out;
}

Bytes node_record_key(BytesView place, std::uint64_t number) {
  Bytes out;
  out.reserve(place.size() + 8);
  append(out, place);
  append(out, number_key(~number));
  return out;
}

std::uint64_t node_record_version(BytesView key) {
  std::uint64_t out = 0;
  for (const std::uint8_t b : key.last(std::min<std::size_t>(8, key.size()))) out = out << 8 | b;
  return ~out;
}

Bytes encode_replaced_record(const std::vector<NewNodes::Replaced>& nodes) {
  rlp::Encoder e;
  e.begin_list().number(kVersion).begin_list();
  for (const auto& node : nodes) e.bytes(node.place).number(node.version);
  e.end_list().end_list();
  return e.take();
}

Result<std::vector<NewNodes::Replaced>> decode_replaced_record(BytesView in) {
  TRY_ASSIGN(auto d, open_record(in, "list of replaced nodes"));
  auto out = read_replaced(d);
  if (!out) return fail(corrupt("list of replaced nodes", out.error()));
  return out;
}

void sort_changes(ChangesRecord& changes) {
  std::ranges::sort(changes.accounts);
  std::ranges::sort(changes.slots, [](const SlotKey& a, const SlotKey& b) {
    return a.contract == b.contract ? a.slot < b.slot : a.contract < b.contract;
  });
}

Bytes encode_changes_record(const ChangesRecord& changes) {
  rlp::Encoder e;
  e.begin_list().number(kVersion).begin_list();
  for (const Address& address : changes.accounts) e.bytes(address);
  e.end_list().begin_list();
  for (std::size_t i = 0; i < changes.slots.size();) {
    const Address& contract = changes.slots[i].contract;
    e.bytes(contract).begin_list();
    for (; i < changes.slots.size() && changes.slots[i].contract == contract; ++i) e.number(changes.slots[i].slot);
    e.end_list();
  }
  e.end_list().end_list();
  return e.take();
}

Result<ChangesRecord> decode_changes_record(BytesView in) {
  TRY_ASSIGN(auto d, open_record(in, "list of changes"));
  auto out = read_changes(d);
  if (!out) return fail(corrupt("list of changes", out.error()));
  return out;
}

Bytes encode_block_record(const Block& block, BytesView raw, BytesView commit) {
  rlp::Encoder e;
  e.begin_list().number(kVersion).bytes(raw).bytes(commit).begin_list();
  for (const auto& tx : block.transactions) e.bytes(tx->sender);
  e.end_list().end_list();
  return e.take();
}

Result<StoredBlock> decode_block_record(BytesView in) {
  TRY_ASSIGN(auto d, open_record(in, "block"));
  auto out = read_block(d);
  if (!out) return fail(corrupt("block", out.error()));
  return out;
}

Bytes encode_receipts_record(const std::vector<Receipt>& receipts, const std::vector<Log>& system_logs) {
  rlp::Encoder e;
  e.begin_list().number(kVersion).begin_list();
  for (const Receipt& r : receipts) {
    e.begin_list().number(std::uint64_t{r.type}).number(std::uint64_t{r.success ? 1u : 0u}).number(r.cumulative_gas);
    e.number(r.gas_used).number(r.effective_gas_price).raw(encode_logs(r.logs)).bytes(r.return_data).end_list();
  }
  e.end_list().raw(encode_logs(system_logs)).end_list();
  return e.take();
}

Result<ReceiptsRecord> decode_receipts_record(BytesView in) {
  TRY_ASSIGN(auto d, open_record(in, "receipts"));
  auto out = read_receipts(d);
  if (!out) return fail(corrupt("receipts", out.error()));
  return out;
}

}  // namespace bonus::chain::state
