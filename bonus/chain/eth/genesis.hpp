// Ethereum's first block from geth's genesis.json: configuration, header and the accounts it begins with.
#pragma once

#include <boost/json/object.hpp>
#include <map>
#include <string_view>

#include "bonus/chain/api/types.hpp"
#include "bonus/chain/eth/config.hpp"
#include "bonus/chain/state/journal.hpp"
#include "bonus/chain/state/state_diff.hpp"

namespace bonus::chain::eth {

struct AllocAccount {
  std::uint64_t nonce = 0;
  uint256 balance;
  Bytes code;
  std::map<uint256, uint256> storage;
};
using Alloc = std::map<Address, AllocAccount>;
/// {"0x<address>": {"balance": ..., "nonce": ..., "code": ..., "storage": {...}}}; every key but the address may be
/// missing.
[[nodiscard]] Result<Alloc> read_alloc(const boost::json::object& accounts);
[[nodiscard]] boost::json::object write_alloc(const Alloc& alloc);
/// Creates the accounts, empty ones too. Outside of any transaction.
void put_alloc(state::Journal& journal, const Alloc& alloc);

struct EthGenesis {
  ChainConfig config;
  Header header;  ///< Its state root is that of `state`.
  Alloc alloc;
  state::StateDiff state;  ///< From the empty state.

  [[nodiscard]] Block block() const;
  /// `text` is geth's genesis.json. kInvalid names the key.
  [[nodiscard]] static Result<EthGenesis> from_json(std::string_view text);
};
/// The state of `alloc` alone.
[[nodiscard]] Result<state::StateDiff> make_genesis_state(const Alloc& alloc);

}  // namespace bonus::chain::eth
