// What consensus asks of the chain: building a block from the mempool and judging a proposed one (chain.md, rules 2 and
// 3).
#pragma once

#include <array>
#include <optional>

#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/api/transaction_recovery.hpp"
#include "bonus/chain/consensus/bonusbft.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::node {

/// A fresh block may be dated so far ahead of the local clock ...
inline constexpr UnixSeconds kMaxClockAheadSeconds = 5;
/// ... and so far behind it: more, because a proposal may have waited for a slow vote.
inline constexpr UnixSeconds kMaxClockBehindSeconds = 15;

/// What the VRF of block `height` is computed over: keccak256(prevRandao of block height-1 || height as 8 bytes
/// big-endian).
[[nodiscard]] Result<Hash32> vrf_seed(const chain::LedgerReader& ledger, std::uint64_t height);
/// The seed of the proposers' order at `height`: the VRF seed of the first height (at least 1) of its cycle of n
/// heights.
[[nodiscard]] Result<Hash32> order_seed(const chain::LedgerReader& ledger, std::uint64_t height);
/// The consensus configuration that a genesis file and a node key give.
[[nodiscard]] chain::consensus::Config consensus_config(const chain::Genesis& genesis,
                                                        const crypto::Ed25519KeyPair* key,
                                                        const chain::consensus::Timing& timing);

/// Not thread-safe: lives on the chain's strand.
class ChainApp final : public chain::consensus::Application {
 public:
  /// All references must outlive it. `for_each` spreads the recovery of senders over threads.
  ChainApp(chain::Ledger& ledger, const chain::Mempool& mempool, const runtime::Clock& clock,
           const chain::consensus::Config& config, chain::ForEach for_each = chain::for_each_in_turn);

  [[nodiscard]] Result<Built> build(std::uint64_t height, std::uint32_t round) override;
  [[nodiscard]] Result<Hash32> validate(std::uint64_t height, BytesView body, bool fresh) override;

  /// Decodes a block, taking senders from the mempool where it knows the transaction.
  [[nodiscard]] Result<chain::Block> decode(BytesView body) const;
  /// Everything about a block of `height` on the head that execution does not show: proposer, VRF, certificate of the
  /// parent.
  [[nodiscard]] Result<> check_seals(std::uint64_t height, const chain::Block& block) const;
  /// The decoded form of a body that was built or validated lately.
  [[nodiscard]] std::optional<chain::Block> recent(const Hash32& hash) const;

 private:
  void remember(const Hash32& hash, chain::Block block);

  chain::Ledger& ledger_;
  const chain::Mempool& mempool_;
  const runtime::Clock& clock_;
  const chain::consensus::Config& config_;
  const chain::ForEach for_each_;
  struct Recent {
    Hash32 hash;
    chain::Block block;
  };
  std::array<std::optional<Recent>, 4> recent_;
  std::size_t next_recent_ = 0;
};

}  // namespace bonus::node
