// RLP codec of consensus messages.
#include "bonus/chain/consensus/messages.hpp"

#include <fmt/format.h>

#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::consensus {
namespace {

constexpr std::uint8_t kVersion = 1;
using rlp::Decoder;
using rlp::Encoder;

template <class T>
Result<T> narrow(Decoder& in) {
  TRY_ASSIGN(const std::uint64_t value, in.number());
  if (value > std::numeric_limits<T>::max()) return fail(ErrorCode::kInvalid, "a number is out of range");
  return static_cast<T>(value);
}
Result<Validator> read_validator(Decoder& in) {
  TRY_ASSIGN(const auto value, narrow<Validator>(in));
  if (value >= kMaxValidators) return fail(ErrorCode::kInvalid, "a validator index is out of range");
  return value;
}
Result<Bytes> read_bytes(Decoder& in) {
  TRY_ASSIGN(const auto view, in.bytes());
  return Bytes(view.begin(), view.end());
}

void put(Encoder& out, const VoteCert& cert) {
  out.begin_list().number(cert.height).number(cert.round).bytes(cert.hash).begin_list();
  for (const auto& seal : cert.seals)
    out.begin_list().number(seal.validator).bytes(seal.proposal).number(seal.weight).bytes(seal.signature).end_list();
  out.end_list().end_list();
}
Result<VoteCert> get_vote_cert(Decoder& outer) {
  TRY_ASSIGN(auto in, outer.list());
  VoteCert out;
  out.height = TRY(in.number());
  out.round = TRY(narrow<std::uint32_t>(in));
  out.hash = TRY(in.fixed<Hash32>());
  TRY_ASSIGN(auto seals, in.list());
  while (!seals.at_end()) {
    TRY_ASSIGN(auto item, seals.list());
    VoteCert::Seal seal;
    seal.validator = TRY(read_validator(item));
    seal.proposal = TRY(item.fixed<Hash32>());
    seal.weight = TRY(narrow<std::uint16_t>(item));
    seal.signature = TRY(item.fixed<Ed25519Signature>());
    TRY(item.expect_end());
    if (!out.seals.empty() && seal.validator <= out.seals.back().validator)
      return fail(ErrorCode::kInvalid, "the seals of a vote certificate are not ascending");
    out.seals.push_back(seal);
  }
  TRY(in.expect_end());
  return out;
}

void put(Encoder& out, const RoundChangeStatement& m) {
  out.begin_list().number(m.height).number(m.round).number(m.signer).begin_list();
  if (m.lock) out.number(m.lock->round).bytes(m.lock->hash);
  out.end_list().bytes(m.signature).end_list();
}
Result<RoundChangeStatement> get_statement(Decoder& outer) {
  TRY_ASSIGN(auto in, outer.list());
  RoundChangeStatement out;
  out.height = TRY(in.number());
  out.round = TRY(narrow<std::uint32_t>(in));
  out.signer = TRY(read_validator(in));
  TRY_ASSIGN(auto lock, in.list());
  if (!lock.at_end()) {
    LockPoint point;
    point.round = TRY(narrow<std::uint32_t>(lock));
    point.hash = TRY(lock.fixed<Hash32>());
    TRY(lock.expect_end());
    out.lock = point;
  }
  out.signature = TRY(in.fixed<Ed25519Signature>());
  TRY(in.expect_end());
  return out;
}

void put_optional(Encoder& out, const std::optional<VoteCert>& cert) {
  out.begin_list();
  if (cert) put(out, *cert);
  out.end_list();
}
Result<std::optional<VoteCert>> get_optional(Decoder& outer) {
  TRY_ASSIGN(auto in, outer.list());
  std::optional<VoteCert> out;
  if (!in.at_end()) out = TRY(get_vote_cert(in));
  TRY(in.expect_end());
  return out;
}

void put(Encoder& out, const Justification& j) {
  out.begin_list().begin_list();
  for (const auto& change : j.changes) put(out, change);
  out.end_list();
  put_optional(out, j.cert);
  out.end_list();
}
Result<Justification> get_justification(Decoder& outer) {
  TRY_ASSIGN(auto in, outer.list());
  Justification out;
  TRY_ASSIGN(auto changes, in.list());
  while (!changes.at_end()) {
    TRY_ASSIGN(auto change, get_statement(changes));
    if (!out.changes.empty() && change.signer <= out.changes.back().signer)
      return fail(ErrorCode::kInvalid, "the signers of a justification are not ascending");
    out.changes.push_back(change);
  }
  out.cert = TRY(get_optional(in));
  TRY(in.expect_end());
  return out;
}

void put(Encoder& out, const Propose& m) {
  out.number(static_cast<std::uint64_t>(MessageType::kPropose))
      .number(m.height)
      .number(m.round)
      .number(m.signer)
      .bytes(m.hash);
  put(out, m.justification);
  out.bytes(m.body).bytes(m.signature);
}
void put(Encoder& out, const VoteBlock& m) {
  out.number(static_cast<std::uint64_t>(MessageType::kVoteBlock)).number(m.height).number(m.round).number(m.signer);
  out.bytes(m.hash).bytes(m.proposal).number(m.weight).bytes(m.signature);
}
void put(Encoder& out, const CommitRequest& m) {
  out.number(static_cast<std::uint64_t>(MessageType::kCommitRequest));
  put(out, m.cert);
}
void put(Encoder& out, const Commit& m) {
  out.number(static_cast<std::uint64_t>(MessageType::kCommit)).number(m.height).number(m.round).number(m.signer);
  out.bytes(m.hash).bytes(m.signature);
}
void put(Encoder& out, const NewHeight& m) {
  out.number(static_cast<std::uint64_t>(MessageType::kNewHeight)).bytes(m.cert.encode());
}
void put(Encoder& out, const RoundChange& m) {
  out.number(static_cast<std::uint64_t>(MessageType::kRoundChange));
  put(out, m.statement);
  put_optional(out, m.cert);
  out.bytes(m.body);
}
void put(Encoder& out, const BodyRequest& m) {
  out.number(static_cast<std::uint64_t>(MessageType::kBodyRequest)).number(m.height).bytes(m.hash);
}
void put(Encoder& out, const Body& m) {
  out.number(static_cast<std::uint64_t>(MessageType::kBody)).number(m.height).bytes(m.hash).bytes(m.body);
}

template <class M>
Result<M> get_head(Decoder& in) {
  M out;
  out.height = TRY(in.number());
  out.round = TRY(narrow<std::uint32_t>(in));
  out.signer = TRY(read_validator(in));
  out.hash = TRY(in.template fixed<Hash32>());
  return out;
}
Result<Message> get_propose(Decoder& in) {
  TRY_ASSIGN(auto out, get_head<Propose>(in));
  out.justification = TRY(get_justification(in));
  out.justification_hash = hash_of(out.justification);
  out.body = TRY(read_bytes(in));
  out.signature = TRY(in.fixed<Ed25519Signature>());
  return out;
}
Result<Message> get_vote(Decoder& in) {
  TRY_ASSIGN(auto out, get_head<VoteBlock>(in));
  out.proposal = TRY(in.fixed<Hash32>());
  out.weight = TRY(narrow<std::uint16_t>(in));
  out.signature = TRY(in.fixed<Ed25519Signature>());
  return out;
}
Result<Message> get_commit(Decoder& in) {
  TRY_ASSIGN(auto out, get_head<Commit>(in));
  out.signature = TRY(in.fixed<Ed25519Signature>());
  return out;
}
Result<Message> get_round_change(Decoder& in) {
  RoundChange out;
  out.statement = TRY(get_statement(in));
  out.cert = TRY(get_optional(in));
  out.body = TRY(read_bytes(in));
  if (out.statement.lock.has_value() != out.cert.has_value())
    return fail(ErrorCode::kInvalid, "a RoundChange carries a vote certificate exactly when it reports a lock");
  if (!out.cert && !out.body.empty()) return fail(ErrorCode::kInvalid, "a RoundChange without lock carries no block");
  return out;
}
Result<Message> get_body(Decoder& in, bool request) {
  Body out;
  out.height = TRY(in.number());
  out.hash = TRY(in.fixed<Hash32>());
  if (request) return BodyRequest{out.height, out.hash};
  out.body = TRY(read_bytes(in));
  return out;
}

Result<Message> get_new_height(Decoder& in) {
  TRY_ASSIGN(const auto encoded, in.bytes());
  return NewHeight{TRY(CommitCert::decode(encoded))};
}

Result<Message> get_message(Decoder& in) {
  TRY_ASSIGN(const std::uint64_t type, in.number());
  switch (type) {
    case static_cast<std::uint64_t>(MessageType::kPropose):
      return get_propose(in);
    case static_cast<std::uint64_t>(MessageType::kVoteBlock):
      return get_vote(in);
    case static_cast<std::uint64_t>(MessageType::kCommitRequest):
      return CommitRequest{TRY(get_vote_cert(in))};
    case static_cast<std::uint64_t>(MessageType::kCommit):
      return get_commit(in);
    case static_cast<std::uint64_t>(MessageType::kNewHeight):
      return get_new_height(in);
    case static_cast<std::uint64_t>(MessageType::kRoundChange):
      return get_round_change(in);
    case static_cast<std::uint64_t>(MessageType::kBodyRequest):
      return get_body(in, true);
    case static_cast<std::uint64_t>(MessageType::kBody):
      return get_body(in, false);
    default:
      return fail(ErrorCode::kInvalid, fmt::format("unknown consensus message type {}", type));
  }
}

Encoder statement_head(const Domain& domain, std::uint64_t height, std::uint32_t round, MessageType type,
                       Validator signer) {
  Encoder out;
  out.begin_list().number(domain.chain_id).number(domain.epoch).number(height).number(round);
  out.number(static_cast<std::uint64_t>(type)).number(signer);
  return out;
}
Bytes statement_tail(Encoder&& out) {
  Bytes bytes(as_bytes("bonus/bft/v1").begin(), as_bytes("bonus/bft/v1").end());
  append(bytes, out.end_list().take());
  return bytes;
}

}  // namespace

VoteBlock VoteCert::vote(const Seal& seal) const {
  return {height, round, seal.validator, hash, seal.proposal, seal.weight, seal.signature};
}

Bytes encode(const Message& message) {
  Encoder out;
  out.begin_list();
  std::visit([&out](const auto& m) { put(out, m); }, message);
  Bytes bytes{kVersion};
  append(bytes, out.end_list().take());
  return bytes;
}

Result<Message> decode_message(BytesView in) {
  if (in.size() > kMaxMessageBytes) return fail(ErrorCode::kInvalid, "a consensus message is too long");
  if (in.empty() || in[0] != kVersion) return fail(ErrorCode::kInvalid, "unknown version of a consensus message");
  Decoder outer(in.subspan(1));
  TRY_ASSIGN(auto list, outer.list());
  TRY(outer.expect_end());
  TRY_ASSIGN(auto message, get_message(list));
  TRY(list.expect_end());
  return message;
}

std::uint64_t height_of(const Message& message) {
  return std::visit(
      [](const auto& m) {
        if constexpr (requires { m.cert.height; })
          return m.cert.height;
        else if constexpr (requires { m.statement; })
          return m.statement.height;
        else
          return m.height;
      },
      message);
}

Bytes encode(const VoteCert& cert) {
  Encoder out;
  put(out, cert);
  return out.take();
}
Result<VoteCert> decode_vote_cert(BytesView in) {
  Decoder outer(in);
  TRY_ASSIGN(auto cert, get_vote_cert(outer));
  TRY(outer.expect_end());
  return cert;
}

Hash32 hash_of(const Justification& justification) {
  Encoder out;
  put(out, justification);
  return crypto::keccak256(out.take());
}

Bytes statement_bytes(const Domain& domain, const Propose& m) {
  auto out = statement_head(domain, m.height, m.round, MessageType::kPropose, m.signer);
  out.bytes(m.hash).bytes(m.justification_hash);
  return statement_tail(std::move(out));
}
Bytes statement_bytes(const Domain& domain, const VoteBlock& m) {
  auto out = statement_head(domain, m.height, m.round, MessageType::kVoteBlock, m.signer);
  out.bytes(m.hash).bytes(m.proposal).number(m.weight);
  return statement_tail(std::move(out));
}
Bytes statement_bytes(const Domain& domain, const Commit& m) {
  auto out = statement_head(domain, m.height, m.round, MessageType::kCommit, m.signer);
  out.bytes(m.hash);
  return statement_tail(std::move(out));
}
Bytes statement_bytes(const Domain& domain, const RoundChangeStatement& m) {
  auto out = statement_head(domain, m.height, m.round, MessageType::kRoundChange, m.signer);
  out.begin_list();
  if (m.lock) out.number(m.lock->round).bytes(m.lock->hash);
  out.end_list();
  return statement_tail(std::move(out));
}
Hash32 proposal_hash(const Domain& domain, const Propose& m) { return crypto::keccak256(statement_bytes(domain, m)); }

}  // namespace bonus::chain::consensus
