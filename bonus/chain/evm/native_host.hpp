// What a system contract sees of the journal.
#pragma once

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/state/journal.hpp"

namespace bonus::chain::evm {

/// `limit` empties into kExhausted; without a limit charging is free (block hooks). In a static call every change is
/// left out and remembered: the call must fail then.
class NativeHost final : public Host {
 public:
  NativeHost(state::Journal& journal, const BlockContext& context, std::optional<std::uint64_t> limit,
             bool is_static = false)
      : journal_(journal),
        context_(context),
        metered_(limit.has_value()),
        is_static_(is_static),
        left_(limit.value_or(0)) {}

  [[nodiscard]] const BlockContext& block() const override { return context_; }
  [[nodiscard]] uint256 balance(const Address& account) const override { return journal_.account(account).balance; }
  [[nodiscard]] Result<> transfer(const Address& from, const Address& to, const uint256& amount) override;
  [[nodiscard]] uint256 load(const Address& contract, const uint256& slot) const override {
    return journal_.storage({contract, slot});
  }
  void store(const Address& contract, const uint256& slot, const uint256& value) override {
    if (!denied()) journal_.set_storage({contract, slot}, value);
  }
  void emit(Log log) override {
    if (!denied()) journal_.emit(std::move(log));
  }
  [[nodiscard]] Result<> charge(std::uint64_t gas) override;

  [[nodiscard]] std::uint64_t left() const { return left_; }
  [[nodiscard]] bool out_of_gas() const { return out_of_gas_; }
  [[nodiscard]] bool violated() const { return violated_; }

 private:
  bool denied() {
    if (is_static_) violated_ = true;
    return is_static_;
  }

  state::Journal& journal_;
  const BlockContext& context_;
  bool metered_;
  bool is_static_;
  bool out_of_gas_ = false;
  bool violated_ = false;
  std::uint64_t left_;
};

}  // namespace bonus::chain::evm
