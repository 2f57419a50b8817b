// Accounts and tries in memory.
#include "bonus/chain/vectors/memory_state.hpp"

#include <fmt/format.h>

#include "bonus/chain/state/records.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::vectors {

void MemoryState::keep(state::NewNodes nodes) {
  for (auto& made : nodes.made) nodes_.emplace(made.hash, std::make_shared<const Bytes>(std::move(made.rlp)));
}

MemoryState::MemoryState(const Accounts& accounts) {
  state::Trie trie;
  state::NewNodes fresh;
  for (const auto& [address, plain] : accounts) {
    Account account{plain.nonce, plain.balance, kEmptyTrieRoot, kEmptyCodeHash};
    if (!plain.code.empty()) {
      account.code_hash = crypto::keccak256(plain.code);
      codes_.emplace(account.code_hash, std::make_shared<const Bytes>(plain.code));
    }
    if (!plain.storage.empty()) {
      state::Trie storage(nullptr, kEmptyTrieRoot, state::storage_trie(address));
      for (const auto& [slot, value] : plain.storage) {
        rlp::Encoder e;
        e.number(value);
        // A trie without a source has no node that could be missing.
        (void)storage.put(crypto::keccak256(slot.to_be()), e.take());
        slots_.emplace(SlotKey{address, slot}, value);
      }
      account.storage_root = storage.commit(fresh);
    }
    (void)trie.put(crypto::keccak256(address), state::encode_account(account));
    accounts_.emplace(address, account);
  }
  root_ = trie.commit(fresh);
  keep(std::move(fresh));
}

Account MemoryState::account(const Address& address) const {
  const auto found = accounts_.find(address);
  return found == accounts_.end() ? Account{} : found->second;
}

uint256 MemoryState::storage(const SlotKey& key) const {
  const auto found = slots_.find(key);
  return found == slots_.end() ? uint256() : found->second;
}

std::shared_ptr<const Bytes> MemoryState::code(const Hash32& code_hash) const {
  static const auto kNothing = std::make_shared<const Bytes>();  // Shared: as the interface wants it.
  const auto found = codes_.find(code_hash);
  return found == codes_.end() ? kNothing : found->second;
}

Result<state::StoredNode> MemoryState::node(BytesView /*place*/, const Hash32& hash) const {
  const auto found = nodes_.find(hash);
  if (found == nodes_.end()) return fail(ErrorCode::kCorrupt, "no trie node " + to_hex0x(hash));
  return state::StoredNode{found->second, 0};
}

Result<Hash32> MemoryState::root_after(const state::Journal& journal) const {
  TRY_ASSIGN(const state::StateDiff diff, state::make_diff(journal, *this, root_));
  return diff.root;
}

Accounts accounts_after(const Accounts& before, const state::Journal& journal) {
  Accounts out = before;
  journal.accounts().for_each([&](const state::Journal::AccountEntry& entry) {
    if (entry.storage_wiped)
      if (const auto found = out.find(entry.address); found != out.end()) found->second.storage.clear();
    if (is_missing(entry.now)) {
      out.erase(entry.address);
      return;
    }
    PlainAccount& account = out[entry.address];
    account.nonce = entry.now.nonce;
    account.balance = entry.now.balance;
    account.code = *journal.code(entry.address);
  });
  journal.slots().for_each([&](const state::Journal::SlotEntry& slot) {
    const auto found = out.find(slot.key.contract);
    if (found == out.end()) return;
    if (slot.now.is_zero()) {
      found->second.storage.erase(slot.key.slot);
    } else {
      found->second.storage[slot.key.slot] = slot.now;
    }
  });
  return out;
}

namespace {

class Differences {
 public:
  explicit Differences(std::size_t limit) : limit_(limit) {}
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    if (count_++ < limit_) text_ += fmt::format(format, std::forward<Args>(args)...) + "\n";
  }
  [[nodiscard]] std::string take() {
    if (count_ > limit_) text_ += fmt::format("and {} more\n", count_ - limit_);
    return std::move(text_);
  }

 private:
  std::size_t limit_, count_ = 0;
  std::string text_;
};

void compare(Differences& out, const std::string& name, const PlainAccount& have, const PlainAccount& want) {
  if (have.nonce != want.nonce) out.add("{}: nonce {}, expected {}", name, have.nonce, want.nonce);
  if (have.balance != want.balance)
    out.add("{}: balance {}, expected {}", name, have.balance.to_quantity(), want.balance.to_quantity());
  if (have.code != want.code)
    out.add("{}: code of {} bytes, expected {} bytes", name, have.code.size(), want.code.size());
  for (const auto& [slot, value] : want.storage) {
    const auto found = have.storage.find(slot);
    const uint256 got = found == have.storage.end() ? uint256() : found->second;
    if (got != value)
      out.add("{}: slot {} is {}, expected {}", name, slot.to_quantity(), got.to_quantity(), value.to_quantity());
  }
  for (const auto& [slot, value] : have.storage)
    if (!want.storage.contains(slot))
      out.add("{}: slot {} is {}, expected 0x0", name, slot.to_quantity(), value.to_quantity());
}

}  // namespace

std::string describe_difference(const Accounts& have, const Accounts& want, std::size_t limit) {
  Differences out(limit);
  for (const auto& [address, account] : want) {
    const auto found = have.find(address);
    if (found == have.end()) {
      out.add("{}: missing", to_hex0x(address));
    } else {
      compare(out, to_hex0x(address), found->second, account);
    }
  }
  for (const auto& [address, account] : have)
    if (!want.contains(address)) out.add("{}: exists, expected none", to_hex0x(address));
  return out.take();
}

}  // namespace bonus::chain::vectors
