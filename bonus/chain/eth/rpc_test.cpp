// What the JSON-RPC says of a chain with forks, and blocks that are built but not kept.
#include "bonus/chain/rpc/rpc.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <sstream>

#include "bonus/chain/eth/chain_testing.hpp"
#include "bonus/chain/eth/import.hpp"
#include "bonus/chain/eth/pooled.hpp"
#include "bonus/chain/eth/testing_methods.hpp"
#include "bonus/chain/mempool/mempool.hpp"

namespace bonus::chain::eth {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

class EthRpcTest : public ::testing::Test {
 protected:
  void SetUp() override {
    BONUS_NEED_VECTORS(testing::kExecutionApis, testing::kExecutionApisFiles);
    files_ = testing::load_execution_apis();
    ledger_ = EthLedger::open({.path = folder_.str(), .genesis_json = files_.genesis_json}).value();
    std::istringstream in(files_.chain_rlp);
    ASSERT_TRUE(import_blocks(*ledger_, in).has_value());
    mempool_ = mempool::make_mempool(*ledger_, {.rules = pool_rules(*ledger_)});
    rpc::RpcOptions options;
    options.extra_methods = testing_methods(*ledger_, *mempool_);
    service_ = std::make_unique<rpc::RpcService>(*ledger_, *mempool_, options);
  }
  void TearDown() override {
    service_.reset();
    mempool_.reset();
    ledger_.reset();
  }
  json::object call(std::string_view method, std::string_view params) {
    return json::parse(service_->dispatch(
                           fmt::format(R"({{"jsonrpc":"2.0","id":1,"method":"{}","params":{}}})", method, params)))
        .as_object();
  }
  std::string error(std::string_view method, std::string_view params) {
    const auto answer = call(method, params);
    if (!answer.contains("error")) return "none";
    return fmt::format("{} {}", answer.at("error").at("code").as_int64(),
                       std::string_view(answer.at("error").at("message").as_string()));
  }

  testing::TemporaryFolder folder_{"bonus-eth-rpc"};
  testing::ChainFiles files_;
  std::unique_ptr<EthLedger> ledger_;
  std::unique_ptr<Mempool> mempool_;
  std::unique_ptr<rpc::RpcService> service_;
};

TEST_F(EthRpcTest, ConfigNamesTheForkInForce) {
  const auto result = call("eth_config", "[]").at("result").as_object();
  const auto& current = result.at("current").as_object();
  EXPECT_EQ(current.at("activationTime"), 540);
  EXPECT_EQ(current.at("forkId"), "0xe272ecbe");  // as geth says of this genesis and its forks
  EXPECT_EQ(current.at("blobSchedule").at("max"), 21);
  EXPECT_EQ(current.at("precompiles").at("P256VERIFY"), "0x0000000000000000000000000000000000000100");
  EXPECT_EQ(current.at("systemContracts").as_object().size(), 5u);
  EXPECT_TRUE(result.at("next").is_null());
  EXPECT_TRUE(result.at("last").is_null());
}

TEST_F(EthRpcTest, FieldsOfLaterForksAreRefusedInEarlierBlocks) {
  const std::string to = R"("to":"0x0100000000000000000000000000000000000000")";
  EXPECT_THAT(error("eth_call", fmt::format(R"([{{{},"maxFeePerGas":"0x0"}},"0x1a"])", to)),
              HasSubstr("before London"));
  EXPECT_EQ(error("eth_call", fmt::format(R"([{{{},"maxFeePerGas":"0x0"}},"0x1b"])", to)), "none");
  EXPECT_THAT(error("eth_call", fmt::format(R"([{{{},"accessList":[]}},"0x17"])", to)),
              HasSubstr("-32000 err: transaction type"));
  EXPECT_EQ(error("eth_call", fmt::format(R"([{{{},"accessList":[]}},"0x18"])", to)), "none");
  EXPECT_THAT(error("eth_call", fmt::format(R"([{{{},"maxFeePerBlobGas":"0x1"}},"0x29"])", to)), HasSubstr("blob tx"));
  EXPECT_THAT(error("eth_createAccessList", fmt::format(R"([{{{}}},"0x17"])", to)), HasSubstr("access list tx"));
}

TEST_F(EthRpcTest, StorageValuesOfManyAccounts) {
  const auto result = call("eth_getStorageValues", R"([{"0x7dcd17433742f4c0ca53122ab541d0ba67fc27df":["0x)" +
                                                       std::string(64, '0') + R"("]},"latest"])");
  EXPECT_EQ(result.at("result").at("0x7dcd17433742f4c0ca53122ab541d0ba67fc27df").at(0),
            call("eth_getStorageAt", R"(["0x7dcd17433742f4c0ca53122ab541d0ba67fc27df","0x0","latest"])").at("result"));
  EXPECT_EQ(error("eth_getStorageValues", R"([{},"latest"])"), "-32602 empty request");
  EXPECT_THAT(error("eth_getStorageValues", R"([{"0x01":[]},"latest"])"), HasSubstr("-32602"));
}

TEST_F(EthRpcTest, TheHistoryOfBlobFeesFollowsTheSchedule) {
  // Block 0x35 has one blob and stands behind the second change of the schedule: 21 blobs.
  for (std::uint64_t number = 1; number <= 54; ++number) {
    const auto header = ledger_->block(number).value()->block.header;
    const auto result = call("eth_feeHistory", fmt::format(R"(["0x1","0x{:x}",[]])", number)).at("result");
    const auto most = ledger_->config().of(header).blobs.max * kGasPerBlob;
    const double want = most == 0 ? 0 : static_cast<double>(header.blob_gas_used) / static_cast<double>(most);
    EXPECT_EQ(result.at("blobGasUsedRatio").at(0).to_number<double>(), want) << number;
    const uint256 next =
        number < 54 ? ledger_->block(number + 1).value()->block.header.base_fee : ledger_->context(55)->base_fee;
    EXPECT_EQ(result.at("baseFeePerGas").at(1), json::value(next.to_quantity())) << number;
  }
}

TEST_F(EthRpcTest, ABuiltBlockIsValidAndNotKept) {
  const auto send = [&](std::uint64_t nonce) {
    Transaction tx;
    tx.chain_id = ledger_->config().chain_id;
    tx.nonce = nonce;
    tx.max_fee = uint256(1'000'000'000);
    tx.gas_limit = 21'000;
    tx.to = Address();
    EXPECT_TRUE(sign_transaction(tx, {{1}}).has_value());
    return to_hex0x(tx.encode());
  };
  const auto params = [&](std::string_view parent, std::string_view transactions) {
    return fmt::format(R"(["{}",{{"timestamp":"0x228","withdrawals":[{{"index":"0x0","validatorIndex":"0x1",)"
                       R"("address":"0x0100000000000000000000000000000000000000","amount":"0x2"}}],)"
                       R"("suggestedFeeRecipient":"0x0200000000000000000000000000000000000000",)"
                       R"("parentBeaconBlockRoot":"0x{}"}},{},"0x01"])",
                       parent, std::string(64, '0'), transactions);
  };
  const std::string head = to_hex0x(ledger_->head_hash());
  const auto result = call("testing_buildBlockV1", params(head, "[]")).at("result").as_object();
  const auto& payload = result.at("executionPayload").as_object();
  EXPECT_EQ(payload.at("blockNumber"), "0x37");
  EXPECT_EQ(payload.at("gasLimit"), "0xbe8c711");  // geth's first step from 200 million towards 60
  EXPECT_EQ(result.at("blockValue"), "0x0");
  EXPECT_EQ(ledger_->head().number, 54u);
  EXPECT_THAT(error("testing_buildBlockV1", params(head, fmt::format(R"(["{}"])", send(9)))),
              HasSubstr("-32000 nonce too high"));
  EXPECT_THAT(error("testing_buildBlockV1", params("0x" + std::string(64, '0'), "[]")), HasSubstr("-32000 no block"));
  EXPECT_THAT(error("testing_buildBlockV1", R"(["0x01"])"), HasSubstr("-32602"));

  // What it builds, the ledger accepts.
  EthLedger::BuildOptions options;
  options.parent = ledger_->head_hash();
  options.timestamp = 0x228;
  options.withdrawals = {{0, 1, Address(), 2}};
  const auto built = ledger_->build(options).value();
  EXPECT_EQ(*ledger_->append(encode_ethereum_block(built.block)), EthLedger::Appended::kNew);
  EXPECT_EQ(ledger_->head().number, 55u);
}

}  // namespace
}  // namespace bonus::chain::eth
