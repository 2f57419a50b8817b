// eth_subscribe and eth_unsubscribe; notifications as geth sends them ("eth_subscription").
#include <fmt/format.h>

#include <array>
#include <boost/json/serialize.hpp>

#include "bonus/chain/rpc/methods.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

Reply<SubscriptionRequest> read_request(const Params& params) {
  const auto* first = params.optional(0);
  if (first == nullptr || !first->is_string())
    return failure(kInvalidParams, "expected subscription name as first argument");
  const std::string_view name(first->get_string().data(), first->get_string().size());
  SubscriptionRequest out;
  if (name == "newHeads") {
    out.topic = Topic::kNewHeads;
    TRY(params.at_most(1));
  } else if (name == "logs") {
    out.topic = Topic::kLogs;
    TRY(params.at_most(2));
    if (params.optional(1) == nullptr) return out;  // every log
    TRY_ASSIGN(auto query, read_log_query(params, 1));
    out.logs = std::move(query.filter);
  } else if (name == "newPendingTransactions") {
    TRY(params.at_most(2));
    TRY_ASSIGN(const bool full, params.boolean_or_false(1));
    out.topic = full ? Topic::kPendingTransactions : Topic::kPendingHashes;
  } else if (name == "syncing") {
    out.topic = Topic::kSyncing;
    TRY(params.at_most(1));
  } else {
    return failure(kMethodNotFound, fmt::format("no {} subscription in eth namespace", json::serialize(*first)));
  }
  return out;
}

JsonReply subscribe(const Context& context, const Params& params) {
  if (context.subscriber == nullptr) return failure(kMethodNotFound, "notifications not supported");
  TRY_ASSIGN(auto request, read_request(params));
  TRY_ASSIGN(const auto id, context.subscriber->subscribe(std::move(request)));
  return json::value(id);
}

JsonReply unsubscribe(const Context& context, const Params& params) {
  if (context.subscriber == nullptr) return failure(kMethodNotFound, "notifications not supported");
  TRY(params.at_most(1));
  TRY_ASSIGN(const auto* id, params.required(0));
  if (!id->is_string()) return Params::invalid(0, "expected a subscription id");
  if (!context.subscriber->unsubscribe({id->get_string().data(), id->get_string().size()}))
    return failure(kServerError, "subscription not found");
  return true;
}

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"eth_subscribe", subscribe},
    {"eth_unsubscribe", unsubscribe},
});

}  // namespace

std::span<const NamedMethod> subscription_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
