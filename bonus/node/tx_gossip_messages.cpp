// Lists of hashes are the hashes; bodies are rlp([bytes...]).
#include "bonus/node/tx_gossip_messages.hpp"

#include <fmt/format.h>

#include "bonus/codec/rlp.hpp"

namespace bonus::node {

Bytes encode_hashes(const std::vector<Hash32>& hashes) {
  Bytes out;
  out.reserve(hashes.size() * sizeof(Hash32));
  for (const Hash32& hash : hashes) append(out, hash.view());
  return out;
}

Result<std::vector<Hash32>> decode_hashes(BytesView message) {
  constexpr std::size_t kSize = 32;
  if (message.size() % kSize != 0 || message.size() / kSize > kMaxGossipHashes)
    return fail(ErrorCode::kInvalid, fmt::format("a list of hashes of {} bytes", message.size()));
  std::vector<Hash32> out;
  out.reserve(message.size() / kSize);
  for (std::size_t at = 0; at < message.size(); at += kSize) {
    TRY_ASSIGN(const Hash32 hash, Hash32::from(message.subspan(at, kSize)));
    out.push_back(hash);
  }
  return out;
}

Bytes encode_bodies(const std::vector<Bytes>& bodies) {
  rlp::Encoder e;
  e.begin_list();
  for (const Bytes& body : bodies) e.bytes(body);
  e.end_list();
  return e.take();
}

Result<std::vector<BytesView>> decode_bodies(BytesView message) {
  if (message.size() > kMaxGossipBodyBytes)
    return fail(ErrorCode::kInvalid, fmt::format("transactions of {} bytes in one message", message.size()));
  rlp::Decoder outer(message);
  TRY_ASSIGN(auto items, outer.list());
  TRY(outer.expect_end());
  std::vector<BytesView> out;
  while (!items.at_end()) {
    if (out.size() == kMaxGossipBodies) return fail(ErrorCode::kInvalid, "too many transactions in one message");
    TRY_ASSIGN(const BytesView body, items.bytes());
    out.push_back(body);
  }
  return out;
}

}  // namespace bonus::node
