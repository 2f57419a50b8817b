// Up to all Byzantine nodes in one mind: sees every broadcast at once, signs anything with its own keys, talks to whom
// it likes.
#pragma once

#include "bonus/chain/consensus/sim/node.hpp"

namespace bonus::chain::consensus::sim {

class Adversary {
 public:
  struct Puppet {
    std::size_t index = 0;
    const Signatures* signatures = nullptr;
  };
  /// `halves` is the split that both-sides strategies play on.
  Adversary(Surroundings& around, std::vector<Puppet> puppets, std::vector<std::size_t> honest,
            std::array<std::vector<std::size_t>, 2> halves, runtime::sim::SeededRandom random)
      : around_(around),
        puppets_(std::move(puppets)),
        honest_(std::move(honest)),
        halves_(std::move(halves)),
        random_(random) {}

  void observe(const Bytes& message);
  /// One move. `status` tells where each node is (height, round); the adversary knows everything but foreign keys.
  void act(const std::function<BonusBft::Status(std::size_t)>& status);
  void forget_below(std::uint64_t height);

 private:
  struct SeenProposal {
    Propose message;
    Hash32 id;
    bool justified = false;
  };
  struct View {
    std::vector<SeenProposal> proposals;
    std::map<std::pair<std::uint32_t, Hash32>, std::map<Validator, VoteBlock>> votes;
    std::map<std::pair<std::uint32_t, Hash32>, VoteCert> certs;
    std::map<std::uint32_t, std::map<Validator, RoundChange>> changes;
    std::vector<Bytes> raw;
  };
  using Targets = std::vector<std::size_t>;

  void play_both_sides(View& view, std::uint64_t height, int side, const Targets& to, std::uint32_t round);
  void propose(View& view, std::uint64_t height, std::uint32_t round, const Puppet& puppet, const Targets& to);
  void propose_on_side(View& view, std::uint64_t height, std::uint32_t round, const Puppet& puppet, int side,
                       const Targets& to);
  void vote(const SeenProposal& proposal, const Puppet& puppet, const Targets& to);
  void commit(const VoteCert& cert, const Puppet& puppet, const Targets& to);
  void change(std::uint64_t height, std::uint32_t round, const VoteCert* lock, const Puppet& puppet, const Targets& to);
  void assemble(View& view, const Puppet& puppet, const Targets& to);
  [[nodiscard]] RoundChange make_change(std::uint64_t height, std::uint32_t round, const VoteCert* lock,
                                        const Puppet& puppet);
  [[nodiscard]] const VoteCert* any_cert(const View& view, std::uint32_t below);
  void offer(std::uint64_t height, std::uint32_t round, const Puppet& puppet, Justification j,
             const Application::Built& block, const Targets& to);
  void send(const Puppet& puppet, const Message& message, const Targets& to);
  template <class S>
  void sign(S& m, const Puppet& puppet) {
    m.signature = puppet.signatures->sign(statement_bytes(around_.rules.domain, m));
  }

  Surroundings& around_;
  std::vector<Puppet> puppets_;
  std::vector<std::size_t> honest_;
  std::array<std::vector<std::size_t>, 2> halves_;
  runtime::sim::SeededRandom random_;
  std::map<std::uint64_t, View> views_;
};

}  // namespace bonus::chain::consensus::sim
