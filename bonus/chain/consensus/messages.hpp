// The messages of BonusBFT and their encoding (docs/formats/consensus.md).
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/chain/consensus/bonusbft.hpp"

namespace bonus::chain::consensus {

using Validator = std::uint16_t;  ///< Index into Config::validators.
inline constexpr std::size_t kMaxValidators = 1024;

enum class MessageType : std::uint8_t {
  kPropose = 1,
  kVoteBlock = 2,
  kCommitRequest = 3,
  kCommit = 4,
  kNewHeight = 5,
  kRoundChange = 6,
  kBodyRequest = 7,
  kBody = 8,
};

/// Every signature covers these first, so that no statement can be carried to another chain or epoch.
struct Domain {
  std::uint64_t chain_id = 0, epoch = 0;
};

/// "I vote for block `hash`, which `proposal` (the hash of a Propose) offers in this round."
struct VoteBlock {
  std::uint64_t height = 0;
  std::uint32_t round = 0;
  Validator signer = 0;
  Hash32 hash, proposal;
  std::uint16_t weight = 0;  ///< Vw = n - rank of the proposer.
  Ed25519Signature signature;
};

/// Q VoteBlocks for one block in one round.
struct VoteCert {
  std::uint64_t height = 0;
  std::uint32_t round = 0;
  Hash32 hash;
  struct Seal {
    Validator validator = 0;
    Hash32 proposal;
    std::uint16_t weight = 0;
    Ed25519Signature signature;
  };
  std::vector<Seal> seals;  ///< Ascending by validator.
  [[nodiscard]] VoteBlock vote(const Seal& seal) const;
};

/// The round and block of a lock, as RoundChange reports it.
struct LockPoint {
  std::uint32_t round = 0;
  Hash32 hash;
  friend bool operator==(const LockPoint&, const LockPoint&) = default;
};

/// The signed part of a RoundChange: "I do nothing below `round` any more; my lock is `lock`."
struct RoundChangeStatement {
  std::uint64_t height = 0;
  std::uint32_t round = 0;
  Validator signer = 0;
  std::optional<LockPoint> lock;
  Ed25519Signature signature;
};
struct RoundChange {
  RoundChangeStatement statement;
  std::optional<VoteCert> cert;  ///< Set iff the statement has a lock.
  Bytes body;  ///< The locked block when the sender holds it and did not send it before; may be empty.
};

/// J: why a round above 0 offers this block. Empty in round 0.
struct Justification {
  std::vector<RoundChangeStatement> changes;  ///< Ascending by signer.
  std::optional<VoteCert> cert;               ///< Of the highest lock among `changes`.
};

struct Propose {
  std::uint64_t height = 0;
  std::uint32_t round = 0;
  Validator signer = 0;
  Hash32 hash;
  Hash32 justification_hash;  ///< keccak of the encoded J; what is signed. Computed, not transmitted.
  Ed25519Signature signature;
  Justification justification;
  Bytes body;
};

struct Commit {
  std::uint64_t height = 0;
  std::uint32_t round = 0;
  Validator signer = 0;
  Hash32 hash;
  Ed25519Signature signature;
};

/// Unsigned: the certificates and the hash prove themselves.
struct CommitRequest {
  VoteCert cert;
};
struct NewHeight {
  CommitCert cert;
};
struct BodyRequest {
  std::uint64_t height = 0;
  Hash32 hash;
};
struct Body {
  std::uint64_t height = 0;
  Hash32 hash;
  Bytes body;
};

using Message = std::variant<Propose, VoteBlock, CommitRequest, Commit, NewHeight, RoundChange, BodyRequest, Body>;

[[nodiscard]] Bytes encode(const Message& message);
/// kInvalid: malformed, too long, unknown version, seals not strictly ascending. Signatures are not checked here.
[[nodiscard]] Result<Message> decode_message(BytesView in);
[[nodiscard]] std::uint64_t height_of(const Message& message);

[[nodiscard]] Bytes encode(const VoteCert& cert);
[[nodiscard]] Result<VoteCert> decode_vote_cert(BytesView in);
[[nodiscard]] Hash32 hash_of(const Justification& justification);

/// What is signed: "bonus/bft/v1" || rlp(chainId, epoch, h, r, type, signer, ...).
[[nodiscard]] Bytes statement_bytes(const Domain& domain, const Propose& m);
[[nodiscard]] Bytes statement_bytes(const Domain& domain, const VoteBlock& m);
[[nodiscard]] Bytes statement_bytes(const Domain& domain, const Commit& m);
[[nodiscard]] Bytes statement_bytes(const Domain& domain, const RoundChangeStatement& m);
/// ph: the hash of a Propose's statement, which commits to H and J.
[[nodiscard]] Hash32 proposal_hash(const Domain& domain, const Propose& m);

}  // namespace bonus::chain::consensus
