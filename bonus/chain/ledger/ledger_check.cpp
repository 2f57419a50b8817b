// Checks of what is stored: a few at each start, all of it on demand; and whole-state audits.
#include <fmt/format.h>

#include "bonus/chain/ledger/ledger_impl.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::ledger {
namespace {

/// Looked at on opening: enough to see a table that stopped at another block than the others.
constexpr std::uint64_t kCheckedBlocks = 4;
constexpr std::uint64_t kCheckedAccounts = 48;

std::unexpected<Error> corrupt(std::string message) {
  return fail(ErrorCode::kCorrupt, "ledger: " + std::move(message));
}

}  // namespace

/// The last blocks follow one another, and the head's root node is there.
Result<> LedgerImpl::check_head() const {
  const auto head = head_info();
  std::uint64_t number = head->header.number;
  const std::uint64_t last = number > kCheckedBlocks ? number - kCheckedBlocks : 0;
  while (number > last) {
    TRY_ASSIGN(const auto child, load_block(number));
    TRY_ASSIGN(const auto parent, load_block(--number));
    if (child->block.header.parent_hash != parent->hash || parent->block.header.number != number)
      return corrupt(fmt::format("block {} is not the parent of block {}", number, number + 1));
    TRY(load_receipts(number + 1));
  }
  if (head->header.state_root == kEmptyTrieRoot) return {};
  const NodesAt nodes(nodes_, head->header.number, head->snapshot.get(), true);
  TRY(nodes.node(node_place(accounts_trie(), {}), head->header.state_root));
  return {};
}

/// Accounts at places that the head's hash chooses: the flat table and the trie must say the same.
Result<> LedgerImpl::check_sample() const {
  const auto head = head_info();
  const NodesAt nodes(nodes_, head->header.number, head->snapshot.get(), true);
  const Trie accounts(&nodes, head->header.state_root);
  const auto check_slot = [&](const Address& address, const Account& account) -> Result<> {
    const Trie storage(&nodes, account.storage_root, storage_trie(address));
    bool found = false;
    TRY(store_->scan(
        Table::kStorage, address,
        [&](BytesView key, BytesView value) -> Result<bool> {
          if (key.size() != 52 || !std::ranges::equal(key.first(20), address.bytes)) return false;
          found = true;
          TRY_ASSIGN(const Bytes proved, storage.get(crypto::keccak256(key.subspan(20))));
          if (proved.empty() || decode_slot_trie_value(proved) != uint256::from_be(value))
            return corrupt(fmt::format("slot {} of {} is not what the state root proves", to_hex0x(key.subspan(20)),
                                       to_hex0x(address)));
          return false;
        },
        head->snapshot.get()));
    if (!found) return corrupt(fmt::format("the storage of {} is missing", to_hex0x(address)));
    return {};
  };
  for (std::uint64_t i = 0; i < kCheckedAccounts; ++i) {
    const Hash32 from = crypto::keccak256(head->hash, number_key(i));
    TRY(store_->scan(
        Table::kAccounts, i == 0 ? BytesView(kFoundationAddress.view()) : from.view().first(20),
        [&](BytesView key, BytesView value) -> Result<bool> {
          TRY_ASSIGN(const Address address, Address::from(key));
          TRY_ASSIGN(const Bytes proved, accounts.get(crypto::keccak256(key)));
          if (!std::ranges::equal(proved, value))
            return corrupt(fmt::format("account {} is not what the state root proves", to_hex0x(address)));
          TRY_ASSIGN(const Account account, decode_account(value));
          if (account.storage_root != kEmptyTrieRoot) TRY(check_slot(address, account));
          return false;
        },
        head->snapshot.get()));
  }
  return {};
}

Result<> LedgerImpl::verify() const {
  TRY(store_->verify());
  const auto head = head_info();
  Hash32 parent;
  for (std::uint64_t number = 0; number <= head->header.number; ++number) {
    TRY_ASSIGN(const auto record, store_->get(Table::kBlocks, number_key(number), head->snapshot.get()));
    if (!record) return corrupt(fmt::format("block {} is missing", number));
    TRY_ASSIGN(const auto stored, decode_block_record(*record));
    if (stored.block.header.number != number || stored.block.header.parent_hash != parent)
      return corrupt(fmt::format("block {} does not follow the one before it", number));
    parent = stored.hash;
  }
  if (parent != head->hash) return corrupt(fmt::format("block {} is not the head", head->header.number));
  TRY_ASSIGN(const Hash32 root, rebuild_root());
  if (root != head->header.state_root) {
    return corrupt(fmt::format("the tables of accounts and storage make the state root {}, block {} says {}",
                               to_hex0x(root), head->header.number, to_hex0x(head->header.state_root)));
  }
  return {};
}

Result<uint256> LedgerImpl::supply() const {
  const auto head = head_info();
  uint256 total;
  TRY(store_->scan(
      Table::kAccounts, {},
      [&](BytesView /*key*/, BytesView value) -> Result<bool> {
        TRY_ASSIGN(const Account account, decode_account(value));
        if (add_overflows(total, account.balance, total))
          return fail(ErrorCode::kCorrupt, "the supply exceeds 256 bits");
        return true;
      },
      head->snapshot.get()));
  return total;
}

Result<Hash32> LedgerImpl::rebuild_root() const {
  const auto head = head_info();
  std::map<Address, Trie> storage;
  TRY(store_->scan(
      Table::kStorage, {},
      [&](BytesView key, BytesView value) -> Result<bool> {
        TRY_ASSIGN(const Address contract, Address::from(key.first(std::min<std::size_t>(key.size(), 20))));
        rlp::Encoder e;
        e.number(uint256::from_be(value));
        TRY(storage[contract].put(crypto::keccak256(key.subspan(20)), e.take()));
        return true;
      },
      head->snapshot.get()));
  Trie accounts;
  TRY(store_->scan(
      Table::kAccounts, {},
      [&](BytesView key, BytesView value) -> Result<bool> {
        TRY_ASSIGN(const Address address, Address::from(key));
        TRY_ASSIGN(Account account, decode_account(value));
        const auto found = storage.find(address);
        account.storage_root = found == storage.end() ? kEmptyTrieRoot : found->second.commit();
        TRY(accounts.put(crypto::keccak256(address), encode_account(account)));
        return true;
      },
      head->snapshot.get()));
  return accounts.commit();
}

Result<uint256> total_supply(const LedgerReader& ledger) {
  const auto* impl = dynamic_cast<const LedgerImpl*>(&ledger);
  if (impl == nullptr) return fail(ErrorCode::kUnsupported, "total_supply: not a stored ledger");
  return impl->supply();
}

Result<Hash32> rebuilt_state_root(const LedgerReader& ledger) {
  const auto* impl = dynamic_cast<const LedgerImpl*>(&ledger);
  if (impl == nullptr) return fail(ErrorCode::kUnsupported, "rebuilt_state_root: not a stored ledger");
  return impl->rebuild_root();
}

Result<> verify_ledger(const LedgerReader& ledger) {
  const auto* impl = dynamic_cast<const LedgerImpl*>(&ledger);
  if (impl == nullptr) return fail(ErrorCode::kUnsupported, "verify_ledger: not a stored ledger");
  return impl->verify();
}

}  // namespace bonus::chain::ledger
