// What the pool gives to blocks and learns from them, and its views for readers.
#include <algorithm>
#include <queue>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/mempool/pool.hpp"

namespace bonus::chain::mempool {
namespace {

constexpr std::uint64_t kExpiryPeriodBlocks = 64;

}  // namespace

/// A sender's own transactions change its nonce and balance; so does its code (EIP-7702), whoever calls it, and so does
/// an authorization that it signed.
std::set<Address> Pool::touched_by(const StoredBlock& stored) const {
  std::set<Address> out = delegated_;
  for (const auto& item : stored.block.transactions) {
    const auto sender = senders_.find(item->sender);
    if (sender != senders_.end()) out.insert(item->sender);
    if (item->tx.authorizations.empty()) continue;
    const Entry* ours = nullptr;  // knows its authorities already
    if (sender != senders_.end() && by_hash_.contains(item->hash)) {
      const auto entry = sender->second.queue.find(item->tx.nonce);
      if (entry != sender->second.queue.end()) ours = &entry->second;
    }
    if (ours != nullptr) {
      out.insert(ours->authorities.begin(), ours->authorities.end());
      continue;
    }
    for (const Authorization& authorization : item->tx.authorizations)
      if (const auto authority = authorization.authority()) out.insert(*authority);
  }
  std::erase_if(out, [&](const Address& address) { return !senders_.contains(address); });
  return out;
}

void Pool::on_block(const StoredBlock& stored) {
  const Header& header = stored.block.header;
  std::set<Address> touched;
  {
    const std::lock_guard lock(mutex_);
    touched = touched_by(stored);
    // From here on add() looks at the state after this block.
    head_number_ = std::max(head_number_, header.number);
  }
  std::vector<std::pair<Address, Account>> accounts;
  for (const Address& address : touched) {
    auto account = ledger_.account(address, header.number);
    if (account) accounts.emplace_back(address, *account);
  }
  const std::lock_guard lock(mutex_);
  next_base_fee_ = next_base_fee(header, ledger_.genesis());
  head_time_ = header.timestamp;
  for (const auto& [address, account] : accounts)
    if (const auto sender = senders_.find(address); sender != senders_.end()) refresh(sender, account);
  if (header.number % kExpiryPeriodBlocks == 0) expire_queued(header.timestamp);
  ready_ = 0;
  for (auto& [address, sender] : senders_) {
    sender.ready = is_ready(sender);
    if (sender.ready) ++ready_;
  }
}

void Pool::on_added(std::function<void(TransactionPtr)> listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

TransactionPtr Pool::find(const Hash32& hash) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_hash_.find(hash);
  return found == by_hash_.end() ? nullptr : found->second;
}

std::vector<TransactionPtr> Pool::best(const uint256& base_fee, std::uint64_t gas_limit) const {
  struct Candidate {
    uint256 tip;
    std::uint64_t sequence = 0;
    Queue::const_iterator at;
    std::size_t left = 0;  ///< Executable ones of its sender, itself included.
    bool operator<(const Candidate& other) const {
      return tip != other.tip ? tip < other.tip : sequence > other.sequence;
    }
  };
  std::vector<TransactionPtr> out;
  const std::lock_guard lock(mutex_);
  // One candidate a sender: its next nonce. The heap holds as many as there are senders.
  std::vector<Candidate> first;
  first.reserve(senders_.size());
  const auto candidate = [&](Queue::const_iterator at, std::size_t left) -> std::optional<Candidate> {
    if (left == 0 || at->second.tx->tx.max_fee < base_fee) return std::nullopt;  // nor can what is behind it run
    return Candidate{effective_tip(at->second.tx->tx, base_fee), at->second.sequence, at, left};
  };
  for (const auto& [address, sender] : senders_)
    if (auto next = candidate(sender.queue.begin(), sender.executable)) first.push_back(*next);
  std::priority_queue heap(std::less<Candidate>{}, std::move(first));
  // Gas limits say little about the gas that will be used, so they are not added up: somebody who asks for much and
  // uses little would keep everybody else out.
  const std::uint64_t most = gas_limit / kTransactionGas;
  while (!heap.empty() && out.size() < most) {
    const Candidate top = heap.top();
    heap.pop();
    if (top.at->second.tx->tx.gas_limit > gas_limit) continue;
    out.push_back(top.at->second.tx);
    if (auto next = candidate(std::next(top.at), top.left - 1)) heap.push(*next);
  }
  return out;
}

std::uint64_t Pool::next_nonce(const Address& sender) const {
  std::uint64_t nonce = 0;
  if (auto account = ledger_.account(sender, ledger_.head().number)) nonce = account->nonce;
  const std::lock_guard lock(mutex_);
  const auto found = senders_.find(sender);
  if (found == senders_.end()) return nonce;
  return std::max(nonce, found->second.nonce + found->second.executable);
}

MempoolStats Pool::stats() const {
  const std::lock_guard lock(mutex_);
  return {pending_, by_hash_.size() - pending_, bytes_};
}

MempoolAccount Pool::copy(const Address& address, const Sender& sender, std::size_t limit) {
  MempoolAccount out{address, {}, {}};
  std::size_t place = 0;
  for (const auto& [nonce, entry] : sender.queue) {
    if (place == limit) break;
    (place < sender.executable ? out.pending : out.queued).push_back(entry.tx);
    ++place;
  }
  return out;
}

std::vector<MempoolAccount> Pool::content(std::size_t limit) const {
  std::vector<MempoolAccount> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [address, sender] : senders_) {
    if (limit == 0) break;
    out.push_back(copy(address, sender, limit));
    limit -= out.back().pending.size() + out.back().queued.size();
  }
  return out;
}

MempoolAccount Pool::content_of(const Address& sender) const {
  const std::lock_guard lock(mutex_);
  const auto found = senders_.find(sender);
  if (found == senders_.end()) return {sender, {}, {}};
  return copy(sender, found->second, found->second.queue.size());
}

bool Pool::has_work() const {
  const std::lock_guard lock(mutex_);
  return ready_ > 0;
}

}  // namespace bonus::chain::mempool
