// Transaction gossip: a bounded memory of hashes, each with the peer it came from.
#include "bonus/node/tx_gossip.hpp"

#include <atomic>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "bonus/base/log.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::node {
namespace {

constexpr std::string_view kService = "tx";
constexpr std::size_t kRemembered = 65'536;
constexpr std::size_t kRepeated = 512;  // per call of repeat()

}  // namespace

struct TxGossip::Impl {
  Impl(net::Transport& t, chain::Mempool& m, Metrics& metrics)
      : transport(t),
        mempool(m),
        received(metrics.counter("bonus_node_gossip_transactions_total", "Transactions received from peers",
                                 {{"result", "new"}})),
        known(metrics.counter("bonus_node_gossip_transactions_total", "Transactions received from peers",
                              {{"result", "known"}})),
        refused(metrics.counter("bonus_node_gossip_transactions_total", "Transactions received from peers",
                                {{"result", "refused"}})) {}

  net::Transport& transport;
  chain::Mempool& mempool;
  Metrics::Counter& received;
  Metrics::Counter& known;
  Metrics::Counter& refused;

  std::mutex mutex;
  std::unordered_map<Hash32, NodeId> seen;  // to the peer it came from; our own id: from here
  std::deque<Hash32> order;                 // of `seen`, oldest first
  std::unordered_set<Hash32> waiting;       // found in the mempool by the last repeat()

  /// False when the hash is known already.
  bool remember(const Hash32& hash, const NodeId& from) {
    const std::scoped_lock lock(mutex);
    if (!seen.emplace(hash, from).second) return false;
    order.push_back(hash);
    if (order.size() > kRemembered) {
      seen.erase(order.front());
      order.pop_front();
    }
    return true;
  }
  NodeId origin(const Hash32& hash) {
    const std::scoped_lock lock(mutex);
    const auto found = seen.find(hash);
    return found == seen.end() ? transport.self() : found->second;
  }

  void receive(const NodeId& from, const Bytes& raw) {
    if (raw.size() > chain::kMaxTransactionBytes || !remember(crypto::keccak256(raw), from)) {
      known.add();
      return;
    }
    // The hash of the bytes is the transaction's: decode() accepts canonical encodings only.
    auto tx = chain::Transaction::decode(raw);
    auto recovered =
        tx ? chain::recover(*std::move(tx)) : Result<chain::TransactionPtr>(std::unexpected(std::move(tx).error()));
    Result<> added = recovered ? mempool.add(*recovered) : fail(std::move(recovered).error());
    if (added) {
      received.add();
    } else {
      refused.add();
      log::debug("node", "gossip_refused",
                 {{"from", to_hex(from.view()).substr(0, 8)}, {"error", added.error().message}});
    }
  }
};

TxGossip::TxGossip(net::Transport& transport, chain::Mempool& mempool, Metrics& metrics)
    : impl_(std::make_unique<Impl>(transport, mempool, metrics)) {
  transport.on_message(std::string(kService),
                       [impl = impl_.get()](NodeId from, Bytes raw) { impl->receive(from, raw); });
}
TxGossip::~TxGossip() = default;

void TxGossip::announce(const chain::TransactionPtr& tx) {
  const NodeId self = impl_->transport.self();
  (void)impl_->remember(tx->hash, self);
  const NodeId from = impl_->origin(tx->hash);
  const Bytes raw = tx->tx.encode();
  for (const auto& peer : impl_->transport.peers())
    if (peer.id != from) impl_->transport.notify(peer.id, kService, raw);
}

void TxGossip::repeat(const chain::LedgerReader& ledger) {
  const auto head = ledger.head();
  auto candidates = impl_->mempool.best(head.base_fee, head.gas_limit);
  if (candidates.size() > kRepeated) candidates.resize(kRepeated);
  std::unordered_set<Hash32> now, before;
  for (const auto& tx : candidates) now.insert(tx->hash);
  {
    const std::scoped_lock lock(impl_->mutex);
    before.swap(impl_->waiting);
    impl_->waiting = now;
  }
  const auto peers = impl_->transport.peers();
  for (const auto& tx : candidates) {
    if (!before.contains(tx->hash)) continue;
    const Bytes raw = tx->tx.encode();
    for (const auto& peer : peers) impl_->transport.notify(peer.id, kService, raw);
  }
}

}  // namespace bonus::node
