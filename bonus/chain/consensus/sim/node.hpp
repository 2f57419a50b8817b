// An honest machine of the simulation: production core, toy application, disk, crashes and restarts.
#pragma once

#include <functional>

#include "bonus/chain/consensus/evidence.hpp"
#include "bonus/runtime/sim/disk.hpp"
#include "bonus/runtime/sim/network.hpp"

namespace bonus::chain::consensus::sim {

/// Blocks are a few bytes that name their height; every well-formed one is good.
class ToyApplication final : public Application {
 public:
  explicit ToyApplication(std::uint64_t creator) : creator_(creator) {}
  [[nodiscard]] Result<Built> build(std::uint64_t height, std::uint32_t round) override;
  [[nodiscard]] Result<Hash32> validate(std::uint64_t height, BytesView body, bool fresh) override;
  [[nodiscard]] static Built make(std::uint64_t height, std::uint32_t round, std::uint64_t creator, std::uint64_t salt);

 private:
  std::uint64_t creator_;
  std::uint64_t built_ = 0;  // survives crashes: a rebuilt block always differs from the one before
};

struct Block {
  Hash32 hash;
  Bytes body;
  CommitCert cert;
};

/// What the nodes share with the run.
struct Surroundings {
  runtime::sim::Events& events;
  runtime::sim::Network& network;
  Rules rules;  ///< Unmutated, to check evidence and certificates.
  Hash32 order_seed;
  double crash_rate = 0;  ///< Per action; 0 in the calm phase.
  std::function<void(std::size_t node, const Block&, std::uint64_t height)> on_decided;
  std::function<void(std::size_t node, const Bytes& message)> on_broadcast;
  std::function<void(std::size_t offender, bool verified)> on_evidence;
  std::function<void(std::size_t node)> on_muted;
  std::function<void(std::size_t node, std::size_t peer, std::uint64_t from)> on_behind;
  std::uint64_t crashes = 0;
};

class Node {
 public:
  Node(Surroundings& around, Config config, Options options, std::size_t index, runtime::sim::SeededRandom random);
  void start();
  void crash(Duration down_for);
  void receive(std::size_t from, BytesView message);
  /// Blocks that another node has, certificates checked as the sync module would.
  void adopt(const std::vector<Block>& blocks);

  [[nodiscard]] const std::vector<Block>& chain() const { return chain_; }
  [[nodiscard]] bool up() const { return core_ != nullptr; }
  [[nodiscard]] BonusBft::Status status() const { return core_ ? core_->status() : BonusBft::Status{}; }

 private:
  void carry_out(Actions actions);
  [[nodiscard]] bool carry_out(Action& action);  // false: the machine crashed
  [[nodiscard]] bool fails_now();
  void advance();
  void schedule_tick();

  Surroundings& around_;
  Config config_;
  Options options_;
  std::size_t index_;
  runtime::sim::SeededRandom random_;
  runtime::sim::SimDisk disk_;
  ToyApplication app_;
  std::unique_ptr<runtime::AppendLog> log_;
  std::unique_ptr<BonusBft> core_;
  std::vector<Block> chain_;  // the block store: durable
  std::uint64_t life_ = 0;    // events of an earlier life are ignored
  runtime::sim::Events::Id tick_{};
  bool tick_set_ = false;
};

}  // namespace bonus::chain::consensus::sim
