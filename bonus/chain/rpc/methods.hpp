// The table of methods. Internal to this folder.
#pragma once

#include <string_view>

#include "bonus/chain/rpc/params.hpp"
#include "bonus/chain/rpc/rpc.hpp"
#include "bonus/chain/rpc/subscriber.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::chain::evm {
class ProgramCache;
}

namespace bonus::chain::rpc {

class FilterSet;

/// The moment at which a request is given up. Without a clock: never.
struct Deadline {
  const runtime::Clock* clock = nullptr;
  Instant at{};
  [[nodiscard]] bool passed() const { return clock != nullptr && clock->now() >= at; }
};

/// What a method works on.
struct Context {
  const LedgerReader& ledger;
  Mempool& mempool;
  const RpcOptions& options;
  Deadline deadline{};                    ///< Work that takes long asks in_time() now and then.
  FilterSet* filters = nullptr;           ///< Null: this service keeps no filters.
  Subscriber* subscriber = nullptr;       ///< The WebSocket connection that asks; null over HTTP.
  evm::ProgramCache* programs = nullptr;  ///< Programs of contracts that were called; null: none are kept.

  /// -32002 "request timed out" when the deadline has passed.
  [[nodiscard]] Reply<std::monostate> in_time() const;

  /// The number of a block that exists: tags all mean the head but "earliest". -32000 "header not found" otherwise.
  [[nodiscard]] Reply<std::uint64_t> number_of(const BlockId& id) const;
  /// Null when there is no such block.
  [[nodiscard]] Reply<std::shared_ptr<const StoredBlock>> find_block(const BlockId& id) const;
  [[nodiscard]] std::uint64_t chain_id() const { return ledger.genesis().chain_id; }
};
using Method = JsonReply (*)(const Context& context, const Params& params);

/// Null when the method does not exist.
[[nodiscard]] Method find_method(std::string_view name);

// By topic; each file lists its methods.
struct NamedMethod {
  std::string_view name;
  Method method;
};
[[nodiscard]] std::span<const NamedMethod> block_methods();
[[nodiscard]] std::span<const NamedMethod> config_methods();
[[nodiscard]] std::span<const NamedMethod> filter_methods();
[[nodiscard]] std::span<const NamedMethod> pool_methods();
[[nodiscard]] std::span<const NamedMethod> raw_methods();
[[nodiscard]] std::span<const NamedMethod> subscription_methods();
[[nodiscard]] std::span<const NamedMethod> state_methods();
[[nodiscard]] std::span<const NamedMethod> call_methods();
[[nodiscard]] std::span<const NamedMethod> estimate_methods();
[[nodiscard]] std::span<const NamedMethod> proof_methods();
[[nodiscard]] std::span<const NamedMethod> access_list_methods();
[[nodiscard]] std::span<const NamedMethod> simulate_methods();
[[nodiscard]] std::span<const NamedMethod> trace_methods();
[[nodiscard]] std::span<const NamedMethod> fee_methods();

}  // namespace bonus::chain::rpc
