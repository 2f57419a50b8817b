// Misbehaviour that two signed statements prove: E1 two Propose, E2 two VoteBlock, E3 two Commit, E4 Commit then an
// older lock.
#pragma once

#include <variant>

#include "bonus/chain/consensus/certificates.hpp"

namespace bonus::chain::consensus {

enum class Offence : std::uint8_t { kTwoProposals = 1, kTwoVotes = 2, kTwoCommits = 3, kForgottenLock = 4 };

/// A Propose appears without body and J: its signature covers only their hashes.
using Statement = std::variant<Propose, VoteBlock, Commit, RoundChangeStatement>;

/// Whether the two statements together convict their signer (signatures are not looked at). E4 is (Commit,
/// RoundChange).
[[nodiscard]] std::optional<Offence> offence_of(const Statement& a, const Statement& b);
[[nodiscard]] Bytes encode_evidence(const Domain& domain, const Statement& a, const Statement& b);

struct Conviction {
  Offence offence = Offence::kTwoProposals;
  std::size_t offender = 0;
  std::uint64_t height = 0;
};
/// Decodes and checks everything, signatures included. kInvalid says what is wrong.
[[nodiscard]] Result<Conviction> check_evidence(const Rules& rules, BytesView proof);
[[nodiscard]] Result<Conviction> verify_evidence(const Config& config, BytesView proof);

}  // namespace bonus::chain::consensus
