// Encoding of synchronisation messages, and the serving side.
#include "bonus/chain/sync/messages.hpp"

#include <fmt/format.h>

#include "bonus/codec/rlp.hpp"

namespace bonus::chain::sync {
namespace {

Bytes with_version(Bytes body) {
  body.insert(body.begin(), kMessageVersion);
  return body;
}

Result<rlp::Decoder> open(BytesView in, const char* what, std::size_t limit) {
  if (in.empty() || in.size() > limit)
    return fail(ErrorCode::kInvalid, fmt::format("sync {}: {} bytes, must be 1 to {}", what, in.size(), limit));
  if (in[0] != kMessageVersion)
    return fail(ErrorCode::kUnsupported, fmt::format("sync {}: version {} is not known", what, in[0]));
  rlp::Decoder outer(in.subspan(1));
  auto list = outer.list();
  if (!list) return fail(std::move(list).error().wrap(fmt::format("sync {}", what)));
  TRY(outer.expect_end());
  return list;
}

constexpr std::size_t kMaxSmallBytes = 64;
/// One block above the soft bound, its certificate, and framing.
constexpr std::size_t kMaxReplyMessage = kMaxReplyBytes + kMaxBlockBytes + kMaxCommitBytes + 4096;

}  // namespace

Bytes Status::encode() const {
  rlp::Encoder e;
  e.begin_list().number(height).bytes(hash).end_list();
  return with_version(e.take());
}

Result<Status> Status::decode(BytesView in) {
  TRY_ASSIGN(auto d, open(in, "status", kMaxSmallBytes));
  Status out;
  TRY_ASSIGN(out.height, d.number());
  TRY_ASSIGN(out.hash, d.fixed<Hash32>());
  TRY(d.expect_end());
  return out;
}

Bytes RangeRequest::encode() const {
  rlp::Encoder e;
  e.begin_list().number(from).number(std::uint64_t{count}).end_list();
  return with_version(e.take());
}

Result<RangeRequest> RangeRequest::decode(BytesView in) {
  TRY_ASSIGN(auto d, open(in, "request", kMaxSmallBytes));
  RangeRequest out;
  TRY_ASSIGN(out.from, d.number());
  TRY_ASSIGN(const std::uint64_t count, d.number());
  TRY(d.expect_end());
  if (out.from == 0) return fail(ErrorCode::kInvalid, "sync request: block 0 comes from the genesis file");
  if (count == 0 || count > kMaxBlocksPerReply)
    return fail(ErrorCode::kInvalid, fmt::format("sync request: count {} must be 1 to {}", count, kMaxBlocksPerReply));
  out.count = static_cast<std::uint32_t>(count);
  return out;
}

Bytes RangeReply::encode() const {
  rlp::Encoder e;
  e.begin_list().number(from).begin_list();
  for (const FinalBlock& item : blocks) e.begin_list().bytes(item.block).bytes(item.commit).end_list();
  e.end_list().end_list();
  return with_version(e.take());
}

Result<RangeReply> RangeReply::decode(BytesView in) {
  TRY_ASSIGN(auto d, open(in, "reply", kMaxReplyMessage));
  RangeReply out;
  TRY_ASSIGN(out.from, d.number());
  TRY_ASSIGN(auto list, d.list());
  TRY(d.expect_end());
  while (!list.at_end()) {
    if (out.blocks.size() == kMaxBlocksPerReply) return fail(ErrorCode::kInvalid, "sync reply: too many blocks");
    TRY_ASSIGN(auto item, list.list());
    TRY_ASSIGN(auto block, item.bytes());
    TRY_ASSIGN(auto commit, item.bytes());
    TRY(item.expect_end());
    if (block.size() > kMaxBlockBytes || commit.size() > kMaxCommitBytes)
      return fail(ErrorCode::kInvalid, "sync reply: a block or certificate is too large");
    out.blocks.push_back({{block.begin(), block.end()}, {commit.begin(), commit.end()}});
  }
  return out;
}

Result<RangeReply> serve(const LedgerReader& ledger, const RangeRequest& request) {
  RangeReply out;
  out.from = request.from;
  const std::uint64_t head = ledger.head().number;
  std::size_t bytes = 0;
  for (std::uint32_t i = 0; i < std::min(request.count, kMaxBlocksPerReply); ++i) {
    if (request.from == 0 || request.from > head || i > head - request.from) break;
    TRY_ASSIGN(auto stored, ledger.block(request.from + i));
    FinalBlock item{stored->block.encode(), stored->commit};
    bytes += item.block.size() + item.commit.size();
    if (i > 0 && bytes > kMaxReplyBytes) break;
    out.blocks.push_back(std::move(item));
  }
  return out;
}

}  // namespace bonus::chain::sync
