// How a run of `bonus-sim dht` is told: one JSON object, or text.
#include <fmt/format.h>

#include "bonus/net/kad/sim/dht_run.hpp"

namespace bonus::net::kad::sim {

namespace {

double share(std::size_t part, std::size_t all) {
  return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

std::string_view name(Policy policy) { return policy == Policy::kNear ? "near" : "random"; }

}  // namespace

std::string to_json(const DhtSetup& setup, const DhtReport& r) {
  std::string rounds;
  for (const auto& q : r.rounds)
    rounds += fmt::format(R"({}{{"near_ms":{:.2f},"best_ms":{:.2f},"ratio":{:.3f}}})", rounds.empty() ? "" : ",",
                          q.near_ms, q.best_ms, q.ratio());
  return fmt::format(
      R"({{"nodes":{},"seed":{},"policy":"{}","churn":{},"sybils":{},"prefixes":{},"caps":{},"values":{},"loss":{},)"
      R"("lookups":{},"success":{:.5f},"hops":{:.3f},"requests":{:.2f},"p50_ms":{:.1f},"p90_ms":{:.1f},"p99_ms":{:.1f},)"
      R"("record_hops":{:.3f},"record_p50_ms":{:.1f},"record_p90_ms":{:.1f},"record_p99_ms":{:.1f},)"
      R"("direct_median_ms":{:.1f},"near_slots":[{}],"table_bytes":{:.0f},"unshared_identity_bytes":{:.0f},)"
      R"("record_bytes":{:.0f},"contacts":{:.1f},"records":{:.1f},"lookup_traffic_bytes":{:.0f},)"
      R"("refresh_traffic_bytes":{:.0f},"publish_traffic_bytes":{:.0f},"upkeep_bytes_per_second":{:.1f},)"
      R"("sessions_ended":{},"virtual_seconds":{:.0f}}})",
      setup.nodes, setup.seed, name(setup.policy), setup.churn, setup.sybils, setup.sybils > 0 ? setup.prefixes : 0,
      setup.caps, setup.values, setup.loss, r.lookups, share(r.found, r.lookups), r.hops, r.requests, r.p50_ms,
      r.p90_ms, r.p99_ms, r.record_hops, r.record_p50_ms, r.record_p90_ms, r.record_p99_ms, r.direct_ms, rounds,
      r.table_bytes, r.identity_bytes, r.record_bytes, r.contacts, r.records, r.lookup_bytes, r.refresh_bytes,
      r.publish_bytes, r.upkeep_bytes_per_second, r.sessions_ended, r.virtual_seconds);
}

std::string to_text(const DhtSetup& setup, const DhtReport& r) {
  auto out = fmt::format("{} nodes, {} neighbours, seed {}: {} lookups, {:.3f}% found\n", setup.nodes,
                         name(setup.policy), setup.seed, r.lookups, 100 * share(r.found, r.lookups));
  if (setup.sybils > 0)
    out += fmt::format("each target with {} Sybils in {} prefixes, caps {}\n", setup.sybils, setup.prefixes,
                       setup.caps ? "on" : "off");
  if (setup.churn)
    out += fmt::format("{} sessions ended; a node sends {:.0f} bytes/s\n", r.sessions_ended, r.upkeep_bytes_per_second);
  out += fmt::format("until it is named: hops {:.2f}, time p50 {:.0f} p90 {:.0f} p99 {:.0f} ms; requests {:.1f}\n",
                     r.hops, r.p50_ms, r.p90_ms, r.p99_ms, r.requests);
  out += fmt::format(
      "until its record is here: hops {:.2f}, time p50 {:.0f} p90 {:.0f} p99 {:.0f} ms (a direct round trip: {:.0f})\n",
      r.record_hops, r.record_p50_ms, r.record_p90_ms, r.record_p99_ms, r.direct_ms);
  for (std::size_t i = 0; i < r.rounds.size(); ++i)
    out += fmt::format("near slots after {} refresh rounds: {:.1f} ms, the best there are {:.1f} ms, ratio {:.2f}\n", i,
                       r.rounds[i].near_ms, r.rounds[i].best_ms, r.rounds[i].ratio());
  out += fmt::format(
      "memory of a node: {:.0f} bytes for {:.0f} contacts (identities shared; alone {:.0f} more), records {:.0f} "
      "bytes\n",
      r.table_bytes, r.contacts, r.identity_bytes, r.record_bytes);
  out += fmt::format("traffic: a lookup {:.0f}, a refresh round of a node {:.0f}, publishing {:.0f} bytes\n",
                     r.lookup_bytes, r.refresh_bytes, r.publish_bytes);
  return out;
}

}  // namespace bonus::net::kad::sim
