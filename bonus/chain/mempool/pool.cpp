// Admission, replacement, eviction and selection of waiting transactions.
#include "bonus/chain/mempool/pool.hpp"

#include <fmt/format.h>

#include <queue>

#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/api/gas.hpp"

namespace bonus::chain::mempool {
namespace {

constexpr std::uint64_t kExpiryPeriodBlocks = 64;

uint256 effective_tip(const Transaction& tx, const uint256& base_fee) {
  return tx.effective_gas_price(base_fee) - base_fee;
}

/// fee * (100 + percent) / 100, rounded up.
uint256 bumped(const uint256& fee, unsigned percent) {
  const uint256 hundred(100);
  uint256 scaled;
  if (mul_overflows(fee, uint256(100 + percent), scaled)) return ~uint256();
  return (scaled + hundred - uint256(1)) / hundred;
}

}  // namespace

std::unique_ptr<Mempool> make_mempool(const LedgerReader& ledger, const ContractRegistry& registry,
                                      const MempoolLimits& limits) {
  return std::make_unique<Pool>(ledger, registry, limits);
}

Pool::Pool(const LedgerReader& ledger, const ContractRegistry& registry, const MempoolLimits& limits)
    : ledger_(ledger), registry_(registry), limits_(limits) {
  const Header head = ledger_.head();
  next_base_fee_ = next_base_fee(head, ledger_.genesis());
  head_time_ = head.timestamp;
}

Pool::Rank Pool::rank(const Entry& entry) { return {entry.tx->tx.max_priority_fee, ~entry.sequence}; }

/// What depends on the transaction and the head only.
Result<Pool::Entry> Pool::checked(TransactionPtr shared) const {
  const Transaction& tx = shared->tx;
  const Genesis& genesis = ledger_.genesis();
  Entry out;
  out.bytes = tx.encode().size();
  if (out.bytes > kMaxTransactionBytes) {
    return fail(ErrorCode::kInvalid,
                fmt::format("oversized data: transaction size {}, limit {}", out.bytes, kMaxTransactionBytes));
  }
  TRY(check_static(tx, genesis.chain_id, genesis.gas_limit));
  out.cost = uint256(tx.gas_limit) * tx.max_fee + tx.value;  // check_static: does not wrap
  out.tx = std::move(shared);
  return out;
}

Result<> Pool::add(TransactionPtr tx) {
  TRY_ASSIGN(Entry entry, checked(tx));
  const std::uint64_t head = ledger_.head().number;
  TRY_ASSIGN(const Account account, ledger_.account(tx->sender, head));
  if (registry_.find(*tx->tx.to) == nullptr) {
    TRY_ASSIGN(const Account target, ledger_.account(*tx->tx.to, head));
    if (!target.code_hash.is_zero() && target.code_hash != kEmptyCodeHash) {
      return fail(
          ErrorCode::kUnsupported,
          fmt::format("{} has code that this chain cannot run: it has native contracts only", to_hex0x(*tx->tx.to)));
    }
  }
  std::vector<std::function<void(TransactionPtr)>> listeners;
  {
    const std::lock_guard lock(mutex_);
    TRY(insert(std::move(entry), account));
    listeners = listeners_;
  }
  for (const auto& listener : listeners) listener(tx);
  return {};
}

Result<> Pool::insert(Entry entry, const Account& account) {
  const SenderTransaction& item = *entry.tx;
  const Transaction& tx = item.tx;
  if (by_hash_.contains(item.hash)) return fail(ErrorCode::kExists, "already known");
  const auto found = senders_.find(item.sender);
  const std::uint64_t nonce = found == senders_.end() ? account.nonce : std::max(account.nonce, found->second.nonce);
  if (tx.nonce < nonce)
    return fail(ErrorCode::kInvalid, fmt::format("nonce too low: next nonce {}, tx nonce {}", nonce, tx.nonce));
  if (tx.max_fee < next_base_fee_) {
    return fail(ErrorCode::kInvalid,
                fmt::format("max fee per gas less than block base fee: maxFeePerGas: {}, baseFee: {}",
                            tx.max_fee.to_decimal(), next_base_fee_.to_decimal()));
  }
  const Entry* replaced = nullptr;
  uint256 waiting;
  if (found != senders_.end()) {
    waiting = found->second.cost;
    if (const auto same = found->second.queue.find(tx.nonce); same != found->second.queue.end())
      replaced = &same->second;
  }
  if (replaced != nullptr) waiting -= replaced->cost;
  uint256 total;
  if (add_overflows(waiting, entry.cost, total) || total > account.balance) {
    return fail(ErrorCode::kExhausted,
                fmt::format("insufficient funds for gas * price + value: balance {}, tx cost {}, queued cost {}",
                            account.balance.to_decimal(), entry.cost.to_decimal(), waiting.to_decimal()));
  }
  if (replaced != nullptr) {
    const Transaction& old = replaced->tx->tx;
    if (tx.max_fee < bumped(old.max_fee, limits_.replacement_percent) ||
        tx.max_priority_fee < bumped(old.max_priority_fee, limits_.replacement_percent)) {
      return fail(ErrorCode::kConflict, fmt::format("replacement transaction underpriced: both fees must rise by {}%",
                                                    limits_.replacement_percent));
    }
    if (bytes_ - replaced->bytes + entry.bytes > limits_.bytes)
      return fail(ErrorCode::kExhausted, "txpool is full: the replacement is larger than what it replaces");
    drop(found, found->second.queue.find(tx.nonce));
  } else {
    Sender fresh;
    fresh.nonce = nonce;
    TRY(check_room(found == senders_.end() ? fresh : found->second, tx.nonce));
    TRY(make_room(entry));
  }
  const auto sender = senders_.try_emplace(item.sender).first;
  sender->second.nonce = nonce;
  entry.sequence = next_sequence_++;
  entry.added = head_time_;
  put(sender->second, std::move(entry));
  settle(sender);
  return {};
}

Result<> Pool::check_room(const Sender& sender, std::uint64_t nonce) const {
  const std::uint64_t first_gap = sender.nonce + sender.executable;
  if (nonce <= first_gap) {
    if (sender.executable >= limits_.executable_per_sender) {
      return fail(
          ErrorCode::kExhausted,
          fmt::format("account limit exceeded: {} transactions of this sender wait already", sender.executable));
    }
    return {};
  }
  const std::size_t queued = sender.queue.size() - sender.executable;
  if (queued >= limits_.queued_per_sender) {
    return fail(
        ErrorCode::kExhausted,
        fmt::format("account limit exceeded: {} transactions of this sender wait for nonce {}", queued, first_gap));
  }
  return {};
}

/// A full pool drops the end of the cheapest sender's queue, so that no gap arises, until the new one fits.
Result<> Pool::make_room(const Entry& entry) {
  while (by_hash_.size() >= limits_.transactions || bytes_ + entry.bytes > limits_.bytes) {
    const auto cheapest = by_rank_.begin();
    if (cheapest == by_rank_.end() || cheapest->first.first >= entry.tx->tx.max_priority_fee ||
        cheapest->second == entry.tx->sender) {
      return fail(ErrorCode::kExhausted, "txpool is full: transaction underpriced");
    }
    const auto victim = senders_.find(cheapest->second);
    drop(victim, std::prev(victim->second.queue.end()));
    settle(victim);
  }
  return {};
}

void Pool::put(Sender& sender, Entry entry) {
  by_hash_.emplace(entry.tx->hash, entry.tx);
  by_rank_.emplace(rank(entry), entry.tx->sender);
  bytes_ += entry.bytes;
  sender.cost += entry.cost;
  const std::uint64_t nonce = entry.tx->tx.nonce;
  sender.queue.emplace(nonce, std::move(entry));
}

void Pool::drop(Senders::iterator sender, Queue::iterator at) {
  const Entry& entry = at->second;
  by_hash_.erase(entry.tx->hash);
  by_rank_.erase(rank(entry));
  bytes_ -= entry.bytes;
  sender->second.cost -= entry.cost;
  sender->second.queue.erase(at);
}

void Pool::settle(Senders::iterator sender) {
  Sender& s = sender->second;
  if (s.queue.empty()) {
    senders_.erase(sender);
    return;
  }
  s.executable = 0;
  for (const auto& [nonce, entry] : s.queue) {
    if (nonce != s.nonce + s.executable) break;
    ++s.executable;
  }
  // A closed gap may make more executable than the bound: the last wait elsewhere.
  while (s.executable > limits_.executable_per_sender) {
    drop(sender, s.queue.find(s.nonce + s.executable - 1));
    --s.executable;
  }
}

void Pool::refresh(Senders::iterator sender, const Account& account) {
  Sender& s = sender->second;
  s.nonce = account.nonce;
  while (!s.queue.empty() && s.queue.begin()->first < s.nonce) drop(sender, s.queue.begin());
  while (!s.queue.empty() && s.cost > account.balance) drop(sender, std::prev(s.queue.end()));
  settle(sender);
}

void Pool::expire_queued(UnixSeconds now) {
  for (auto it = senders_.begin(); it != senders_.end();) {
    const auto sender = it++;
    Sender& s = sender->second;
    auto entry = s.queue.lower_bound(s.nonce + s.executable);
    while (entry != s.queue.end()) {
      const auto next = std::next(entry);
      if (entry->second.added + limits_.queued_lifetime_s < now) drop(sender, entry);
      entry = next;
    }
    settle(sender);
  }
}

void Pool::on_block(const StoredBlock& stored) {
  const Header& header = stored.block.header;
  std::set<Address> touched;
  for (const auto& tx : stored.block.transactions) touched.insert(tx->sender);
  // Only a sender's own transactions lower its balance or raise its nonce.
  std::vector<std::pair<Address, Account>> accounts;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(touched, [&](const Address& a) { return !senders_.contains(a); });
  }
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
    const Sender* sender = nullptr;
    Queue::const_iterator at;
    std::size_t left = 0;
    bool operator<(const Candidate& other) const {
      return tip != other.tip ? tip < other.tip : sequence > other.sequence;
    }
  };
  std::vector<TransactionPtr> out;
  const std::lock_guard lock(mutex_);
  std::priority_queue<Candidate> heap;
  const auto push = [&](const Sender& sender, Queue::const_iterator at, std::size_t left) {
    if (left == 0) return;
    const Transaction& tx = at->second.tx->tx;
    if (tx.max_fee < base_fee) return;  // and so are all behind it
    heap.push({effective_tip(tx, base_fee), at->second.sequence, &sender, at, left});
  };
  for (const auto& [address, sender] : senders_) push(sender, sender.queue.begin(), sender.executable);
  std::uint64_t gas = 0;
  while (!heap.empty()) {
    const Candidate top = heap.top();
    heap.pop();
    const std::uint64_t need = top.at->second.tx->tx.gas_limit;
    if (need > gas_limit - gas) continue;  // a smaller one of another sender may still fit
    gas += need;
    out.push_back(top.at->second.tx);
    push(*top.sender, std::next(top.at), top.left - 1);
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
  MempoolStats out;
  for (const auto& [address, sender] : senders_) {
    out.pending += sender.executable;
    out.queued += sender.queue.size() - sender.executable;
  }
  out.bytes = bytes_;
  return out;
}

bool Pool::has_work() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(senders_, [&](const auto& item) {
    const Sender& sender = item.second;
    return sender.executable > 0 && sender.queue.begin()->second.tx->tx.max_fee >= next_base_fee_;
  });
}

}  // namespace bonus::chain::mempool
