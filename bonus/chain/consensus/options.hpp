// What the simulator and the shell may add to a consensus core: other signatures, a signer-state file, deliberate
// faults.
#pragma once

#include <optional>

#include "bonus/base/bytes.hpp"

namespace bonus::chain::consensus {

/// How statements are signed and checked. Production uses Ed25519; the simulator may use a cheap keyed hash.
class Signatures {
 public:
  virtual ~Signatures() = default;
  [[nodiscard]] virtual Ed25519Signature sign(BytesView statement) const = 0;
  [[nodiscard]] virtual bool verify(std::size_t validator, BytesView statement,
                                    const Ed25519Signature& signature) const = 0;
};

/// How far this node has signed, kept in a file apart from the WAL (rule 10). Ordered by height, round, step.
struct SignerState {
  enum class Step : std::uint8_t { kRoundChange, kPropose, kVote, kCommit };
  std::uint64_t height = 0;
  std::uint32_t round = 0;
  Step step = Step::kRoundChange;
  Hash32 hash;  ///< Of the signed statement.
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<SignerState> decode(BytesView in);
};
[[nodiscard]] bool operator<(const SignerState& a, const SignerState& b);

/// Faults that break safety, to show that the simulator finds what each rule is for. Never set outside it.
enum class Mutation : std::uint8_t {
  kNone,
  kNoLock,                  ///< Commits without locking (rule 6).
  kAmnesia,                 ///< Does not report its lock in RoundChange and forgets its WAL at a restart (rules 8, 10).
  kNoJustification,         ///< Accepts proposals of later rounds whatever their J says (rule 3).
  kCommitAfterRoundChange,  ///< Commits below a RoundChange that it has sent (rule 8).
  kSmallQuorum,             ///< Q - 1 suffices everywhere.
};

struct Options {
  const Signatures* signatures = nullptr;   ///< Null: Ed25519 with the keys of Config. Must outlive the core.
  std::optional<SignerState> signer_state;  ///< The core signs nothing at or below it that the WAL does not contain.
  Mutation mutation = Mutation::kNone;
};

}  // namespace bonus::chain::consensus
