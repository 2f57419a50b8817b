// A state given as a list of accounts, with its tries, in memory: the pre-state of a test.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>

#include "bonus/chain/api/state_view.hpp"
#include "bonus/chain/state/journal.hpp"
#include "bonus/chain/state/state_diff.hpp"
#include "bonus/chain/state/trie.hpp"

namespace bonus::chain::vectors {

struct PlainAccount {
  std::uint64_t nonce = 0;
  uint256 balance;
  Bytes code;
  std::map<uint256, uint256> storage;  ///< No zeros.
  friend bool operator==(const PlainAccount&, const PlainAccount&) = default;
};
using Accounts = std::map<Address, PlainAccount>;

/// Immutable. Holds empty accounts too, as tests of the rules before EIP-161 list them.
class MemoryState final : public StateView, public state::NodeSource {
 public:
  explicit MemoryState(const Accounts& accounts);

  [[nodiscard]] Account account(const Address& address) const override;
  [[nodiscard]] uint256 storage(const SlotKey& key) const override;
  [[nodiscard]] std::shared_ptr<const Bytes> code(const Hash32& code_hash) const override;
  [[nodiscard]] Result<state::StoredNode> node(BytesView place, const Hash32& hash) const override;

  [[nodiscard]] const Hash32& root() const { return root_; }
  /// The root after the journal's changes; the journal is based on this state.
  [[nodiscard]] Result<Hash32> root_after(const state::Journal& journal) const;

 private:
  void keep(state::NewNodes nodes);

  std::unordered_map<Address, Account> accounts_;
  std::unordered_map<SlotKey, uint256, CacheHasher> slots_;
  // Shared: StateView::code() and StoredNode hand them out.
  std::unordered_map<Hash32, std::shared_ptr<const Bytes>> codes_, nodes_;
  Hash32 root_;
};

/// `before` with the journal's changes.
[[nodiscard]] Accounts accounts_after(const Accounts& before, const state::Journal& journal);
/// Where `have` differs from `want`, one line each, at most `limit` of them; empty when they are equal.
[[nodiscard]] std::string describe_difference(const Accounts& have, const Accounts& want, std::size_t limit = 20);

}  // namespace bonus::chain::vectors
