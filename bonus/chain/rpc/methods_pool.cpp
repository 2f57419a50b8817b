// txpool_*: what waits in the mempool, in geth's shapes.
#include <fmt/format.h>

#include <array>
#include <boost/json/object.hpp>

#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/methods.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

constexpr std::size_t kLeastTextBytes = 400;  ///< Of one transaction in txpool_content; only for a first bound.

JsonReply status(const Context& context, const Params& params) {
  TRY(params.at_most(0));
  const auto stats = context.mempool.stats();
  json::object out;
  out["pending"] = quantity(static_cast<std::uint64_t>(stats.pending));
  out["queued"] = quantity(static_cast<std::uint64_t>(stats.queued));
  return out;
}

using Shown = json::value (*)(const Context& context, const SenderTransaction& item);

json::value show_whole(const Context& context, const SenderTransaction& item) {
  return encode_transaction(item, context.chain_id(), nullptr);
}

json::value show_line(const Context&, const SenderTransaction& item) {
  const auto& tx = item.tx;
  return json::value(fmt::format("{}: {} wei + {} gas × {} wei",
                                 tx.to ? crypto::to_checksum(*tx.to) : std::string("contract creation"),
                                 tx.value.to_decimal(), tx.gas_limit, tx.max_fee.to_decimal()));
}

/// By nonce. Stops when the answer gets too long.
class Writer {
 public:
  Writer(const Context& context, Shown shown) : context_(context), shown_(shown) {}
  [[nodiscard]] Reply<json::object> by_nonce(const std::vector<TransactionPtr>& list) {
    json::object out;
    for (const auto& item : list) {
      TRY(context_.in_time());
      bytes_ += kLeastTextBytes + 2 * item->tx.data.size();
      if (bytes_ > context_.options.max_response_bytes) return failure(kResponseTooLarge, "response too large");
      out[std::to_string(item->tx.nonce)] = shown_(context_, *item);
    }
    return out;
  }

 private:
  const Context& context_;
  const Shown shown_;
  std::size_t bytes_ = 0;
};

JsonReply everything(const Context& context, const Params& params, Shown shown) {
  TRY(params.at_most(0));
  const std::size_t most = context.options.max_response_bytes / kLeastTextBytes + 1;
  Writer writer(context, shown);
  json::object pending, queued;
  for (const auto& account : context.mempool.content(most)) {
    const std::string name = crypto::to_checksum(account.sender);
    if (!account.pending.empty()) {
      TRY_ASSIGN(pending[name], writer.by_nonce(account.pending));
    }
    if (!account.queued.empty()) {
      TRY_ASSIGN(queued[name], writer.by_nonce(account.queued));
    }
  }
  json::object out;
  out["pending"] = std::move(pending);
  out["queued"] = std::move(queued);
  return out;
}

JsonReply content(const Context& context, const Params& params) { return everything(context, params, &show_whole); }
JsonReply inspect(const Context& context, const Params& params) { return everything(context, params, &show_line); }

JsonReply content_from(const Context& context, const Params& params) {
  TRY(params.at_most(1));
  TRY_ASSIGN(const auto address, params.address(0));
  const auto account = context.mempool.content_of(address);
  Writer writer(context, &show_whole);
  json::object out;
  TRY_ASSIGN(out["pending"], writer.by_nonce(account.pending));
  TRY_ASSIGN(out["queued"], writer.by_nonce(account.queued));
  return out;
}

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"txpool_status", status},
    {"txpool_content", content},
    {"txpool_contentFrom", content_from},
    {"txpool_inspect", inspect},
});

}  // namespace

std::span<const NamedMethod> pool_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
