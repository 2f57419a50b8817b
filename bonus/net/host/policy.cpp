// Applying the rules and reading their counters.
#include "bonus/net/host/policy.hpp"

#include <charconv>
#include <string_view>

#include "bonus/base/log.hpp"

namespace bonus::net::host {
namespace {

// The figures of `nft list counters`: "counter name { packets N bytes M }" over several lines.
std::uint64_t packets_of(std::string_view text, std::string_view name) {
  std::size_t at = text.find(std::string("counter ") + std::string(name) + " {");
  if (at == std::string_view::npos) return 0;
  at = text.find("packets ", at);
  if (at == std::string_view::npos) return 0;
  std::uint64_t out = 0;
  std::from_chars(text.data() + at + 8, text.data() + text.size(), out);
  return out;
}

PolicyCounters operator+(const PolicyCounters& a, const PolicyCounters& b) {
  return PolicyCounters{.input_denied = a.input_denied + b.input_denied,
                        .forward_denied = a.forward_denied + b.forward_denied,
                        .spoofed = a.spoofed + b.spoofed,
                        .container_to_node = a.container_to_node + b.container_to_node,
                        .egress_denied = a.egress_denied + b.egress_denied};
}

Result<PolicyCounters> read_counters(Nft& nft) {
  TRY_ASSIGN(const std::string text, nft.run("list counters table inet bonus"));
  return PolicyCounters{.input_denied = packets_of(text, "input_denied"),
                        .forward_denied = packets_of(text, "forward_denied"),
                        .spoofed = packets_of(text, "spoofed"),
                        .container_to_node = packets_of(text, "container_to_node"),
                        .egress_denied = packets_of(text, "egress_denied")};
}

}  // namespace

Result<Policy> Policy::open() {
  TRY_ASSIGN(auto nft, Nft::open());
  return Policy(std::move(nft));
}

Result<> Policy::apply(const PolicyState& state) {
  PolicyState wanted = state;
  wanted.bound_connections = state.bound_connections && can_count_;
  TRY_ASSIGN(std::string rules, policy_rules(wanted));
  if (rules == applied_) return {};
  PolicyCounters counted = before_;
  if (!applied_.empty()) counted = TRY(counters());
  if (auto done = nft_.run(rules); !done) {
    if (!wanted.bound_connections) return fail(std::move(done).error());
    wanted.bound_connections = false;
    TRY_ASSIGN(rules, policy_rules(wanted));
    if (!nft_.run(rules)) return fail(std::move(done).error());  // it was something else
    can_count_ = false;
    log::warn("net", "connections_not_bounded", {{"reason", done.error().message}});
  }
  // The new table counts from zero; what was dropped between the two calls is not counted.
  before_ = counted;
  applied_ = std::move(rules);
  return {};
}

Result<PolicyCounters> Policy::counters() {
  if (applied_.empty()) return before_;
  const auto now = read_counters(nft_);
  // Somebody flushed the ruleset: its figures are lost, and apply() must not wait for them.
  if (!now && now.error().code == ErrorCode::kNotFound) return before_;
  if (!now) return fail(now.error());
  return before_ + *now;
}

}  // namespace bonus::net::host
