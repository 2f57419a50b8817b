// Calls, gas estimates and sending.
#include <fmt/format.h>

#include <array>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/methods.hpp"
#include "bonus/codec/abi.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

/// Added with half of the estimate to calls of system contracts: by the block that mines the call the market may have
/// settled or matched something, and a first write to a slot costs more than a later one. What is not used is not paid.
constexpr std::uint64_t kSystemGasMargin = 50'000;

/// 0x...b001 to 0x...b0ff, the range of market.md.
bool is_system(const Address& address) {
  const auto head = std::span(address.bytes).first<18>();
  return address.bytes[18] == 0xb0 && address.bytes[19] != 0 &&
         std::ranges::all_of(head, [](std::uint8_t byte) { return byte == 0; });
}

constexpr std::string_view kOutOfGas = "out of gas";

/// geth: code 3 with the revert data, the reason in the text when it is an Error(string).
std::unexpected<Failure> reverted(BytesView output) {
  const auto reason = abi::decode_revert(output);
  if (reason == kOutOfGas) return failure(kServerError, std::string(kOutOfGas));
  return std::unexpected(
      Failure{kReverted, reason.empty() ? "execution reverted" : "execution reverted: " + reason, to_hex0x(output)});
}

/// State overrides would need a writable view of the state; an empty object asks for none.
Reply<std::monostate> refuse_overrides(const Params& params, std::size_t first) {
  for (const std::size_t index : {first, first + 1}) {
    const auto* value = params.optional(index);
    if (value == nullptr) continue;
    if (const auto* object = value->if_object(); object == nullptr || !object->empty())
      return Params::invalid(index, "state and block overrides are not supported");
  }
  return std::monostate();
}

JsonReply call(const Context& context, const Params& params) {
  TRY(params.at_most(4));
  TRY_ASSIGN(const auto arguments, read_call(params, 0, context.options.max_call_gas));
  TRY_ASSIGN(const auto id, params.block_or_latest(1));
  TRY(refuse_overrides(params, 2));
  TRY_ASSIGN(const auto number, context.number_of(id));
  const auto reply = context.ledger.call(arguments.request, number);
  if (!reply) return failure(kServerError, reply.error().message);
  if (!reply->success) return reverted(reply->output);
  return json::value(to_hex0x(reply->output));
}

/// The smallest gas limit with which a transaction like `request` is valid at all.
std::uint64_t lower_bound(const CallRequest& request) {
  Transaction tx;
  tx.to = request.to;
  tx.data = request.data;
  tx.value = request.value;
  return minimum_gas(tx);
}

std::uint64_t access_list_gas(const std::vector<Transaction::AccessEntry>& entries) {
  std::uint64_t out = 0;
  for (const auto& entry : entries) out += kAccessAddressGas + kAccessKeyGas * entry.keys.size();
  return out;
}

/// What the sender can pay for, when a price is given.
Reply<std::uint64_t> affordable_gas(const Context& context, const CallArguments& arguments, std::uint64_t number,
                                    std::uint64_t limit) {
  const auto& request = arguments.request;
  if (!arguments.fee_cap && request.value.is_zero()) return limit;
  const auto account = context.ledger.account(request.from, number);
  if (!account) return failure(account.error());
  if (account->balance < request.value) return failure(kServerError, "insufficient funds for transfer");
  if (!arguments.fee_cap) return limit;
  return std::min(limit, ((account->balance - request.value) / *arguments.fee_cap).clamp_u64());
}

JsonReply estimate_gas(const Context& context, const Params& params) {
  TRY(params.at_most(4));
  TRY_ASSIGN(auto arguments, read_call(params, 0, context.options.max_call_gas));
  TRY_ASSIGN(const auto id, params.block_or_latest(1));
  TRY(refuse_overrides(params, 2));
  TRY_ASSIGN(const auto number, context.number_of(id));
  auto& request = arguments.request;
  // Runs of the ledger know no access list: its price is kept aside and added in the end.
  const std::uint64_t access_gas = access_list_gas(arguments.access_list);
  std::uint64_t limit = std::min(request.gas, context.ledger.head().gas_limit);
  TRY_ASSIGN(limit, affordable_gas(context, arguments, number, limit));
  const std::uint64_t allowance = limit;
  const std::uint64_t least = lower_bound(request);
  const auto too_little = [&] {
    return failure(kServerError, fmt::format("gas required exceeds allowance ({})", allowance));
  };
  if (limit < least + access_gas) return too_little();
  limit -= access_gas;

  request.gas = limit;
  const auto whole = context.ledger.call(request, number);
  if (!whole) return failure(kServerError, whole.error().message);
  if (!whole->success)
    return abi::decode_revert(whole->output) == kOutOfGas ? JsonReply(too_little())
                                                          : JsonReply(reverted(whole->output));

  // What it used is nearly always enough; a contract may look at what is left, so that is tried and not assumed.
  std::uint64_t works = limit;
  std::uint64_t fails = least - 1;
  std::uint64_t attempt = std::clamp(whole->gas_used, least, limit);
  for (int step = 0; step < 64 && fails + 1 < works; ++step) {
    request.gas = attempt;
    const auto tried = context.ledger.call(request, number);
    if (tried && tried->success)
      works = attempt;
    else
      fails = attempt;
    if (step == 0 && works == attempt) break;
    attempt = fails + (works - fails) / 2;
  }
  if (request.to && is_system(*request.to)) works = std::min(limit, works + works / 2 + kSystemGasMargin);
  return json::value(quantity(works + access_gas));
}

JsonReply send_raw(const Context& context, const Params& params) {
  TRY(params.at_most(1));
  TRY_ASSIGN(const auto raw, params.data(0));
  if (raw.size() > kMaxTransactionBytes)
    return failure(kServerError,
                   fmt::format("oversized data: transaction size {}, limit {}", raw.size(), kMaxTransactionBytes));
  auto tx = Transaction::decode(raw);
  if (!tx) return failure(kServerError, tx.error().message);
  auto item = recover(*std::move(tx));
  if (!item) return failure(kServerError, "invalid sender: " + item.error().message);
  if (auto added = context.mempool.add(*item); !added) return failure(kServerError, added.error().message);
  return json::value(to_hex0x((*item)->hash));
}

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"eth_call", call},
    {"eth_estimateGas", estimate_gas},
    {"eth_sendRawTransaction", send_raw},
});

}  // namespace

std::span<const NamedMethod> call_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
