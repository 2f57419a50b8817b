// One search towards a position over one or several disjoint paths: whom to ask next and when it is over. Pure: no
// network, no clock.
#pragma once

#include <optional>
#include <vector>

#include "bonus/net/kad/messages.hpp"

namespace bonus::net::kad {

struct Candidate {
  enum class State : std::uint8_t { kNew, kAsked, kSlow, kAnswered, kFailed, kSkipped };
  Told told;
  float rtt_ms = 0;  ///< Estimated or measured.
  std::uint16_t depth = 1;
  State state = State::kNew;
  std::uint8_t tries = 0;
  std::uint64_t token = 0;
};

class Search {
 public:
  struct Rules {
    std::size_t paths = 1;
    std::size_t alpha = 3;             ///< Under way at once on a single path; disjoint paths ask one by one.
    std::size_t enough = kBucketSize;  ///< Closest that must have answered on each path before it ends.
    std::size_t per_prefix = 2;        ///< Asked of one /24 or /48.
    std::size_t requests = 96;         ///< On each path.
    double nodes = 1;                  ///< Estimate of the network's size: where the early phase ends.
    bool by_rtt = true;                ///< Early phase by RTT; false: strict XOR always (ablation).
  };
  Search(Position target, const Rules& rules);

  /// Deals our own contacts, closest first, to the paths in turn.
  void start(std::vector<Candidate> own);
  struct Pick {
    std::size_t path = 0;
    Told told;
    std::uint16_t depth = 1;
  };
  /// The next request, which is then under way; nothing: wait for answers, or finished.
  [[nodiscard]] std::optional<Pick> next();
  /// A request that cannot be sent now is put back.
  void put_back(std::size_t path, const crypto::X25519Public& key);
  /// `contacts`: what it told, with estimated RTTs. False: it is not one that was asked on this path.
  bool answered(std::size_t path, const crypto::X25519Public& key, std::uint64_t token, float rtt_ms,
                const std::vector<Candidate>& contacts);
  /// No answer yet: its place is free, the answer may still come.
  void slow(std::size_t path, const crypto::X25519Public& key);
  void failed(std::size_t path, const crypto::X25519Public& key);
  /// A path that has found what it looked for asks nobody else.
  void end_path(std::size_t path) { paths_[path].over = true; }
  /// Goes on until so many of the closest have answered.
  void want(std::size_t enough) { rules_.enough = enough; }
  [[nodiscard]] bool finished() const;
  /// Those that answered on any path, closest first.
  [[nodiscard]] std::vector<Candidate> closest(std::size_t count) const;
  [[nodiscard]] unsigned requests() const { return requests_; }
  [[nodiscard]] Position target() const { return target_; }
  [[nodiscard]] std::size_t paths() const { return paths_.size(); }

 private:
  struct Path {
    std::vector<Candidate> list;  // ascending distance
    std::size_t under_way = 0, asked = 0;
    bool over = false;
  };
  void add(Path& path, const Candidate& candidate);
  [[nodiscard]] Candidate* find(Path& path, const crypto::X25519Public& key) const;
  [[nodiscard]] Candidate* pick(Path& path);
  [[nodiscard]] bool wants_more(const Path& path) const;
  [[nodiscard]] bool usable(const Candidate& candidate) const;

  Position target_;
  Rules rules_;
  std::vector<Path> paths_;
  std::vector<crypto::X25519Public> asked_;  // over all paths: disjoint
  std::vector<std::uint64_t> prefixes_;      // of those asked
  unsigned requests_ = 0;
};

}  // namespace bonus::net::kad
