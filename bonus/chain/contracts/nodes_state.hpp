// The state of the Nodes contract as Market uses it too: nodes by their fixed position, penalties, bonds.
#pragma once

#include <optional>

#include "bonus/chain/contracts/layout.hpp"

namespace bonus::chain::contracts {

/// Basis points of draw weight at `now`: what was lost at `penalty_at` halves every `halflife_s`, linear in between
/// (market.md, "a penalty that heals over time").
[[nodiscard]] std::uint32_t healed_bps(std::uint32_t bps, UnixSeconds penalty_at, UnixSeconds now,
                                       std::uint32_t halflife_s);

/// Numbers of nodes are positions in `nodes`, from 0; they never change, also when a node leaves and comes back.
class NodesState {
 public:
  explicit NodesState(Context& context) : context_(&context) {}
  [[nodiscard]] std::uint32_t size() const;                                        ///< Including those that left.
  [[nodiscard]] std::optional<std::uint32_t> find(const Address& account) const;   ///< Registered now.
  [[nodiscard]] std::optional<std::uint32_t> known(const Address& account) const;  ///< Registered now or once.
  [[nodiscard]] Row row(std::uint32_t node) const;
  /// The word that holds all that matching needs (layout.hpp, slot 3) and the one with penaltyAt.
  [[nodiscard]] uint256 hot_word(std::uint32_t node) const { return row(node).word(nodes_layout::kHot); }
  [[nodiscard]] std::uint32_t penalty_bps(std::uint32_t node) const;
  /// Multiplies the draw weight by penalty_factor_bps.
  void punish(std::uint32_t node) const;
  /// Counts an interruption and moves interruption_slash_bps of the bond to `user`; emits PenaltyBooked. Returns what
  /// was moved.
  uint256 book_interruption(std::uint32_t node, std::uint64_t lease_id, const Address& user) const;

 private:
  [[nodiscard]] Row global() const { return {*context_, kNodesAddress, uint256()}; }
  Context* context_;
};

}  // namespace bonus::chain::contracts
