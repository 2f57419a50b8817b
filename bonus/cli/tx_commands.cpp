// `bonus tx show`: a transaction, with calls and events of the system contracts in words.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "bonus/base/parse.hpp"
#include "bonus/cli/app.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/cli/tx_decode.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;

Result<int> show(Session& session, const std::string& text) {
  auto hash = fixed_from_hex<Hash32>(text);
  if (!hash)
    return fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" is not a transaction hash: 0x and 64 digits", printable(text)));
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  TRY_ASSIGN(const auto tx, rpc->request("eth_getTransactionByHash", fmt::format(R"(["{}"])", to_hex0x(*hash))));
  if (tx.is_null()) return fail(ErrorCode::kNotFound, fmt::format("the chain has no transaction {}", to_hex0x(*hash)));
  TRY_ASSIGN(const auto receipt, rpc->receipt(*hash));
  const std::string to_text = json_text(tx, "to");
  const auto to = fixed_from_hex<Address>(to_text);
  const auto input = from_hex(json_text(tx, "input"));
  const auto value = uint256::parse(json_text(tx, "value"));
  const auto from = fixed_from_hex<Address>(json_text(tx, "from"));
  std::optional<DecodedCall> call;
  if (to && input) call = decode_call(*to, *input);
  std::vector<DecodedEvent> events;
  if (receipt)
    for (const auto& log : receipt->logs)
      if (auto event = decode_event(log)) events.push_back(std::move(*event));
  Console& console = session.console();
  if (console.json()) {
    json::object out{{"transaction", tx}, {"state", !receipt ? "pending" : receipt->success ? "success" : "failed"}};
    if (receipt) {
      out["block"] = receipt->block;
      out["gas_used"] = receipt->gas_used;
      out["fee"] = (receipt->gas_price * uint256(receipt->gas_used)).to_decimal();
    }
    if (call)
      out["call"] =
          json::object{{"contract", call->contract}, {"function", call->name}, {"arguments", call->arguments}};
    json::array list;
    for (auto& event : events)
      list.push_back(
          json::object{{"contract", event.contract}, {"event", event.name}, {"parameters", event.parameters}});
    out["events"] = std::move(list);
    console.print(pretty(out));
    return kExitOk;
  }
  const auto line = [&](std::string_view label, const std::string& what) {
    if (!what.empty()) console.print(fmt::format("  {:<9}{}", label, what));
  };
  console.print(fmt::format("transaction {}", to_hex0x(*hash)));
  line("state", !receipt           ? "waits for a block"
                : receipt->success ? fmt::format("in block {}", receipt->block)
                                   : fmt::format("failed in block {}", receipt->block));
  if (from) line("from", crypto::to_checksum(*from));
  line("to", to ? crypto::to_checksum(*to) + (call ? fmt::format("  ({})", call->contract) : "") : "new contract");
  if (value) line("value", format_bnc(*value) + " BNC");
  if (receipt)
    line("fee", fmt::format("{} BNC ({} gas)", format_bnc(receipt->gas_price * uint256(receipt->gas_used)),
                            receipt->gas_used));
  if (call) {
    line("call", call->text);
  } else if (input && !input->empty()) {
    line("data", fmt::format("{} bytes, {}...", input->size(),
                             to_hex0x(BytesView(*input).first(std::min<std::size_t>(4, input->size())))));
  }
  for (const auto& event : events) line("event", event.text);
  return kExitOk;
}

}  // namespace

void add_tx_commands(App& app) {
  Session& session = app.session();
  CLI::App* group = app.group(app.root(), "tx", "Transactions");
  const auto hash = std::make_shared<std::string>();
  CLI::App* leaf =
      app.leaf(*group, "show", "What a transaction does and did", [&session, hash] { return show(session, *hash); });
  leaf->add_option("hash", *hash, "0x...")->required();
}

}  // namespace bonus::cli
