// The state that a journal's changes would leave, to be read by whoever may not change it.
#pragma once

#include <unordered_map>

#include "bonus/chain/state/journal.hpp"

namespace bonus::chain::state {

/// `journal` must outlive it, between transactions. Errors of the base show here too.
class JournalView final : public StateView {
 public:
  explicit JournalView(const Journal& journal) : journal_(journal) {
    journal.accounts().for_each([&](const Journal::AccountEntry& entry) {
      if (entry.code_changed && entry.code) codes_.emplace(entry.now.code_hash, entry.code);
    });
  }
  [[nodiscard]] Account account(const Address& address) const override {
    return checked(Account(journal_.account(address)));
  }
  [[nodiscard]] uint256 storage(const SlotKey& key) const override { return checked(journal_.storage(key)); }
  [[nodiscard]] std::shared_ptr<const Bytes> code(const Hash32& code_hash) const override {
    if (const auto found = codes_.find(code_hash); found != codes_.end()) return found->second;
    return checked(journal_.base().code(code_hash));
  }

 private:
  template <class T>
  T checked(T value) const {
    if (const auto& error = journal_.base().error()) remember(*error);
    return value;
  }

  const Journal& journal_;
  std::unordered_map<Hash32, Journal::Code> codes_;
};

}  // namespace bonus::chain::state
