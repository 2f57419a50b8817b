// The synchronisation state machine.
#include "bonus/chain/sync/sync.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace bonus::chain::sync {

SyncCore::SyncCore(SyncOptions options, CheckBlock check, std::uint64_t head, const Hash32& head_hash)
    : options_(options), check_(std::move(check)), head_(head), head_hash_(head_hash) {}
SyncCore::~SyncCore() = default;
SyncCore::SyncCore(SyncCore&&) noexcept = default;

std::uint64_t SyncCore::target() const {
  std::uint64_t out = 0;
  for (const auto& [id, peer] : peers_) out = std::max(out, peer.height);
  return out;
}

SyncActions SyncCore::on_peer(Instant now, const NodeId& id, std::uint64_t height) {
  if (const auto banned = banned_.find(id); banned != banned_.end()) {
    if (now < banned->second) return {};
    banned_.erase(banned);
  }
  const auto found = peers_.find(id);
  if (found == peers_.end()) {
    // Peers that are not ahead are of no use, and remembering them would let strangers fill the table.
    if (height <= head_ || peers_.size() >= options_.max_peers) return {};
    peers_[id].height = height;
  } else {
    found->second.height = height;
  }
  return proceed(now, {});
}

SyncActions SyncCore::on_peer_gone(Instant now, const NodeId& id) {
  peers_.erase(id);
  for (auto it = batches_.begin(); it != batches_.end(); ++it)
    if (it->second.peer == id && it->second.arrived.empty()) release(it);
  return proceed(now, {});
}

SyncCore::Batches::iterator SyncCore::find_request(const NodeId& peer, std::uint64_t id) {
  return std::ranges::find_if(batches_, [&](const auto& item) {
    const Batch& batch = item.second;
    return batch.id == id && batch.peer == peer && batch.arrived.empty();
  });
}

void SyncCore::release(Batches::iterator batch) {
  batch->second.peer.reset();
  batch->second.id = 0;
  batch->second.deadline = {};
}

void SyncCore::strike(Instant now, const NodeId& id) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  peer.request.reset();
  if (++peer.strikes >= options_.max_strikes) {
    forget(now, id);
    return;
  }
  peer.not_before = now + options_.retry_delay * (1 << std::min(peer.strikes - 1, 5u));
}

/// No more requests to this peer, and no attention to what it claims, for a while.
void SyncCore::forget(Instant now, const NodeId& id) {
  peers_.erase(id);
  std::erase_if(banned_, [&](const auto& item) { return item.second <= now; });
  if (banned_.size() >= options_.max_peers) {
    banned_.erase(std::ranges::min_element(banned_, {}, [](const auto& item) { return item.second; }));
  }
  banned_[id] = now + options_.ban_time;
  for (auto it = batches_.begin(); it != batches_.end();) {
    const auto batch = it++;
    if (batch->second.peer != id) continue;
    if (batch->second.arrived.empty()) {
      release(batch);
    } else if (!batch->second.applying) {
      // Its certificates were good, but a liar's blocks are asked of somebody else.
      for (const Arrived& item : batch->second.arrived)
        held_bytes_ -= item.block.block.size() + item.block.commit.size();
      batch->second.arrived.clear();
      release(batch);
    }
  }
}

void SyncCore::ban(Instant now, const NodeId& id, std::string reason, SyncActions& out) {
  forget(now, id);
  out.emplace_back(BanPeer{id, std::move(reason)});
}

Result<std::vector<SyncCore::Arrived>> SyncCore::check_reply(std::uint64_t from, const Batch& batch,
                                                             BytesView message) const {
  TRY_ASSIGN(auto reply, RangeReply::decode(message));
  if (reply.from != from) return fail(ErrorCode::kInvalid, "the reply is for another range");
  if (reply.blocks.size() > batch.count) return fail(ErrorCode::kInvalid, "more blocks than asked for");
  std::vector<Arrived> out;
  out.reserve(reply.blocks.size());
  for (FinalBlock& block : reply.blocks) {
    const std::uint64_t number = from + out.size();
    auto checked = check_(block);
    if (!checked) return fail(std::move(checked).error().wrap(fmt::format("block {}", number)));
    if (checked->number != number)
      return fail(ErrorCode::kInvalid, fmt::format("block {} in the place of {}", checked->number, number));
    if (!out.empty() && checked->parent != out.back().checked.hash)
      return fail(ErrorCode::kInvalid, fmt::format("block {} does not follow the one before it", number));
    out.push_back({std::move(block), *checked});
  }
  return out;
}

SyncActions SyncCore::on_reply(Instant now, const NodeId& id, std::uint64_t request, BytesView message) {
  const auto batch = find_request(id, request);
  const auto peer = peers_.find(id);
  if (batch == batches_.end() || peer == peers_.end()) return {};
  SyncActions out;
  auto blocks = check_reply(batch->first, batch->second, message);
  if (!blocks) {
    release(batch);
    ban(now, id, blocks.error().message, out);
    return proceed(now, std::move(out));
  }
  if (blocks->empty()) {
    // It claimed to have this block and does not give it: believe only what is below, and not for long.
    peer->second.height = std::min(peer->second.height, batch->first - 1);
    release(batch);
    strike(now, id);
    return proceed(now, {});
  }
  peer->second.request.reset();
  peer->second.strikes = 0;
  accept(batch, id, *std::move(blocks));
  return proceed(now, std::move(out));
}

/// Takes what came; the rest of a short reply becomes a batch of its own.
void SyncCore::accept(Batches::iterator at, const NodeId& peer, std::vector<Arrived> blocks) {
  Batch& batch = at->second;
  const auto got = static_cast<std::uint32_t>(blocks.size());
  if (got < batch.count) {
    Batch rest;
    rest.count = batch.count - got;
    batches_.emplace(at->first + got, std::move(rest));
    batch.count = got;
  }
  for (const Arrived& item : blocks) held_bytes_ += item.block.block.size() + item.block.commit.size();
  batch.arrived = std::move(blocks);
  batch.peer = peer;
  batch.id = 0;
}

SyncActions SyncCore::on_failure(Instant now, const NodeId& peer, std::uint64_t id) {
  const auto batch = find_request(peer, id);
  if (batch == batches_.end()) return {};
  release(batch);
  strike(now, peer);
  return proceed(now, {});
}

SyncActions SyncCore::on_head(Instant now, std::uint64_t head, const Hash32& hash) {
  if (head < head_) return {};
  head_ = head;
  head_hash_ = hash;
  trim();
  return proceed(now, {});
}

/// Drops what the head has passed.
void SyncCore::trim() {
  for (auto it = batches_.begin(); it != batches_.end() && it->first <= head_;) {
    Batch& batch = it->second;
    const std::uint64_t last = it->first + batch.count - 1;
    if (last <= head_) {
      for (const Arrived& item : batch.arrived) held_bytes_ -= item.block.block.size() + item.block.commit.size();
      if (batch.peer && batch.arrived.empty()) {
        if (const auto peer = peers_.find(*batch.peer); peer != peers_.end()) peer->second.request.reset();
      }
      it = batches_.erase(it);
    } else {
      break;  // A part of it is behind the head: applied blocks are skipped when their turn comes.
    }
  }
  std::erase_if(peers_, [&](const auto& item) { return item.second.height <= head_ && !item.second.request; });
}

SyncActions SyncCore::on_rejected(Instant now, std::uint64_t number) {
  SyncActions out;
  const auto next = batches_.upper_bound(number);
  if (next == batches_.begin()) return {};
  const auto at = std::prev(next);
  Batch& batch = at->second;
  if (number >= at->first + batch.count || !batch.applying || !batch.peer) return {};
  const NodeId peer = *batch.peer;
  batch.applying = false;
  ban(now, peer, fmt::format("block {} is certified but not valid here", number), out);
  return proceed(now, std::move(out));
}

SyncActions SyncCore::on_tick(Instant now) {
  for (auto it = batches_.begin(); it != batches_.end(); ++it) {
    const Batch& batch = it->second;
    if (!batch.peer || !batch.arrived.empty() || now < batch.deadline) continue;
    const NodeId peer = *batch.peer;
    release(it);
    strike(now, peer);
  }
  return proceed(now, {});
}

/// Cuts the missing heights into batches, a bounded number at a time.
void SyncCore::plan() {
  const std::uint64_t goal = target();
  std::uint64_t next = head_ + 1;
  if (!batches_.empty()) next = std::max(next, batches_.rbegin()->first + batches_.rbegin()->second.count);
  while (next <= goal && batches_.size() < options_.max_batches && held_bytes_ < options_.max_bytes) {
    Batch batch;
    batch.count = static_cast<std::uint32_t>(
        std::min<std::uint64_t>({goal - next + 1, options_.batch_blocks, kMaxBlocksPerReply}));
    const std::uint32_t count = batch.count;
    batches_.emplace(next, std::move(batch));
    next += count;
  }
}

void SyncCore::ask(Instant now, SyncActions& out) {
  for (auto& [from, batch] : batches_) {
    if (batch.peer || !batch.arrived.empty()) continue;
    // The least blamed of the peers that have the first block of the range; a short answer is fine.
    NodeId best;
    Peer* chosen = nullptr;
    for (auto& [id, peer] : peers_) {
      if (peer.request || peer.height < from || now < peer.not_before) continue;
      if (chosen == nullptr || peer.strikes < chosen->strikes) {
        chosen = &peer;
        best = id;
      }
    }
    if (chosen == nullptr) continue;
    batch.peer = best;
    batch.id = next_id_++;
    batch.deadline = now + options_.timeout;
    chosen->request = batch.id;
    out.emplace_back(AskPeer{best, batch.id, RangeRequest{from, batch.count}.encode()});
  }
}

void SyncCore::hand_on(Instant now, SyncActions& out) {
  if (batches_.empty()) return;
  auto& [from, batch] = *batches_.begin();
  if (from > head_ + 1 || batch.arrived.empty() || batch.applying) return;
  const auto first =
      std::ranges::find(batch.arrived, head_ + 1, [](const Arrived& item) { return item.checked.number; });
  if (first == batch.arrived.end()) return;
  if (first->checked.parent != head_hash_) {
    ban(now, *batch.peer, fmt::format("block {} is certified but does not build on our head", head_ + 1), out);
    return;
  }
  batch.applying = true;
  for (auto item = first; item != batch.arrived.end(); ++item)
    out.emplace_back(ApplyBlock{item->checked.number, item->block, *batch.peer});
}

SyncActions SyncCore::proceed(Instant now, SyncActions out) {
  // Ranges that nobody claims any more (their peer lied about its height) are not waited for.
  const std::uint64_t goal = target();
  while (!batches_.empty()) {
    const auto last = std::prev(batches_.end());
    if (last->first <= goal || last->second.peer || !last->second.arrived.empty()) break;
    batches_.erase(last);
  }
  plan();
  ask(now, out);
  hand_on(now, out);
  return out;
}

Instant SyncCore::next_deadline() const {
  Instant out = Instant::max();
  for (const auto& [from, batch] : batches_) {
    if (!batch.arrived.empty()) continue;
    if (batch.peer) {
      out = std::min(out, batch.deadline);
      continue;
    }
    // Waits for a peer that rests after a failure; one that may be asked now would have been asked.
    for (const auto& [id, peer] : peers_)
      if (!peer.request && peer.height >= from) out = std::min(out, peer.not_before);
  }
  return out;
}

SyncCore::Progress SyncCore::progress() const {
  Progress out;
  out.head = head_;
  out.target = target();
  out.peers = peers_.size();
  for (const auto& [from, batch] : batches_)
    if (batch.peer && batch.arrived.empty()) ++out.requests;
  return out;
}

}  // namespace bonus::chain::sync
