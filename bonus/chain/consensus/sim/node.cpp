// Carrying out a core's actions, with a possible crash after every one of them.
#include "bonus/chain/consensus/sim/node.hpp"

#include "bonus/crypto/hash.hpp"

namespace bonus::chain::consensus::sim {

using std::chrono::milliseconds;

Application::Built ToyApplication::make(std::uint64_t height, std::uint32_t round, std::uint64_t creator,
                                        std::uint64_t salt) {
  Bytes body;
  for (const std::uint64_t number : {height, std::uint64_t{round}, creator, salt})
    for (int shift = 56; shift >= 0; shift -= 8) body.push_back(static_cast<std::uint8_t>(number >> shift));
  return {crypto::keccak256(body), body};
}
Result<Application::Built> ToyApplication::build(std::uint64_t height, std::uint32_t round) {
  return make(height, round, creator_, ++built_);
}
Result<Hash32> ToyApplication::validate(std::uint64_t height, BytesView body, bool) {
  if (body.size() != 32) return fail(ErrorCode::kInvalid, "not a block");
  std::uint64_t claimed = 0;
  for (std::size_t i = 0; i < 8; ++i) claimed = (claimed << 8) | body[i];
  if (claimed != height) return fail(ErrorCode::kInvalid, "a block of another height");
  return crypto::keccak256(body);
}

Node::Node(Surroundings& around, Config config, Options options, std::size_t index, runtime::sim::SeededRandom random)
    : around_(around),
      config_(std::move(config)),
      options_(std::move(options)),
      index_(index),
      random_(random),
      disk_(random_.fork()),
      app_(index) {}

void Node::start() {
  if (core_) return;
  ++life_;
  auto log = disk_.open_log("wal");
  log_ = *std::move(log);
  options_.signer_state.reset();
  if (const auto bytes = disk_.read_file("signer", 1000); bytes && options_.mutation != Mutation::kAmnesia)
    if (const auto state = SignerState::decode(*bytes)) options_.signer_state = *state;
  core_ = std::make_unique<BonusBft>(config_, app_, log_->recovered(), options_);
  auto handler = [this](std::size_t from, BytesView message) { receive(from, message); };
  around_.network.attach(index_, std::move(handler));
  advance();
}

void Node::crash(Duration down_for) {
  ++life_;
  ++around_.crashes;
  core_.reset();
  log_.reset();
  around_.network.detach(index_);
  disk_.crash();
  auto restart = [this, life = life_] {
    if (life == life_) start();
  };
  around_.events.after(down_for, std::move(restart));
}

void Node::receive(std::size_t from, BytesView message) {
  if (core_) carry_out(core_->on_message(around_.events.now(), from, message));
}

void Node::advance() {
  const auto now = around_.events.now();
  const auto pause = random_.chance(0.7) ? Duration(0) : random_.between(milliseconds(0), milliseconds(800));
  carry_out(core_->advance(now, chain_.size() + 1, around_.order_seed, now + pause));
  if (core_ && core_->status().muted) around_.on_muted(index_);
  if (!core_ || !random_.chance(0.3)) return;
  if (fails_now()) return;
  (void)log_->rewrite(core_->live_records());
  (void)fails_now();
}

bool Node::fails_now() {
  if (!random_.chance(around_.crash_rate)) return false;
  crash(random_.between(milliseconds(0), milliseconds(4000)));
  return true;
}

void Node::carry_out(Actions actions) {
  const auto life = life_;
  for (auto& action : actions) {
    if (!carry_out(action) || life != life_) return;
    if (fails_now()) return;
  }
  schedule_tick();
}

bool Node::carry_out(Action& action) {
  if (auto* persist = std::get_if<Persist>(&action)) {
    (void)log_->append(persist->record);
    if (fails_now()) return false;
    (void)log_->sync();
    if (fails_now()) return false;
    if (!persist->signer_state.empty()) (void)disk_.write_file("signer", persist->signer_state, 0600);
    return true;
  }
  if (auto* broadcast = std::get_if<Broadcast>(&action)) {
    around_.on_broadcast(index_, broadcast->message);
    const auto shared = std::make_shared<const Bytes>(std::move(broadcast->message));
    for (std::size_t to = 0; to < config_.validators.size(); ++to) around_.network.send(index_, to, shared);
  } else if (auto* send = std::get_if<Send>(&action)) {
    around_.network.send(index_, send->to, std::move(send->message));
  } else if (auto* decided = std::get_if<Decided>(&action)) {
    if (decided->height != chain_.size() + 1) return true;
    chain_.push_back({decided->hash, std::move(decided->body), std::move(decided->cert)});
    around_.on_decided(index_, chain_.back(), chain_.size());
    auto next = [this, life = life_] {
      if (life == life_ && core_) advance();
    };
    around_.events.after(random_.between(milliseconds(0), milliseconds(100)), std::move(next));
  } else if (auto* evidence = std::get_if<Evidence>(&action)) {
    const auto conviction = check_evidence(around_.rules, evidence->proof);
    around_.on_evidence(evidence->offender, conviction && conviction->offender == evidence->offender);
  } else if (auto* behind = std::get_if<Behind>(&action)) {
    around_.on_behind(index_, behind->peer, behind->from);
  }
  return true;
}

void Node::adopt(const std::vector<Block>& blocks) {
  bool grown = false;
  for (const auto& block : blocks) {
    if (block.cert.height != chain_.size() + 1 || block.cert.hash != block.hash || !check(around_.rules, block.cert))
      continue;
    chain_.push_back(block);
    around_.on_decided(index_, chain_.back(), chain_.size());
    grown = true;
  }
  if (grown && core_) advance();
}

void Node::schedule_tick() {
  if (tick_set_) around_.events.cancel(tick_);
  tick_set_ = false;
  if (!core_) return;
  const Instant at = core_->next_deadline();
  if (at == Instant::max()) return;
  auto fire = [this, life = life_] {
    if (life != life_ || !core_) return;
    tick_set_ = false;
    carry_out(core_->on_tick(around_.events.now()));
  };
  tick_ = around_.events.schedule(at, std::move(fire));
  tick_set_ = true;
}

}  // namespace bonus::chain::consensus::sim
