// One run of `bonus-sim dht`: a network of production cores, refreshed, measured, churned or attacked.
#pragma once

#include <string>
#include <vector>

#include "bonus/net/kad/types.hpp"

namespace bonus::net::kad::sim {

struct DhtSetup {
  std::size_t nodes = 10'000;
  std::uint64_t seed = 1;
  Policy policy = Policy::kNear;
  std::size_t lookups = 4'000;
  std::size_t rounds = 3;           ///< Refresh rounds before the lookups.
  std::size_t warm = 64;            ///< Candidates per bucket of the warm start.
  std::size_t publishers = 20'000;  ///< Nodes with a record in the DHT; 0: all.
  bool churn = false;               ///< Sessions of 30 minutes (exponential), new nodes take the places.
  double hours = 1;                 ///< Of churn.
  std::size_t sybils = 0;           ///< Around each of `targets` records.
  std::size_t prefixes = 4;         ///< /24s that a target's Sybils have.
  std::size_t targets = 100;
  bool values = false;  ///< Signed values instead of node records: no node stands where they live.
  bool caps = true;     ///< Per prefix, in tables, replies and lookups.
  double loss = 0;
};

struct Quality {
  double near_ms = 0, best_ms = 0;  ///< Mean RTT of near slots, and of the eight nearest nodes there are.
  [[nodiscard]] double ratio() const { return best_ms > 0 ? near_ms / best_ms : 0; }
};

struct DhtReport {
  std::size_t lookups = 0, found = 0;
  double hops = 0, requests = 0;              ///< Until the node was named (as the reference model counts).
  double p50_ms = 0, p90_ms = 0, p99_ms = 0;  ///< The same.
  double record_hops = 0, record_p50_ms = 0, record_p90_ms = 0, record_p99_ms = 0;  ///< Until its record was here.
  std::vector<Quality> rounds;  ///< Before the first refresh, and after each.
  double table_bytes = 0;       ///< Mean over nodes: routing state, identities shared as in this process.
  double identity_bytes = 0;    ///< What a node would add that does not share identities.
  double record_bytes = 0;      ///< Records held for others (they are 80 bytes here).
  double contacts = 0, records = 0;
  double lookup_bytes = 0;             ///< Of both directions, for each lookup.
  double refresh_bytes = 0;            ///< Each node, each round.
  double publish_bytes = 0;            ///< Each publisher, once.
  double upkeep_bytes_per_second = 0;  ///< Each node, with churn: everything it sends.
  std::size_t sessions_ended = 0;
  double direct_ms = 0;  ///< Median RTT between two nodes of the world.
  double virtual_seconds = 0;
};

/// Deterministic in its arguments.
[[nodiscard]] DhtReport simulate(const DhtSetup& setup);
[[nodiscard]] std::string to_json(const DhtSetup& setup, const DhtReport& report);
[[nodiscard]] std::string to_text(const DhtSetup& setup, const DhtReport& report);

}  // namespace bonus::net::kad::sim
