// The shell of SyncCore: asks peers where they stand, fetches ranges, hands blocks to the chain one at a time.
#include "bonus/node/chain_sync.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>

#include "bonus/base/log.hpp"
#include "bonus/chain/sync/sync.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::node {

namespace asio = boost::asio;
namespace sync = chain::sync;
using runtime::Task;

namespace {

constexpr std::string_view kStatusService = "chain.status";
constexpr std::string_view kRangeService = "chain.sync";
constexpr Duration kCallTimeout = std::chrono::seconds(10);
constexpr Duration kStatusTimeout = std::chrono::seconds(3);
constexpr Duration kBookkeeperPoll = std::chrono::seconds(10);  // consensus shows it when it falls behind
constexpr Duration kFollowerPoll = std::chrono::seconds(2);
constexpr std::size_t kPolledPeers = 4;

/// Only the header is decoded here; the body is checked against it by execution.
Result<sync::CheckedBlock> check_block(const chain::consensus::Config& config, const sync::FinalBlock& final_block) {
  rlp::Decoder outer(final_block.block);
  TRY_ASSIGN(auto parts, outer.list());
  TRY_ASSIGN(const auto raw, parts.raw_item());
  TRY_ASSIGN(const auto header, chain::Header::decode(raw));
  TRY_ASSIGN(const auto cert, chain::consensus::CommitCert::decode(final_block.commit));
  sync::CheckedBlock out{header.number, header.hash(), header.parent_hash};
  if (cert.height != out.number || cert.hash != out.hash)
    return fail(ErrorCode::kInvalid, "the certificate is of another block");
  if (auto verified = chain::consensus::verify_commit_cert(config, cert); !verified)
    return fail(std::move(verified).error());
  return out;
}

Bytes own_status(const chain::LedgerReader& ledger) {
  const chain::Header head = ledger.head();
  return sync::Status{head.number, head.hash()}.encode();
}

Task<Result<Bytes>> answer_status(const chain::LedgerReader& ledger) { co_return own_status(ledger); }

Task<Result<Bytes>> answer_range(const chain::LedgerReader& ledger, runtime::BlockingPool& pool, Bytes message) {
  CO_TRY_ASSIGN(const auto request, sync::RangeRequest::decode(message));
  std::function<Result<Bytes>()> work = [&ledger, request]() -> Result<Bytes> {
    TRY_ASSIGN(const auto reply, sync::serve(ledger, request));
    return reply.encode();
  };
  auto task = runtime::offload<Bytes>(pool, std::move(work));
  co_return co_await std::move(task);
}

}  // namespace

struct ChainSync::Impl : std::enable_shared_from_this<ChainSync::Impl> {
  explicit Impl(SyncParts p)
      : parts(std::move(p)),
        timer(parts.strand),
        tasks(parts.strand),
        core(
            sync::SyncOptions{}, [this](const sync::FinalBlock& block) { return check_block(parts.config, block); },
            parts.ledger.head().number, parts.ledger.head_hash()) {}

  void add(sync::SyncActions actions);
  void pump();
  void act(sync::SyncAction& action);
  void apply(const sync::ApplyBlock& block);
  void arm_timer();
  void stood_at(const NodeId& peer, const Bytes& status);
  [[nodiscard]] Task<> ask(NodeId peer, std::uint64_t id, Bytes message);
  [[nodiscard]] Task<> poll(NodeId peer);
  [[nodiscard]] Task<> poll_forever();
  [[nodiscard]] Instant now() const { return parts.clock.now(); }

  SyncParts parts;
  asio::steady_timer timer;
  runtime::TaskGroup tasks;
  sync::SyncCore core;
  bool running = false;
  bool pumping = false;
  std::deque<sync::SyncAction> queue;
  Instant timer_at = Instant::max();
};

void ChainSync::Impl::add(sync::SyncActions actions) {
  std::ranges::move(actions, std::back_inserter(queue));
  pump();
}

void ChainSync::Impl::pump() {
  if (pumping || !running) return;  // apply() comes back here through head_moved()
  pumping = true;
  bool applied = false;
  while (!queue.empty() && running && !applied) {
    sync::SyncAction action = std::move(queue.front());
    queue.pop_front();
    applied = std::holds_alternative<sync::ApplyBlock>(action);
    act(action);
  }
  pumping = false;
  if (!running) return;
  arm_timer();
  // One block at a time, so that consensus messages are not kept waiting.
  if (applied) asio::post(parts.strand, [self = shared_from_this()] { self->pump(); });
}

void ChainSync::Impl::act(sync::SyncAction& action) {
  if (auto* question = std::get_if<sync::AskPeer>(&action)) {
    tasks.spawn("chain.sync", ask(question->peer, question->id, std::move(question->message)));
  } else if (auto* block = std::get_if<sync::ApplyBlock>(&action)) {
    apply(*block);
  } else if (auto* ban = std::get_if<sync::BanPeer>(&action)) {
    log::warn("chain", "peer_banned", {{"peer", to_hex(ban->peer.view())}, {"reason", ban->reason}});
  }
}

void ChainSync::Impl::apply(const sync::ApplyBlock& block) {
  const auto head = parts.ledger.head();
  if (block.number <= head.number) return add(core.on_head(now(), head.number, parts.ledger.head_hash()));
  Result<> done;
  auto cert = chain::consensus::CommitCert::decode(block.block.commit);
  if (cert) {
    done = parts.apply(block.block.block, *cert);
  } else {
    done = fail(std::move(cert).error());
  }
  if (done || !running) return;  // head_moved() told the core
  log::warn("chain", "synced_block_refused",
            {{"number", block.number}, {"from", to_hex(block.from.view())}, {"error", done.error().message}});
  add(core.on_rejected(now(), block.number));
}

void ChainSync::Impl::arm_timer() {
  const Instant deadline = core.next_deadline();
  if (deadline == timer_at) return;
  timer_at = deadline;
  timer.cancel();
  if (deadline == Instant::max()) return;
  timer.expires_after(std::max(Duration::zero(), deadline - now()));
  timer.async_wait([self = shared_from_this(), deadline](const boost::system::error_code& error) {
    if (error || self->timer_at != deadline || !self->running) return;
    self->timer_at = Instant::max();
    self->add(self->core.on_tick(self->now()));
  });
}

Task<> ChainSync::Impl::ask(NodeId peer, std::uint64_t id, Bytes message) {
  auto self = shared_from_this();
  auto calling = parts.transport.call(peer, std::string(kRangeService), std::move(message), kCallTimeout);
  auto reply = co_await std::move(calling);
  if (!running) co_return;
  if (reply) {
    add(core.on_reply(now(), peer, id, *reply));
  } else {
    add(core.on_failure(now(), peer, id));
  }
}

void ChainSync::Impl::stood_at(const NodeId& peer, const Bytes& message) {
  const auto status = sync::Status::decode(message);
  if (status && running) add(core.on_peer(now(), peer, status->height));
}

Task<> ChainSync::Impl::poll(NodeId peer) {
  auto self = shared_from_this();
  auto calling = parts.transport.call(peer, std::string(kStatusService), Bytes(), kStatusTimeout);
  const auto reply = co_await std::move(calling);
  if (reply) stood_at(peer, *reply);
}

Task<> ChainSync::Impl::poll_forever() {
  auto self = shared_from_this();
  bool first = true;
  while (running) {
    auto peers = parts.transport.peers();
    for (std::size_t i = peers.size(); i > 1; --i)
      std::swap(peers[i - 1], peers[static_cast<std::size_t>(parts.random.below(i))]);
    if (!first && peers.size() > kPolledPeers) peers.resize(kPolledPeers);
    for (const auto& peer : peers) tasks.spawn("chain.status", poll(peer.id));
    // At the start the transport may still be connecting.
    const Duration pause = first ? std::chrono::milliseconds(500) : parts.config.self ? kBookkeeperPoll : kFollowerPoll;
    first = false;
    auto waiting = runtime::sleep_for(pause);
    if (!co_await std::move(waiting)) break;
  }
}

ChainSync::ChainSync(SyncParts parts) : impl_(std::make_shared<Impl>(std::move(parts))) {
  auto& transport = impl_->parts.transport;
  const chain::LedgerReader& ledger = impl_->parts.ledger;
  runtime::BlockingPool& pool = impl_->parts.pool;
  transport.on_call(std::string(kStatusService), [&ledger](NodeId, Bytes) { return answer_status(ledger); });
  transport.on_call(std::string(kRangeService),
                    [&ledger, &pool](NodeId, Bytes message) { return answer_range(ledger, pool, std::move(message)); });
  // Told by bookkeepers to those who follow.
  transport.on_message(std::string(kStatusService), [weak = std::weak_ptr(impl_)](NodeId from, Bytes message) {
    auto impl = weak.lock();
    if (impl == nullptr || message.size() > 256) return;
    asio::post(impl->parts.strand, [impl, from, message = std::move(message)] { impl->stood_at(from, message); });
  });
}
ChainSync::~ChainSync() = default;

void ChainSync::start() {
  impl_->running = true;
  impl_->tasks.spawn("chain.poll", impl_->poll_forever());
}

void ChainSync::stop() {
  impl_->running = false;
  impl_->timer.cancel();
  impl_->tasks.stop();
}

void ChainSync::peer_has(const NodeId& peer, std::uint64_t height) {
  if (impl_->running) impl_->add(impl_->core.on_peer(impl_->now(), peer, height));
}

void ChainSync::head_moved() {
  if (!impl_->running) return;
  const auto& parts = impl_->parts;
  impl_->add(impl_->core.on_head(impl_->now(), parts.ledger.head().number, parts.ledger.head_hash()));
  if (!parts.config.self) return;
  const Bytes status = own_status(parts.ledger);
  for (const auto& peer : parts.transport.peers())
    if (std::ranges::find(parts.config.validators, peer.key) == parts.config.validators.end())
      parts.transport.notify(peer.id, kStatusService, status);
}

std::uint64_t ChainSync::target() const { return impl_->core.progress().target; }
bool ChainSync::syncing() const {
  // Peers are ahead by one for a moment at every block.
  const auto progress = impl_->core.progress();
  return progress.target > progress.head + 1;
}

}  // namespace bonus::node
