// Random states and the transactions that run on them.
#include "bonus/chain/evm/machine.hpp"
#include "bonus/chain/evm/opcodes.hpp"
#include "bonus/chain/vectors/random_program.hpp"

namespace bonus::chain::vectors {
namespace {

using namespace evm;  // The names of the instructions.

constexpr Address kCoinbase{{0xcb}};
Address uint_address(std::uint64_t number) {
  Address out;
  out.bytes[19] = static_cast<std::uint8_t>(number);
  return out;
}

/// Empty accounts, which EIP-161 clears when they are touched, and what may stand in the way of a creation.
void add_odd_accounts(Choices& choices, Accounts& pre, std::span<const Address> contracts) {
  if (choices.one_in(2)) return;
  for (std::uint8_t i = 0; i < 2; ++i)
    if (choices.one_in(2)) pre[Address{{0xde, 0xad, i}}] = {};
  if (choices.one_in(2)) pre[uint_address(1 + choices.below(9))] = {};
  if (choices.one_in(2)) pre[kCoinbase] = {};
  PlainAccount& obstacle = pre[create_address(contracts[choices.below(contracts.size())], 1 + choices.below(2))];
  switch (choices.below(4)) {
    case 0:
      obstacle.nonce = 1;
      break;
    case 1:
      obstacle.code = {OP_STOP};
      break;
    case 2:
      obstacle.balance = uint256(5);
      break;
    default:
      break;
  }
}

Address contract_address(std::uint8_t index) { return {{0xc0, 0xde, 0, index}}; }

}  // namespace

Scenario random_scenario(Choices& choices) {
  // The chain's own rules half of the time.
  const auto revision =
      choices.one_in(2) ? kBonusRevision : static_cast<Revision>(choices.below(std::uint64_t{kRevisionCount}));
  return random_scenario(choices, revision);
}

Scenario random_scenario(Choices& choices, Revision revision) {
  constexpr std::uint8_t kContracts = 4;
  Scenario out;
  out.revision = revision;
  std::vector<Address> contracts;
  for (std::uint8_t i = 0; i < kContracts; ++i) contracts.push_back(contract_address(i));
  for (const Address& address : contracts) {
    PlainAccount& account = out.pre[address];
    account.nonce = 1;
    account.balance = uint256(choices.below(1000));
    account.code = random_program(choices, revision, contracts);
    for (std::uint64_t slot = choices.below(kRandomSlots); slot > 0; --slot)
      account.storage[uint256(slot)] = uint256(1 + choices.below(5));
  }
  if (revision >= Revision::kPrague && choices.one_in(3)) {  // EIP-7702: a contract that is another's code.
    Bytes code(kDelegationPrefix.begin(), kDelegationPrefix.end());
    append(code, contracts[choices.below(kContracts)]);
    out.pre[contracts[choices.below(kContracts)]].code = std::move(code);
  }
  add_odd_accounts(choices, out.pre, contracts);
  Environment& env = out.environment;
  env.coinbase = kCoinbase;
  env.number = 1000;
  env.timestamp = 1'700'000'000;
  env.gas_limit = 30'000'000;
  env.difficulty = uint256(0x20000);
  env.base_fee = uint256(7);
  env.randao = uint256(choices.word()).to_be();

  Transaction& tx = out.transaction.tx;
  tx.type = 0;
  if (revision >= Revision::kBerlin && choices.one_in(3))
    tx.type = revision >= Revision::kLondon && choices.one_in(2) ? 2 : 1;
  tx.chain_id = tx.type == 0 ? 0 : 1;
  tx.max_fee = tx.max_priority_fee = uint256(10);
  if (tx.type == 2) tx.max_priority_fee = uint256(choices.below(11));
  if (tx.type != 0) {
    for (std::uint64_t n = choices.below(3); n > 0; --n) {
      auto& entry = tx.access_list.emplace_back();
      entry.address = contracts[choices.below(kContracts)];
      for (std::uint64_t k = choices.below(3); k > 0; --k)
        entry.keys.push_back(uint256(choices.below(kRandomSlots)).to_be());
    }
  }
  tx.gas_limit = choices.one_in(4) ? 60'000 + choices.below(60'000) : 1'000'000 + choices.below(3'000'000);
  tx.value = uint256(choices.one_in(3) ? choices.below(100) : 0);
  if (choices.one_in(6)) {
    tx.data = random_program(choices, revision, contracts);
  } else {
    tx.to = contracts[choices.below(kContracts)];
    for (std::uint64_t n = choices.below(80); n > 0; --n)
      tx.data.push_back(choices.one_in(2) ? std::uint8_t{0} : static_cast<std::uint8_t>(choices.below(256)));
  }
  // The account of the secret key 1.
  out.transaction.sender = fixed_from_hex<Address>("0x7e5f4552091a69125d5dfcb7b8c2659029395bdf").value();
  out.pre[out.transaction.sender].balance = uint256(1'000'000'000'000'000'000);
  return out;
}

}  // namespace bonus::chain::vectors
