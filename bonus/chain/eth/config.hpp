// Which of Ethereum's rules hold in which block: the "config" of geth's genesis.json, and the networks that Ethereum's
// test suites name.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/revision.hpp"

namespace bonus::chain::eth {

/// What holds in one block.
struct Rules {
  Revision revision = Revision::kFrontier;
  BlobSchedule blobs;                 ///< All zero before Cancun.
  std::uint64_t bomb_delay = 0;       ///< Blocks that the difficulty does not count yet (EIP-649 and successors).
  bool fork_block_of_london = false;  ///< The first block with a base fee.
  HeaderForm form = HeaderForm::kFrontier;
  [[nodiscard]] bool since(Revision first) const { return revision >= first; }
};

struct ChainConfig {
  std::uint64_t chain_id = 1;
  /// Where each rule set begins: a block number up to London, a timestamp from Shanghai on. Nothing: never. Frontier
  /// and Paris have no entry.
  std::array<std::optional<std::uint64_t>, kRevisionCount> begins{};
  std::optional<std::uint64_t> muir_glacier, arrow_glacier, gray_glacier;  ///< They move the difficulty bomb only.
  /// EIP-3675: proof of stake from the block on whose parent has this total difficulty. Nothing: never.
  std::optional<uint256> terminal_total_difficulty;
  struct BlobFork {
    std::string name;  ///< "cancun", "prague", "osaka", "bpo1", ...
    std::uint64_t timestamp = 0;
    BlobSchedule schedule;
  };
  std::vector<BlobFork> blob_forks;  ///< In their order; the last one that has begun counts.
  /// All block numbers and timestamps at which the genesis file schedules a fork, known here or not (EIP-2124).
  std::vector<std::uint64_t> fork_blocks, fork_times;
  Address deposit_contract{{0x00, 0x00, 0x00, 0x00, 0x21, 0x9a, 0xb5, 0x40, 0x35, 0x6c,
                            0xbb, 0x83, 0x9c, 0xbe, 0x05, 0x30, 0x3d, 0x77, 0x05, 0xfa}};  ///< EIP-6110.

  /// `proof_of_stake`: the block has no difficulty (its place after the terminal block is checked elsewhere).
  [[nodiscard]] Rules at(std::uint64_t number, UnixSeconds timestamp, bool proof_of_stake) const;
  [[nodiscard]] Rules of(const Header& header) const {
    return at(header.number, header.timestamp, terminal_total_difficulty && header.difficulty.is_zero());
  }
  /// EIP-2124: the checksum over the genesis block and every fork up to this block.
  [[nodiscard]] std::uint32_t fork_hash(const Header& genesis, std::uint64_t number, UnixSeconds timestamp) const;
  /// From geth's "config". Unknown keys are ignored, as geth does. `source` is the text that the object was parsed
  /// from: a terminal total difficulty written as a JSON number has more digits than a parsed number keeps.
  [[nodiscard]] static Result<ChainConfig> from_json(const boost::json::object& config, std::string_view source);
  /// "Prague", "BerlinToLondonAt5", "ParisToShanghaiAtTime15k", "ArrowGlacierToParisAtDiffC0000", "BPO1", ...;
  /// kNotFound for a name that is none of these.
  [[nodiscard]] static Result<ChainConfig> of_network(std::string_view name, std::uint64_t chain_id = 1);
};

/// Overrides what config.blob_forks says by "blobSchedule" as genesis.json and execution-spec-tests write it:
/// {"cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3338477}, ...}. Forks that never begin are ignored.
[[nodiscard]] Result<> read_blob_schedule(const boost::json::object& schedule, ChainConfig& config);

}  // namespace bonus::chain::eth
