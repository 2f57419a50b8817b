// Reading and running block tests.
#include "bonus/chain/eth/blocktest.hpp"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "bonus/chain/eth/json.hpp"
#include "bonus/chain/eth/memory_chain.hpp"

namespace bonus::chain::eth {
namespace {

namespace json = boost::json;

Result<> read_config(const Fields& fields, BlockTest& out) {
  std::uint64_t chain_id = 1;
  const json::object* config = nullptr;
  if (const auto* value = fields.find("config")) {
    TRY_ASSIGN(config, as_object(*value, "config"));
    TRY(Fields(*config).read(chain_id, "chainid"));
  }
  auto known = ChainConfig::of_network(out.network, chain_id);
  out.known_network = known.has_value();
  if (!known) return {};
  out.config = *std::move(known);
  if (config == nullptr) return {};
  if (const auto* schedule = Fields(*config).find("blobSchedule")) {
    TRY_ASSIGN(const auto* entries, as_object(*schedule, "blobSchedule"));
    TRY(read_blob_schedule(*entries, out.config));
  }
  return {};
}

std::string text_of(const json::value& value) {
  const auto* text = value.if_string();
  return text != nullptr ? std::string(*text) : json::serialize(value);
}

Result<BlockTest::Item> read_block(const json::object& object) {
  BlockTest::Item out;
  TRY(Fields(object).read(out.rlp, "rlp"));
  // A block whose header the file does not show is one that must be refused.
  out.invalid = object.if_contains("blockHeader") == nullptr;
  for (const auto& [key, value] : object) {
    if (!std::string_view(key).starts_with("expectException")) continue;
    out.invalid = true;
    out.expected = text_of(value);
  }
  return out;
}

Result<BlockTest::Item> read_payload(const json::object& object, const ChainConfig& config) {
  BlockTest::Item out;
  const Fields fields(object);
  for (const auto* key : {"validationError", "errorCode"}) {
    if (const auto* value = fields.find(key)) {
      out.invalid = true;
      out.expected = text_of(*value);
    }
  }
  std::uint64_t version = 1;
  TRY(fields.read(version, {"newPayloadVersion", "version"}));
  const auto* params = fields.find("params");
  if (params == nullptr) return fail(ErrorCode::kInvalid, "params are missing");
  TRY_ASSIGN(const auto* list, as_array(*params, "params"));
  auto block = block_of_payload(*list, version, config);
  if (block) {
    out.rlp = *std::move(block);
  } else {
    out.unbuildable = block.error().message;
  }
  return out;
}

Result<> read_blocks(const Fields& fields, BlockTest& out) {
  const auto read_all = [&](const json::value& value, const char* name, const auto& read_one) -> Result<> {
    TRY_ASSIGN(const auto* items, as_array(value, name));
    for (const auto& item : *items) {
      TRY_ASSIGN(const auto* object, as_object(item, name));
      auto one = read_one(*object);
      if (!one) return fail(std::move(one).error().wrap(fmt::format("{} {}", name, out.blocks.size())));
      out.blocks.push_back(*std::move(one));
    }
    return {};
  };
  if (const auto* blocks = fields.find("blocks")) return read_all(*blocks, "blocks", read_block);
  if (const auto* payloads = fields.find("engineNewPayloads")) {
    return read_all(*payloads, "engineNewPayloads",
                    [&](const json::object& object) { return read_payload(object, out.config); });
  }
  return fail(ErrorCode::kInvalid, "no blocks");
}

Result<BlockTest> read_test(std::string name, const json::object& object) {
  BlockTest out;
  out.name = std::move(name);
  const Fields fields(object);
  const auto* network = fields.find("network");
  if (network == nullptr || !network->is_string()) return fail(ErrorCode::kInvalid, "network is missing");
  out.network = network->get_string();
  TRY(read_config(fields, out));
  if (!out.known_network) return out;
  const auto* genesis = fields.find("genesisBlockHeader");
  if (genesis == nullptr) return fail(ErrorCode::kInvalid, "genesisBlockHeader is missing");
  TRY_ASSIGN(const auto* header, as_object(*genesis, "genesisBlockHeader"));
  TRY_ASSIGN(out.genesis, read_test_header(*header));
  TRY(Fields(*header).read(out.genesis_hash, "hash"));
  const auto* pre = fields.find("pre");
  if (pre == nullptr) return fail(ErrorCode::kInvalid, "pre is missing");
  TRY_ASSIGN(const auto* accounts, as_object(*pre, "pre"));
  TRY_ASSIGN(out.pre, read_alloc(*accounts));
  TRY(read_blocks(fields, out));
  TRY(fields.read(out.last_hash, "lastblockhash"));
  TRY(fields.read(out.post_root, "postStateHash"));
  if (const auto* post = fields.find("postState"); post != nullptr && post->is_object()) {
    TRY_ASSIGN(out.post, read_alloc(post->get_object()));
  }
  return out;
}

std::optional<std::string> compare_account(const Address& address, const AllocAccount& want, const StateView& view) {
  const Account have = view.account(address);
  const auto differs = [&](const char* what, const std::string& a, const std::string& b) {
    return fmt::format("account {}: {} is {}, must be {}", to_hex0x(address), what, a, b);
  };
  if (is_missing(have)) return fmt::format("account {} is missing", to_hex0x(address));
  if (have.nonce != want.nonce) return differs("nonce", std::to_string(have.nonce), std::to_string(want.nonce));
  if (have.balance != want.balance) return differs("balance", have.balance.to_decimal(), want.balance.to_decimal());
  if (*view.code(have.code_hash) != want.code)
    return differs("code", to_hex0x(*view.code(have.code_hash)), to_hex0x(want.code));
  for (const auto& [slot, value] : want.storage) {
    if (const uint256 stored = view.storage({address, slot}); stored != value) {
      return differs(fmt::format("storage {}", slot.to_quantity()).c_str(), stored.to_quantity(), value.to_quantity());
    }
  }
  return std::nullopt;
}

std::optional<std::string> check_end(const BlockTest& test, const MemoryChain& chain) {
  const Ancestor& head = chain.head();
  const NodeView view(chain.nodes(), head.header.state_root);
  if (test.post) {
    for (const auto& [address, account] : *test.post)
      if (auto wrong = compare_account(address, account, view)) return wrong;
  }
  if (test.post_root && *test.post_root != head.header.state_root) return "the state root is not postStateHash";
  if (head.hash != test.last_hash)
    return fmt::format("the head is {}, must be {}", to_hex0x(head.hash), to_hex0x(test.last_hash));
  return std::nullopt;
}

}  // namespace

Result<Header> read_test_header(const json::object& object) {
  Header h;
  const Fields fields(object);
  TRY(fields.read(h.parent_hash, "parentHash"));
  TRY(fields.read(h.ommers_hash, {"uncleHash", "sha3Uncles", "ommersHash"}));
  TRY(fields.read(h.beneficiary, {"coinbase", "miner"}));
  TRY(fields.read(h.state_root, "stateRoot"));
  TRY(fields.read(h.transactions_root, {"transactionsTrie", "transactionsRoot"}));
  TRY(fields.read(h.receipts_root, {"receiptTrie", "receiptsRoot"}));
  TRY(fields.read(h.logs_bloom, {"bloom", "logsBloom"}));
  TRY(fields.read(h.difficulty, "difficulty"));
  TRY(fields.read(h.number, "number"));
  TRY(fields.read(h.gas_limit, "gasLimit"));
  TRY(fields.read(h.gas_used, "gasUsed"));
  TRY(fields.read(h.timestamp, "timestamp"));
  TRY(fields.read(h.extra_data, "extraData"));
  TRY(fields.read(h.prev_randao, "mixHash"));
  TRY(fields.read(h.nonce, "nonce"));
  TRY(fields.read(h.base_fee, "baseFeePerGas"));
  TRY(fields.read(h.withdrawals_root, "withdrawalsRoot"));
  TRY(fields.read(h.blob_gas_used, "blobGasUsed"));
  TRY(fields.read(h.excess_blob_gas, "excessBlobGas"));
  TRY(fields.read(h.parent_beacon_root, "parentBeaconBlockRoot"));
  TRY(fields.read(h.requests_hash, "requestsHash"));
  h.form = fields.find("requestsHash") != nullptr            ? HeaderForm::kPrague
           : fields.find("parentBeaconBlockRoot") != nullptr ? HeaderForm::kCancun
           : fields.find("withdrawalsRoot") != nullptr       ? HeaderForm::kShanghai
           : fields.find("baseFeePerGas") != nullptr         ? HeaderForm::kLondon
                                                             : HeaderForm::kFrontier;
  return h;
}

Result<std::vector<BlockTest>> read_block_tests(std::string_view text) {
  TRY_ASSIGN(const json::value parsed, parse_json(text));
  TRY_ASSIGN(const auto* tests, as_object(parsed, "the file"));
  std::vector<BlockTest> out;
  for (const auto& [name, value] : *tests) {
    TRY_ASSIGN(const auto* object, as_object(value, std::string_view(name)));
    auto test = read_test(std::string(name), *object);
    if (!test) return fail(std::move(test).error().wrap(std::string_view(name)));
    out.push_back(*std::move(test));
  }
  return out;
}

std::optional<std::string> run_block_test(const BlockTest& test) {
  const auto state = make_genesis_state(test.pre);
  if (!state) return state.error().message;
  if (state->root != test.genesis.state_root) return "the genesis state root is not the one of pre";
  if (test.genesis.hash() != test.genesis_hash) return "the genesis header has another hash";
  MemoryChain chain(test.config, test.genesis, *state);
  for (std::size_t i = 0; i < test.blocks.size(); ++i) {
    const auto& item = test.blocks[i];
    const auto added =
        item.unbuildable.empty() ? chain.add(item.rlp) : Result<Hash32>(fail(ErrorCode::kInvalid, item.unbuildable));
    if (added && item.invalid) return fmt::format("block {} was accepted, must be refused: {}", i, item.expected);
    if (!added && !item.invalid) return fmt::format("block {} was refused: {}", i, added.error().message);
    if (!added && added.error().code != ErrorCode::kInvalid && added.error().code != ErrorCode::kUnsupported)
      return fmt::format("block {} could not be judged: {}", i, added.error().message);
  }
  return check_end(test, chain);
}

}  // namespace bonus::chain::eth
