// WAL record codec and pruning; the codec of the signer-state file.
#include "bonus/chain/consensus/wal.hpp"

#include <fmt/format.h>

#include <tuple>

#include "bonus/codec/rlp.hpp"

namespace bonus::chain::consensus {

bool operator<(const SignerState& a, const SignerState& b) {
  return std::tie(a.height, a.round, a.step) < std::tie(b.height, b.round, b.step);
}
Bytes SignerState::encode() const {
  rlp::Encoder out;
  out.begin_list().number(height).number(round).number(static_cast<std::uint64_t>(step)).bytes(hash).end_list();
  Bytes bytes{1};
  append(bytes, out.take());
  return bytes;
}
Result<SignerState> SignerState::decode(BytesView in) {
  if (in.empty() || in[0] != 1) return fail(ErrorCode::kInvalid, "unknown version of a signer state");
  rlp::Decoder outer(in.subspan(1));
  TRY_ASSIGN(auto list, outer.list());
  TRY(outer.expect_end());
  SignerState out;
  out.height = TRY(list.number());
  TRY_ASSIGN(const std::uint64_t round, list.number());
  TRY_ASSIGN(const std::uint64_t step, list.number());
  if (round > UINT32_MAX || step > static_cast<std::uint64_t>(Step::kCommit))
    return fail(ErrorCode::kInvalid, "a number of the signer state is out of range");
  out.round = static_cast<std::uint32_t>(round);
  out.step = static_cast<Step>(step);
  out.hash = TRY(list.fixed<Hash32>());
  TRY(list.expect_end());
  return out;
}

namespace wal {
namespace {

constexpr std::uint8_t kVersion = 1;
enum class Kind : std::uint8_t { kOwn = 1, kLock, kBody, kEntered, kFinished, kWatermark };

Kind kind_of(const Record& record) { return static_cast<Kind>(record.content.index() + 1); }

void put(rlp::Encoder& out, const Own& r) { out.bytes(r.message); }
void put(rlp::Encoder& out, const Lock& r) { out.raw(consensus::encode(r.cert)); }
void put(rlp::Encoder& out, const StoredBody& r) { out.bytes(r.hash).bytes(r.body); }
void put(rlp::Encoder& out, const Entered& r) {
  out.number(r.round).begin_list();
  for (const auto& change : r.changes) out.bytes(change);
  out.end_list();
}
void put(rlp::Encoder& out, const Finished& r) { out.bytes(r.cert.encode()); }
void put(rlp::Encoder&, const Watermark&) {}

Result<Bytes> read_bytes(rlp::Decoder& in) {
  TRY_ASSIGN(const auto view, in.bytes());
  return Bytes(view.begin(), view.end());
}

Result<Record> get_lock(rlp::Decoder& in, std::uint64_t height) {
  TRY_ASSIGN(const auto item, in.raw_item());
  return Record{height, Lock{TRY(decode_vote_cert(item))}};
}
Result<Record> get_finished(rlp::Decoder& in, std::uint64_t height) {
  TRY_ASSIGN(const auto encoded, in.bytes());
  return Record{height, Finished{TRY(CommitCert::decode(encoded))}};
}

Result<Record> get(rlp::Decoder& in) {
  TRY_ASSIGN(const std::uint64_t kind, in.number());
  Record out;
  out.height = TRY(in.number());
  switch (static_cast<Kind>(kind)) {
    case Kind::kOwn:
      out.content = Own{TRY(read_bytes(in))};
      break;
    case Kind::kLock:
      return get_lock(in, out.height);
    case Kind::kBody: {
      StoredBody body;
      body.hash = TRY(in.fixed<Hash32>());
      body.body = TRY(read_bytes(in));
      out.content = std::move(body);
      break;
    }
    case Kind::kEntered: {
      Entered entered;
      TRY_ASSIGN(const std::uint64_t round, in.number());
      if (round > UINT32_MAX) return fail(ErrorCode::kInvalid, "the round of a WAL record is out of range");
      entered.round = static_cast<std::uint32_t>(round);
      TRY_ASSIGN(auto changes, in.list());
      while (!changes.at_end()) entered.changes.push_back(TRY(read_bytes(changes)));
      out.content = std::move(entered);
      break;
    }
    case Kind::kFinished:
      return get_finished(in, out.height);
    case Kind::kWatermark:
      out.content = Watermark{};
      break;
    default:
      return fail(ErrorCode::kInvalid, fmt::format("unknown kind {} of a WAL record", kind));
  }
  return out;
}

}  // namespace

Bytes encode(const Record& record) {
  rlp::Encoder out;
  out.begin_list().number(static_cast<std::uint64_t>(kind_of(record))).number(record.height);
  std::visit([&out](const auto& content) { put(out, content); }, record.content);
  Bytes bytes{kVersion};
  append(bytes, out.end_list().take());
  return bytes;
}

Result<Record> decode(BytesView in) {
  if (in.empty() || in[0] != kVersion) return fail(ErrorCode::kInvalid, "unknown version of a WAL record");
  rlp::Decoder outer(in.subspan(1));
  TRY_ASSIGN(auto list, outer.list());
  TRY(outer.expect_end());
  TRY_ASSIGN(auto record, get(list));
  TRY(list.expect_end());
  return record;
}

bool Ledger::load(const std::vector<Bytes>& records) {
  bool understood = true;
  for (const auto& bytes : records) {
    auto record = decode(bytes);
    if (record)
      add(*record, bytes);
    else
      understood = false;
  }
  return understood;
}

void Ledger::add(const Record& record, Bytes encoded) {
  records_[record.height].push_back(std::move(encoded));
  highest_ = std::max(highest_, record.height);
}

std::vector<Record> Ledger::at(std::uint64_t height) const {
  std::vector<Record> out;
  const auto found = records_.find(height);
  if (found == records_.end()) return out;
  for (const auto& bytes : found->second)
    if (auto record = decode(bytes)) out.push_back(*std::move(record));
  return out;
}

void Ledger::prune(std::uint64_t height) {
  while (!records_.empty() && records_.begin()->first + 2 < height) records_.erase(records_.begin());
  for (auto& [h, list] : records_) {
    if (h >= height) break;
    std::optional<Hash32> final_hash;
    for (const auto& record : at(h))
      if (const auto* finished = std::get_if<Finished>(&record.content)) final_hash = finished->cert.hash;
    std::erase_if(list, [&final_hash](const Bytes& bytes) {
      const auto record = decode(bytes);
      if (!record || !final_hash) return true;
      if (const auto* body = std::get_if<StoredBody>(&record->content)) return body->hash != *final_hash;
      return !std::holds_alternative<Finished>(record->content);
    });
  }
  std::erase_if(records_, [](const auto& entry) { return entry.second.empty(); });
}

std::vector<Bytes> Ledger::live() const {
  std::vector<Bytes> out{encode(Record{highest_, Watermark{}})};
  for (const auto& [_, list] : records_) out.insert(out.end(), list.begin(), list.end());
  return out;
}

}  // namespace wal
}  // namespace bonus::chain::consensus
