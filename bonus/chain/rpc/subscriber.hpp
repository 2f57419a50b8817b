// What eth_subscribe asks of the connection that it came over. Internal to this folder.
#pragma once

#include <string>
#include <string_view>

#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/rpc/failure.hpp"

namespace bonus::chain::rpc {

enum class Topic : std::uint8_t { kNewHeads, kLogs, kPendingHashes, kPendingTransactions, kSyncing };

struct SubscriptionRequest {
  Topic topic = Topic::kNewHeads;
  LogFilter logs{};  ///< Addresses and topics of kLogs; its range and limit mean nothing here.
};

/// Used by one thread, for the calls of one message.
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  /// The id that notifications carry. Events from the ledger's head on; the first is sent behind the answer.
  [[nodiscard]] virtual Reply<std::string> subscribe(SubscriptionRequest request) = 0;
  /// False when this connection has no such subscription.
  [[nodiscard]] virtual bool unsubscribe(std::string_view id) = 0;
};

}  // namespace bonus::chain::rpc
