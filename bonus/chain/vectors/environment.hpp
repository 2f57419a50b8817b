// The block in which a test's transaction runs (`env` of Ethereum's test files).
#pragma once

#include <map>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/host.hpp"

namespace boost::json {
class object;
}

namespace bonus::chain::vectors {

struct Environment {
  Address coinbase;
  std::uint64_t number = 0, timestamp = 0, gas_limit = 0;
  uint256 difficulty, base_fee;
  Hash32 randao;
  std::uint64_t excess_blob_gas = 0;
  std::map<std::uint64_t, Hash32> block_hashes;  ///< Of `blockHashes`.
};
/// Absent fields: base fee 10 (what geth's and retesteth's runners take), all else zero. The excess blob gas is derived
/// where only the parent's is given.
[[nodiscard]] Result<Environment> environment_of(const boost::json::object& env);

/// Hashes of earlier blocks: those of the file, else keccak256 of the decimal number, as state tests have them.
class TestHashes final : public BlockHashes {
 public:
  explicit TestHashes(const Environment& environment) : environment_(environment) {}
  [[nodiscard]] Hash32 block_hash(std::uint64_t number) const override;

 private:
  const Environment& environment_;
};

/// What a fork name of a test stands for.
struct Fork {
  Revision revision = Revision::kFrontier;
  BlobSchedule blobs;
};
/// Also the forks that change the blob schedule only (BPO1 to BPO5, EIP-7892). Nothing for an unknown name.
[[nodiscard]] std::optional<Fork> fork_of(std::string_view name);

/// `hashes` is borrowed.
[[nodiscard]] BlockContext block_context(const Environment& environment, const Fork& fork, std::uint64_t chain_id,
                                         const BlockHashes& hashes);

}  // namespace bonus::chain::vectors
