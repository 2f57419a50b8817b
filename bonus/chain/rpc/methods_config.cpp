// eth_config (EIP-7910): the rules in force, for operators who compare nodes.
#include <fmt/format.h>

#include <algorithm>
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
std::uint32_t fork_hash(const Hash32& genesis) {
  boost::crc_32_type sum;
  sum.process_bytes(genesis.bytes.data(), genesis.bytes.size());
  return sum.checksum();
}

json::value config_of(const Context& context, const TimedFork& fork) {
  json::object schedule;
  schedule["baseFeeUpdateFraction"] = fork.blobs.update_fraction;
  schedule["max"] = fork.blobs.max;
  schedule["target"] = fork.blobs.target;
  json::object contracts;
  for (const auto& [name, address] : fork.system_contracts) contracts[name] = to_hex0x(address);
  json::object out;
  out["activationTime"] = fork.begins;
  out["blobSchedule"] = fork.blobs.max > 0 ? json::value(std::move(schedule)) : json::value(nullptr);
  out["chainId"] = quantity(context.chain_id());
  out["forkId"] = fmt::format("0x{:08x}", fork.fork_hash);
  out["precompiles"] = precompiles_of(fork.revision);
  out["systemContracts"] = std::move(contracts);
  return out;
}

/// The one set of rules of a chain without forks.
Reply<TimedFork> only_rules(const Context& context) {
  const auto executed = context.ledger.context(context.ledger.head().number);
  if (!executed) return failure(executed.error());
  const auto genesis = context.ledger.block(0);
  if (!genesis) return failure(genesis.error());
  return TimedFork{
      .begins = 0,
      .revision = executed->revision,
      .blobs = blob_schedule(executed->revision),
      .fork_hash = fork_hash((*genesis)->hash),
      .system_contracts = {},  // of Ethereum's there are none here
  };
}

JsonReply config(const Context& context, const Params& params) {
  TRY(params.at_most(0));
  auto forks = context.ledger.forks();
  if (forks.empty()) {
    TRY_ASSIGN(auto only, only_rules(context));
    forks.push_back(std::move(only));
  }
  const auto now = context.ledger.head().timestamp;
  const auto next = std::ranges::find_if(forks, [&](const TimedFork& fork) { return fork.begins > now; });
  json::object out;
  out["current"] = next == forks.begin() ? json::value(nullptr) : config_of(context, *std::prev(next));
  out["next"] = next == forks.end() ? json::value(nullptr) : config_of(context, *next);
  out["last"] = next == forks.end() ? json::value(nullptr) : config_of(context, forks.back());
  return out;
}

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"eth_config", config},
});

}  // namespace

std::span<const NamedMethod> config_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
