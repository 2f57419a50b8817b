// eth_config (EIP-7910): the rules in force, for operators who compare nodes.
#include <fmt/format.h>

#include <array>
#include <boost/crc.hpp>
#include <boost/json/object.hpp>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/precompiles/precompiles.hpp"
#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/methods.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

/// EIP-7910's names of the precompiles at 0x01 to 0x11.
constexpr std::array<std::string_view, 17> kNames{"ECREC",
                                                  "SHA256",
                                                  "RIPEMD160",
                                                  "ID",
                                                  "MODEXP",
                                                  "BN254_ADD",
                                                  "BN254_MUL",
                                                  "BN254_PAIRING",
                                                  "BLAKE2F",
                                                  "KZG_POINT_EVALUATION",
                                                  "BLS12_G1ADD",
                                                  "BLS12_G1MSM",
                                                  "BLS12_G2ADD",
                                                  "BLS12_G2MSM",
                                                  "BLS12_PAIRING_CHECK",
                                                  "BLS12_MAP_FP_TO_G1",
                                                  "BLS12_MAP_FP2_TO_G2"};
constexpr std::size_t kP256Verify = 0x100;  // EIP-7951

json::object precompiles_of(Revision revision) {
  json::object out;
  for (const auto& address : precompiles::addresses(revision)) {
    const std::size_t number = static_cast<std::size_t>(address.bytes[18]) << 8 | address.bytes[19];
    if (number >= 1 && number <= kNames.size())
      out[kNames[number - 1]] = to_hex0x(address);
    else if (number == kP256Verify)
      out["P256VERIFY"] = to_hex0x(address);
  }
  return out;
}

/// EIP-2124. All forks are in force from the beginning, so the hash of the genesis block is all there is to sum.
std::string fork_id(const Hash32& genesis) {
  boost::crc_32_type sum;
  sum.process_bytes(genesis.bytes.data(), genesis.bytes.size());
  return fmt::format("0x{:08x}", sum.checksum());
}

JsonReply config(const Context& context, const Params& params) {
  TRY(params.at_most(0));
  const auto executed = context.ledger.context(context.ledger.head().number);
  if (!executed) return failure(executed.error());
  // A chain of Ethereum's own has forks at points in time that this ledger does not name.
  if (executed->genesis == nullptr)
    return failure(kMethodNotFound, "the method eth_config does not exist/is not available");
  const auto genesis = context.ledger.block(0);
  if (!genesis) return failure(genesis.error());
  const auto blobs = blob_schedule(executed->revision);
  json::object schedule;
  schedule["baseFeeUpdateFraction"] = blobs.update_fraction;
  schedule["max"] = blobs.max;
  schedule["target"] = blobs.target;
  json::object current;
  current["activationTime"] = 0;
  current["blobSchedule"] = std::move(schedule);
  current["chainId"] = quantity(context.chain_id());
  current["forkId"] = fork_id((*genesis)->hash);
  current["precompiles"] = precompiles_of(executed->revision);
  current["systemContracts"] = json::object();  // of Ethereum's there are none here
  json::object out;
  out["current"] = std::move(current);
  out["next"] = nullptr;
  out["last"] = nullptr;
  return out;
}

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"eth_config", config},
});

}  // namespace

std::span<const NamedMethod> config_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
