// The consensus shell: one strand, on which the core, the ledger's writer and the log live.
#include "bonus/node/chain_shell.hpp"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <deque>
#include <future>
#include <map>
#include <mutex>

#include "bonus/base/log.hpp"
#include "bonus/chain/consensus/options.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/node/chain_app.hpp"
#include "bonus/node/chain_sync.hpp"
#include "bonus/node/consensus_log.hpp"

namespace bonus::node {

namespace asio = boost::asio;
namespace bft = chain::consensus;

namespace {

constexpr std::string_view kService = "consensus";
constexpr std::size_t kMaxInboxMessages = 4096;
constexpr std::size_t kMaxInboxBytes = 64 << 20;
constexpr std::size_t kRewriteBytes = 8 << 20;  // of the log's growth
constexpr std::uint64_t kRewriteHeights = 64;

struct ChainMetrics {
  explicit ChainMetrics(Metrics& m)
      : height(m.gauge("bonus_chain_head_number", "Number of the last final block")),
        round(m.gauge("bonus_chain_round_number", "Round of the height being agreed on")),
        transactions(m.counter("bonus_chain_transactions_total", "Transactions in final blocks")),
        rounds_failed(m.counter("bonus_chain_late_blocks_total", "Final blocks that took more than one round")),
        evidence(m.counter("bonus_chain_evidence_total", "Proofs of misbehaviour found")),
        dropped(m.counter("bonus_chain_dropped_messages_total", "Consensus messages dropped because too many waited")) {
  }
  Metrics::Gauge& height;
  Metrics::Gauge& round;
  Metrics::Counter& transactions;
  Metrics::Counter& rounds_failed;
  Metrics::Counter& evidence;
  Metrics::Counter& dropped;
};

}  // namespace

struct ChainShell::Impl : std::enable_shared_from_this<ChainShell::Impl> {
  Impl(const ChainParts& p, const ChainOptions& options)
      : parts(p),
        strand(asio::make_strand(p.executor)),
        timer(strand),
        config(consensus_config(p.ledger.genesis(), options.key, options.timing)),
        app(p.ledger, p.mempool, p.clock, config, p.for_each),
        data_dir(options.data_dir),
        metrics(p.metrics) {
    for (std::size_t i = 0; i < config.validators.size(); ++i) {
      ids.push_back(crypto::node_id(config.validators[i]));
      index_of[ids.back()] = i;
    }
  }

  Result<> prepare(const ChainOptions& options);
  void register_handlers();
  void begin();
  void receive(const NodeId& from, Bytes message);
  void on_timer();
  void arm_timer();
  void work();
  void perform(bft::Actions actions);
  [[nodiscard]] Result<> perform_one(bft::Action& action, std::deque<bft::Action>& more);
  [[nodiscard]] Result<> decided(bft::Decided& block, std::deque<bft::Action>& more);
  [[nodiscard]] Result<> commit(const chain::Block& block, const bft::CommitCert& cert);
  [[nodiscard]] Result<> apply_synced(BytesView body, const bft::CommitCert& cert);
  [[nodiscard]] Result<bft::Actions> advance();
  void report_evidence(const bft::Evidence& evidence);
  [[nodiscard]] Instant earliest_proposal() const;
  void halt(Error error);
  void publish_status();
  [[nodiscard]] Instant now() const { return parts.clock.now(); }

  ChainParts parts;
  asio::strand<runtime::Executor> strand;
  asio::steady_timer timer;  // strand, as all below unless said otherwise
  bft::Config config;
  ChainApp app;
  std::string data_dir;
  ChainMetrics metrics;
  std::vector<NodeId> ids;                 // of the bookkeepers; immutable
  std::map<NodeId, std::size_t> index_of;  // immutable
  std::unique_ptr<ConsensusLog> log;
  std::unique_ptr<runtime::AppendLog> evidence_log;
  std::optional<bft::BonusBft> core;  // only of a bookkeeper
  std::unique_ptr<ChainSync> sync;
  bool running = false;
  Instant timer_at = Instant::max();
  UnixMillis committed_at_ms = 0;
  std::uint64_t rewritten_at = 0;
  std::function<void(Error)> on_halt;
  std::atomic<bool> started{false};  // any thread

  std::atomic<std::size_t> inbox_messages{0}, inbox_bytes{0};  // any thread
  std::atomic<bool> work_posted{false};                        // any thread
  mutable std::mutex status_mutex;
  ChainStatus status;  // guarded by status_mutex
};

Result<> ChainShell::Impl::prepare(const ChainOptions& options) {
  if (options.key != nullptr) {
    if (!config.self)
      return fail(ErrorCode::kNotFound,
                  fmt::format("this node's key {} is not among the bookkeepers of the genesis file",
                              to_hex(options.key->public_key().view())));
    TRY_ASSIGN(log, ConsensusLog::open(parts.disk, data_dir));
    TRY_ASSIGN(evidence_log, parts.disk.open_log(data_dir + "/evidence.log"));
    bft::Options extra;
    if (log->signer_state()) {
      TRY_ASSIGN(extra.signer_state, bft::SignerState::decode(*log->signer_state()));
    }
    core.emplace(config, app, log->records(), extra);
  }
  register_handlers();
  publish_status();
  return {};
}

void ChainShell::Impl::register_handlers() {
  // Weak: the transport may keep the handlers for longer than the shell lives.
  if (core) {
    parts.transport.on_message(std::string(kService), [weak = weak_from_this()](NodeId from, Bytes message) {
      auto self = weak.lock();
      if (self == nullptr) return;
      const std::size_t size = message.size();
      if (size > bft::kMaxMessageBytes || self->inbox_messages >= kMaxInboxMessages ||
          self->inbox_bytes + size > kMaxInboxBytes) {
        self->metrics.dropped.add();
        return;
      }
      ++self->inbox_messages;
      self->inbox_bytes += size;
      asio::post(self->strand, [self, from, message = std::move(message)]() mutable {
        --self->inbox_messages;
        self->inbox_bytes -= message.size();
        self->receive(from, std::move(message));
      });
    });
  }
  auto apply = [weak = weak_from_this()](BytesView body, const bft::CommitCert& cert) -> Result<> {
    auto self = weak.lock();
    if (self == nullptr || !self->running) return fail(ErrorCode::kCancelled, "the chain was stopped");
    return self->apply_synced(body, cert);
  };
  SyncParts sync_parts{strand,       parts.pool,      parts.random, parts.clock,
                       parts.ledger, parts.transport, config,       std::move(apply)};
  sync = std::make_unique<ChainSync>(std::move(sync_parts));
}

void ChainShell::Impl::begin() {
  running = true;
  committed_at_ms = parts.clock.unix_ms();
  rewritten_at = parts.ledger.head().number;
  log::info("chain", "started", {{"head", parts.ledger.head().number}, {"bookkeeper", core.has_value()}});
  if (core) {
    auto actions = advance();
    if (!actions) return halt(std::move(actions).error());
    perform(*std::move(actions));
  }
  sync->start();
  publish_status();
}

Instant ChainShell::Impl::earliest_proposal() const {
  const auto head = parts.ledger.head();
  const auto& genesis = parts.ledger.genesis();
  const UnixMillis interval = parts.mempool.has_work() ? genesis.block_interval_ms : genesis.idle_interval_ms;
  // The parent may be dated ahead of our clock: count from its arrival then.
  const UnixMillis since = std::min(static_cast<UnixMillis>(head.timestamp) * 1000, committed_at_ms);
  const UnixMillis wait = std::max<UnixMillis>(0, since + interval - parts.clock.unix_ms());
  return now() + std::chrono::milliseconds(wait);
}

Result<bft::Actions> ChainShell::Impl::advance() {
  const std::uint64_t next = parts.ledger.head().number + 1;
  TRY_ASSIGN(const auto seed, order_seed(parts.ledger, next));
  return core->advance(now(), next, seed, earliest_proposal());
}

void ChainShell::Impl::receive(const NodeId& from, Bytes message) {
  if (!running) return;
  const auto validator = index_of.find(from);
  if (validator == index_of.end()) return;  // only bookkeepers take part
  perform(core->on_message(now(), validator->second, message));
}

void ChainShell::Impl::work() {
  work_posted = false;
  if (!running || !core || !parts.mempool.has_work()) return;
  perform(core->set_not_before(now(), earliest_proposal()));
}

void ChainShell::Impl::on_timer() {
  timer_at = Instant::max();
  if (!running) return;
  perform(core->on_tick(now()));
}

void ChainShell::Impl::arm_timer() {
  if (!running || !core) return;
  const Instant deadline = core->next_deadline();
  if (deadline == timer_at) return;
  timer_at = deadline;
  timer.cancel();
  if (deadline == Instant::max()) return;
  timer.expires_after(std::max(Duration::zero(), deadline - now()));
  timer.async_wait([self = shared_from_this(), deadline](const boost::system::error_code& error) {
    if (!error && self->timer_at == deadline) self->on_timer();
  });
}

void ChainShell::Impl::perform(bft::Actions actions) {
  std::deque<bft::Action> queue(std::make_move_iterator(actions.begin()), std::make_move_iterator(actions.end()));
  while (!queue.empty() && running) {
    bft::Action action = std::move(queue.front());
    queue.pop_front();
    if (auto done = perform_one(action, queue); !done) return halt(std::move(done).error());
  }
  if (!running) return;
  if (auto flushed = log->flush(); !flushed) return halt(std::move(flushed).error());
  arm_timer();
  publish_status();
}

Result<> ChainShell::Impl::perform_one(bft::Action& action, std::deque<bft::Action>& more) {
  if (auto* persist = std::get_if<bft::Persist>(&action))
    return log->append(persist->record, std::move(persist->signer_state));
  // Rule 10: nothing leaves this node before what was persisted is on the disk.
  if (auto flushed = log->flush(); !flushed) return flushed;
  if (auto* broadcast = std::get_if<bft::Broadcast>(&action)) {
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (i != *config.self) parts.transport.notify(ids[i], kService, broadcast->message);
  } else if (auto* send = std::get_if<bft::Send>(&action)) {
    if (send->to < ids.size()) parts.transport.notify(ids[send->to], kService, std::move(send->message));
  } else if (auto* block = std::get_if<bft::Decided>(&action)) {
    return decided(*block, more);
  } else if (auto* behind = std::get_if<bft::Behind>(&action)) {
    if (behind->peer < ids.size()) sync->peer_has(ids[behind->peer], behind->from);
  } else if (auto* evidence = std::get_if<bft::Evidence>(&action)) {
    report_evidence(*evidence);
  }
  return {};
}

Result<> ChainShell::Impl::decided(bft::Decided& decision, std::deque<bft::Action>& more) {
  if (decision.height != parts.ledger.head().number + 1) return {};  // the sync was faster
  auto block = app.recent(decision.hash);
  if (!block) {
    TRY_ASSIGN(block, app.decode(decision.body));
  }
  if (decision.cert.round > 0) metrics.rounds_failed.add();
  if (auto done = commit(*block, decision.cert); !done) return done;
  TRY_ASSIGN(auto actions, advance());
  std::ranges::move(actions, std::back_inserter(more));
  const std::uint64_t head = decision.height;
  if (log->grown_bytes() > kRewriteBytes || head >= rewritten_at + kRewriteHeights) {
    // The live records contain what the actions just given will persist: appending those again is harmless.
    if (auto flushed = log->flush(); !flushed) return flushed;
    rewritten_at = head;
    return log->rewrite(core->live_records());
  }
  return {};
}

Result<> ChainShell::Impl::commit(const chain::Block& block, const bft::CommitCert& cert) {
  if (auto done = parts.ledger.commit(block, cert.encode()); !done)
    return fail(std::move(done).error().wrap(fmt::format("committing block {}", block.header.number)));
  committed_at_ms = parts.clock.unix_ms();
  TRY_ASSIGN(const auto stored, parts.ledger.block(block.header.number));
  parts.mempool.on_block(*stored);
  metrics.height.set(static_cast<double>(block.header.number));
  metrics.transactions.add(static_cast<double>(block.transactions.size()));
  log::debug("chain", "block",
             {{"number", block.header.number},
              {"hash", to_hex0x(stored->hash.view())},
              {"transactions", block.transactions.size()},
              {"round", cert.round}});
  sync->head_moved();
  return {};
}

Result<> ChainShell::Impl::apply_synced(BytesView body, const bft::CommitCert& cert) {
  TRY_ASSIGN(const auto block, app.decode(body));
  // Q bookkeepers vouch for it; checked all the same, so that a fork of the rules is found where it happens.
  if (auto seals = app.check_seals(cert.height, block); !seals) return seals;
  TRY_ASSIGN(const auto hash, parts.ledger.validate(block));
  if (hash != cert.hash) return fail(ErrorCode::kInvalid, "the block is not the one that its certificate names");
  if (auto done = commit(block, cert); !done) {
    halt(done.error());
    return done;
  }
  if (core) {
    TRY_ASSIGN(auto actions, advance());
    perform(std::move(actions));
  }
  publish_status();
  return {};
}

void ChainShell::Impl::report_evidence(const bft::Evidence& evidence) {
  metrics.evidence.add();
  const std::string offender = evidence.offender < ids.size() ? to_hex(ids[evidence.offender].view()) : "?";
  log::error("chain", "evidence", {{"offender", offender}, {"bytes", evidence.proof.size()}});
  auto kept = evidence_log->append(evidence.proof);
  if (kept) kept = evidence_log->sync();
  if (!kept) log::error("chain", "evidence_not_kept", {{"error", kept.error().message}});
}

void ChainShell::Impl::halt(Error error) {
  if (!running) return;
  running = false;
  timer.cancel();
  sync->stop();
  log::error("chain", "halted", {{"head", parts.ledger.head().number}, {"error", error.message}});
  {
    const std::scoped_lock lock(status_mutex);
    status.halted = error.message;
  }
  if (on_halt) on_halt(std::move(error));
}

void ChainShell::Impl::publish_status() {
  ChainStatus fresh;
  fresh.height = parts.ledger.head().number;
  fresh.bookkeeper = core.has_value();
  fresh.syncing = sync != nullptr && sync->syncing();
  fresh.sync_target = sync != nullptr ? sync->target() : 0;
  if (core) {
    const auto inner = core->status();
    fresh.round = inner.round;
    fresh.primary = inner.primary;
    fresh.muted = inner.muted;
    metrics.round.set(static_cast<double>(inner.round));
  }
  const std::scoped_lock lock(status_mutex);
  fresh.halted = status.halted;
  status = std::move(fresh);
}

ChainShell::ChainShell(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ChainShell::~ChainShell() { stop(); }

Result<std::unique_ptr<ChainShell>> ChainShell::open(const ChainParts& parts, const ChainOptions& options) {
  auto impl = std::make_shared<Impl>(parts, options);
  if (auto ready = impl->prepare(options); !ready) return fail(std::move(ready).error());
  return std::unique_ptr<ChainShell>(new ChainShell(std::move(impl)));
}

void ChainShell::start(std::function<void(Error)> on_halt) {
  impl_->started = true;
  asio::post(impl_->strand, [impl = impl_, on_halt = std::move(on_halt)]() mutable {
    impl->on_halt = std::move(on_halt);
    impl->begin();
  });
}

void ChainShell::stop() {
  // A second call would wait for a strand whose threads have ended already.
  if (!impl_->started.exchange(false)) return;
  std::promise<void> done;
  auto finished = done.get_future();
  asio::post(impl_->strand, [impl = impl_, &done] {
    if (impl->running) impl->sync->stop();
    impl->running = false;
    impl->timer.cancel();
    impl->on_halt = nullptr;
    done.set_value();
  });
  finished.wait();
}

void ChainShell::work_arrived() {
  if (impl_->work_posted.exchange(true)) return;
  asio::post(impl_->strand, [impl = impl_] { impl->work(); });
}

ChainStatus ChainShell::status() const {
  const std::scoped_lock lock(impl_->status_mutex);
  ChainStatus out = impl_->status;
  return out;
}

}  // namespace bonus::node
