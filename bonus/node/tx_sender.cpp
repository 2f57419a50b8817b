// Nonce management and fee bumping for the node's account.
#include "bonus/node/tx_sender.hpp"

#include <fmt/format.h>

#include "bonus/base/log.hpp"
#include "bonus/chain/api/gas.hpp"
#include "bonus/codec/abi.hpp"

namespace bonus::node {
namespace {

constexpr std::size_t kMaxVersions = 16;  // of one transaction; then only the last is repeated

uint256 min_of(const uint256& a, const uint256& b) { return a < b ? a : b; }
uint256 max_of(const uint256& a, const uint256& b) { return a < b ? b : a; }
/// The mempool asks for 10% more; a quarter leaves room for rounding.
uint256 quarter_more(const uint256& fee) { return fee + fee / uint256(4) + uint256(1); }

std::string reason_of(BytesView output) {
  const std::string reason = abi::decode_revert(output);
  return reason.empty() ? "reverted without a reason" : reason;
}

}  // namespace

TxSender::TxSender(const chain::LedgerReader& ledger, chain::Mempool& mempool, const crypto::SecretKey256& key,
                   const Address& account, TxSenderOptions options)
    : ledger_(ledger), mempool_(mempool), key_(key), account_(account), options_(options) {}

Result<std::uint64_t> TxSender::estimate(const TxRequest& request) const {
  chain::CallRequest call;
  call.from = account_;
  call.to = request.to;
  call.value = request.value;
  call.data = request.data;
  call.gas = options_.max_gas;
  TRY_ASSIGN(const auto reply, ledger_.call(call, ledger_.head().number));
  if (!reply.success) return fail(ErrorCode::kConflict, reason_of(reply.output));
  // The state may move between now and the block: half as much again, and the intrinsic cost in any case.
  chain::Transaction probe;
  probe.to = request.to;
  probe.data = request.data;
  const std::uint64_t wanted = reply.gas_used + reply.gas_used / 2 + chain::minimum_gas(probe) + 30'000;
  return std::min(wanted, std::min(options_.max_gas, ledger_.head().gas_limit));
}

Result<> TxSender::submit(std::uint64_t nonce, Pending& pending) {
  chain::Transaction tx;
  tx.type = 2;
  tx.chain_id = ledger_.genesis().chain_id;
  tx.nonce = nonce;
  tx.max_priority_fee = pending.tip;
  tx.max_fee = pending.max_fee;
  tx.gas_limit = pending.gas;
  tx.to = pending.request.to;
  tx.value = pending.request.value;
  tx.data = pending.request.data;
  if (auto signature = chain::sign_transaction(tx, key_); !signature) return signature;
  auto recovered = std::make_shared<chain::SenderTransaction>();
  recovered->sender = account_;
  recovered->hash = tx.hash();
  recovered->tx = std::move(tx);
  const Hash32 hash = recovered->hash;
  pending.sent_at = ledger_.head().number;
  if (auto added = mempool_.add(std::move(recovered)); !added) return added;
  if (pending.hashes.size() >= kMaxVersions) pending.hashes.erase(pending.hashes.begin());
  pending.hashes.push_back(hash);
  log::debug("node", "transaction_sent",
             {{"what", pending.request.label}, {"nonce", nonce}, {"hash", to_hex0x(hash.view())}});
  return {};
}

void TxSender::send(TxRequest request, Done done) {
  const auto refuse = [&](std::string why) {
    TxOutcome outcome;
    outcome.detail = std::move(why);
    done(std::move(outcome));
  };
  if (pending_.size() >= options_.max_pending) return refuse("too many transactions of this node are waiting");
  auto gas = estimate(request);
  if (!gas) return refuse(gas.error().message);
  auto account = ledger_.account(account_, ledger_.head().number);
  if (!account) return refuse(account.error().message);

  Pending pending;
  pending.gas = *gas;
  pending.tip = options_.priority_fee;
  pending.max_fee =
      min_of(chain::next_base_fee(ledger_.head(), ledger_.genesis()) * uint256(2) + pending.tip, options_.max_fee_cap);
  pending.tip = min_of(pending.tip, pending.max_fee);
  pending.request = std::move(request);
  // The mempool knows what other programs sent from this account; our own may have fallen out of it.
  std::uint64_t nonce = std::max(account->nonce, mempool_.next_nonce(account_));
  if (!pending_.empty()) nonce = std::max(nonce, pending_.rbegin()->first + 1);
  if (auto sent = submit(nonce, pending); !sent) return refuse(sent.error().message);
  pending.done = std::move(done);
  pending_.emplace(nonce, std::move(pending));
}

void TxSender::raise_fees(Pending& pending) const {
  const uint256 base = chain::next_base_fee(ledger_.head(), ledger_.genesis());
  pending.tip = min_of(quarter_more(pending.tip), options_.max_fee_cap);
  pending.max_fee =
      min_of(max_of(quarter_more(pending.max_fee), base * uint256(2) + pending.tip), options_.max_fee_cap);
}

void TxSender::finish(std::map<std::uint64_t, Pending>::iterator it, TxOutcome outcome) {
  auto done = std::move(it->second.done);
  pending_.erase(it);
  done(std::move(outcome));
}

void TxSender::on_head() {
  const std::uint64_t head = ledger_.head().number;
  auto account = ledger_.account(account_, head);
  if (!account) return;
  // finish() may call send(): collect first.
  std::vector<std::pair<std::uint64_t, TxOutcome>> finished;
  for (auto& [nonce, pending] : pending_) {
    if (nonce < account->nonce) {
      TxOutcome outcome;
      outcome.detail = "another transaction of the account took its nonce";
      for (const auto& hash : pending.hashes) {
        auto found = ledger_.receipt(hash);
        if (!found) continue;
        outcome.kind = found->receipt.success ? TxOutcome::Kind::kIncluded : TxOutcome::Kind::kReverted;
        outcome.block = found->block_number;
        outcome.detail = found->receipt.success ? std::string() : reason_of(found->receipt.return_data);
        break;
      }
      finished.emplace_back(nonce, std::move(outcome));
      continue;
    }
    if (head < pending.sent_at + options_.resend_blocks) continue;
    if (mempool_.find(pending.hashes.back()) != nullptr) {
      const uint256 before = pending.max_fee;
      raise_fees(pending);
      if (pending.max_fee == before) continue;  // at the cap: it waits as it is
    }
    auto sent = submit(nonce, pending);
    if (!sent)
      log::warn("node", "transaction_waits",
                {{"what", pending.request.label}, {"nonce", nonce}, {"error", sent.error().message}});
  }
  for (auto& [nonce, outcome] : finished)
    if (const auto it = pending_.find(nonce); it != pending_.end()) finish(it, std::move(outcome));
}

}  // namespace bonus::node
