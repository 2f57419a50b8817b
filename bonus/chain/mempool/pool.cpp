// Admission, replacement and eviction of waiting transactions.
#include "bonus/chain/mempool/pool.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bonus/chain/api/gas.hpp"

namespace bonus::chain::mempool {
namespace {

/// fee * (100 + percent) / 100, rounded up, and more than `fee`.
uint256 bumped(const uint256& fee, unsigned percent) {
  const uint256 hundred(100);
  uint256 scaled;
  if (mul_overflows(fee, uint256(100 + percent), scaled)) return ~uint256();
  return std::max((scaled + hundred - uint256(1)) / hundred, fee + uint256(1));
}

/// The accounts that a type-4 transaction gives a delegation, each once.
std::vector<Address> authorities_of(const Transaction& tx) {
  std::vector<Address> out;
  for (const Authorization& item : tx.authorizations)
    if (const auto authority = item.authority()) out.push_back(*authority);
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

Result<> nonce_too_low(std::uint64_t next, std::uint64_t nonce) {
  return fail(ErrorCode::kInvalid, fmt::format("nonce too low: next nonce {}, tx nonce {}", next, nonce));
}

Result<> insufficient_funds(const uint256& balance, const uint256& cost, const uint256& waiting) {
  return fail(ErrorCode::kExhausted,
              fmt::format("insufficient funds for gas * price + value: balance {}, tx cost {}, queued cost {}",
                          balance.to_decimal(), cost.to_decimal(), waiting.to_decimal()));
}

}  // namespace

uint256 effective_tip(const Transaction& tx, const uint256& base_fee) {
  return tx.effective_gas_price(base_fee) - base_fee;
}

std::unique_ptr<Mempool> make_mempool(const LedgerReader& ledger, const MempoolLimits& limits) {
  return std::make_unique<Pool>(ledger, limits);
}

Pool::Pool(const LedgerReader& ledger, const MempoolLimits& limits) : ledger_(ledger), limits_(limits) {
  const Header head = ledger_.head();
  next_base_fee_ = ranked_base_fee_ = next_base_fee(head, ledger_.genesis());
  head_time_ = head.timestamp;
  head_number_ = head.number;
}

/// What depends on the transaction and the genesis file only.
Result<Pool::Entry> Pool::checked(TransactionPtr shared) const {
  const Transaction& tx = shared->tx;
  const Genesis& genesis = ledger_.genesis();
  Entry out;
  out.bytes = tx.encode().size();
  if (out.bytes > kMaxTransactionBytes) {
    return fail(ErrorCode::kInvalid,
                fmt::format("oversized data: transaction size {}, limit {}", out.bytes, kMaxTransactionBytes));
  }
  TRY(limits_.rules ? limits_.rules(tx) : check_static(tx, genesis.chain_id, genesis.gas_limit));
  if (tx.max_fee < genesis.min_base_fee) {
    return fail(ErrorCode::kInvalid,
                fmt::format("max fee per gas less than block base fee: maxFeePerGas: {}, baseFee: {} at least",
                            tx.max_fee.to_decimal(), genesis.min_base_fee.to_decimal()));
  }
  // The rules: does not wrap.
  out.cost = uint256(tx.gas_limit) * tx.max_fee + tx.value + uint256(blob_gas(tx)) * tx.max_fee_per_blob_gas;
  out.tx = std::move(shared);
  return out;
}

/// Before the recovery of authorities, which costs as much as that of senders: who cannot pay makes no work.
Result<> Pool::check_account(const Entry& entry, const Account& account) const {
  if (entry.tx->tx.nonce < account.nonce) return nonce_too_low(account.nonce, entry.tx->tx.nonce);
  if (entry.cost > account.balance) return insufficient_funds(account.balance, entry.cost, {});
  return {};
}

Result<> Pool::add(TransactionPtr tx) {
  if (find(tx->hash) != nullptr) return fail(ErrorCode::kExists, "already known");
  TRY_ASSIGN(Entry entry, checked(tx));
  std::vector<std::function<void(TransactionPtr)>> listeners;
  for (bool added = false; !added;) {
    const std::uint64_t head = ledger_.head().number;
    TRY_ASSIGN(const Account account, ledger_.account(tx->sender, head));
    TRY(check_account(entry, account));
    if (entry.authorities.empty()) entry.authorities = authorities_of(tx->tx);
    const std::lock_guard lock(mutex_);
    if (head_number_ > head) continue;  // a block came in between: the account may be another by now
    TRY(insert(std::move(entry), account));
    listeners = listeners_;
    added = true;
  }
  for (const auto& listener : listeners) listener(tx);
  return {};
}

Result<> Pool::insert(Entry entry, const Account& account) {
  const SenderTransaction& item = *entry.tx;
  const Transaction& tx = item.tx;
  if (by_hash_.contains(item.hash)) return fail(ErrorCode::kExists, "already known");
  auto found = senders_.find(item.sender);
  if (found != senders_.end() && account.nonce > found->second.nonce) {
    refresh(found, account);  // ahead of on_block()
    found = senders_.find(item.sender);
  }
  Sender* const known = found == senders_.end() ? nullptr : &found->second;
  const std::uint64_t nonce = known == nullptr ? account.nonce : std::max(account.nonce, known->nonce);
  if (tx.nonce < nonce) return nonce_too_low(nonce, tx.nonce);
  const Entry* replaced = nullptr;
  if (known != nullptr)
    if (const auto same = known->queue.find(tx.nonce); same != known->queue.end()) replaced = &same->second;
  TRY(check_funds(entry, replaced, known, account));
  TRY(check_delegations(entry, nonce, known, account));
  if (replaced != nullptr) {
    TRY(check_replacement(entry, *replaced));
    drop(found, known->queue.find(tx.nonce));
  } else {
    Sender fresh;
    fresh.nonce = nonce;
    TRY(check_room(known == nullptr ? fresh : *known, tx.nonce));
    TRY(make_room(entry));
  }
  const auto sender = senders_.try_emplace(item.sender).first;
  sender->second.nonce = nonce;
  if (has_code(account)) delegated_.insert(item.sender);
  entry.sequence = next_sequence_++;
  entry.added = head_time_;
  put(sender->second, std::move(entry));
  settle(sender);
  return {};
}

Result<> Pool::check_funds(const Entry& entry, const Entry* replaced, const Sender* sender,
                           const Account& account) const {
  uint256 waiting;
  if (sender != nullptr) waiting = sender->cost;
  if (replaced != nullptr) waiting -= replaced->cost;
  uint256 total;
  if (add_overflows(waiting, entry.cost, total) || total > account.balance)
    return insufficient_funds(account.balance, entry.cost, waiting);
  return {};
}

/// EIP-7702 (mempool.hpp).
Result<> Pool::check_delegations(const Entry& entry, std::uint64_t nonce, const Sender* sender,
                                 const Account& account) const {
  const std::uint64_t wanted = entry.tx->tx.nonce;
  if (has_code(account) || authorities_.contains(entry.tx->sender)) {
    const std::size_t executable = sender == nullptr ? 0 : sender->executable;
    if (executable == 0 && wanted != nonce)
      return fail(ErrorCode::kExhausted, "gapped-nonce tx from delegated accounts");
    if (executable > 0 && wanted >= nonce + executable)
      return fail(ErrorCode::kExhausted, "in-flight transaction limit reached for delegated accounts");
  }
  for (const Address& authority : entry.authorities) {
    const auto found = senders_.find(authority);
    if (found != senders_.end() && found->second.queue.size() > 1)
      return fail(ErrorCode::kExhausted,
                  "authority already reserved: transactions of " + to_hex0x(authority) + " wait");
  }
  return {};
}

Result<> Pool::check_replacement(const Entry& entry, const Entry& replaced) const {
  const Transaction& tx = entry.tx->tx;
  const Transaction& old = replaced.tx->tx;
  if (tx.max_fee < bumped(old.max_fee, limits_.replacement_percent) ||
      tx.max_priority_fee < bumped(old.max_priority_fee, limits_.replacement_percent)) {
    return fail(ErrorCode::kConflict, fmt::format("replacement transaction underpriced: both fees must rise by {}%",
                                                  limits_.replacement_percent));
  }
  if (bytes_ - replaced.bytes + entry.bytes > limits_.bytes)
    return fail(ErrorCode::kExhausted, "txpool is full: the replacement is larger than what it replaces");
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

Pool::Rank Pool::rank(const Entry& entry) const {
  const Transaction& tx = entry.tx->tx;
  const bool payable = tx.max_fee >= ranked_base_fee_;
  return {payable, payable ? effective_tip(tx, ranked_base_fee_) : tx.max_fee, ~entry.sequence};
}

void Pool::rank_again() {
  ranked_base_fee_ = next_base_fee_;
  by_rank_.clear();
  for (auto& [address, sender] : senders_) {
    for (auto& [nonce, entry] : sender.queue) {
      entry.rank = rank(entry);
      by_rank_.emplace(entry.rank, address);
    }
  }
}

/// A full pool drops the end of the cheapest sender's queue, so that no gap arises, until the new one fits.
Result<> Pool::make_room(const Entry& entry) {
  const auto full = [&] { return by_hash_.size() >= limits_.transactions || bytes_ + entry.bytes > limits_.bytes; };
  if (!full()) return {};
  if (ranked_base_fee_ != next_base_fee_) rank_again();  // once a block at most
  const auto [payable, fee, order] = rank(entry);
  while (full()) {
    const auto cheapest = by_rank_.begin();
    const bool cheaper = cheapest != by_rank_.end() &&
                         std::tie(std::get<0>(cheapest->first), std::get<1>(cheapest->first)) < std::tie(payable, fee);
    if (!cheaper || cheapest->second == entry.tx->sender)
      return fail(ErrorCode::kExhausted, "txpool is full: transaction underpriced");
    const auto victim = senders_.find(cheapest->second);
    drop(victim, std::prev(victim->second.queue.end()));
    settle(victim);
  }
  return {};
}

void Pool::put(Sender& sender, Entry entry) {
  by_hash_.emplace(entry.tx->hash, entry.tx);
  entry.rank = rank(entry);
  by_rank_.emplace(entry.rank, entry.tx->sender);
  for (const Address& authority : entry.authorities) ++authorities_[authority];
  bytes_ += entry.bytes;
  sender.cost += entry.cost;
  const std::uint64_t nonce = entry.tx->tx.nonce;
  sender.queue.emplace(nonce, std::move(entry));
}

void Pool::drop(Senders::iterator sender, Queue::iterator at) {
  const Entry& entry = at->second;
  Sender& s = sender->second;
  by_hash_.erase(entry.tx->hash);
  by_rank_.erase(entry.rank);
  for (const Address& authority : entry.authorities)
    if (const auto count = authorities_.find(authority); --count->second == 0) authorities_.erase(count);
  bytes_ -= entry.bytes;
  s.cost -= entry.cost;
  if (at->first < s.nonce) {
    s.executable = 0;
  } else {
    s.executable = std::min<std::size_t>(s.executable, at->first - s.nonce);
  }
  s.queue.erase(at);
}

void Pool::settle(Senders::iterator sender) {
  Sender& s = sender->second;
  // What is behind the bound waits like what is behind a gap.
  for (auto at = s.queue.lower_bound(s.nonce + s.executable);
       s.executable < limits_.executable_per_sender && at != s.queue.end() && at->first == s.nonce + s.executable; ++at)
    ++s.executable;
  pending_ += s.executable - s.counted;
  s.counted = s.executable;
  const bool ready = is_ready(s);
  ready_ = ready_ + (ready ? 1 : 0) - (s.ready ? 1 : 0);
  s.ready = ready;
  if (!s.queue.empty()) return;
  delegated_.erase(sender->first);
  senders_.erase(sender);
}

bool Pool::is_ready(const Sender& sender) const {
  return sender.executable > 0 && sender.queue.begin()->second.tx->tx.max_fee >= next_base_fee_;
}

void Pool::refresh(Senders::iterator sender, const Account& account) {
  Sender& s = sender->second;
  if (has_code(account)) {
    delegated_.insert(sender->first);
  } else {
    delegated_.erase(sender->first);
  }
  s.nonce = account.nonce;
  s.executable = 0;
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

}  // namespace bonus::chain::mempool
