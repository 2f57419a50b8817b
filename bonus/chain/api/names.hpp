// The Names contract (contracts/interfaces/INames.sol) as C++ values: which names there may be, call data, results and
// events. Field meanings and units are documented in docs/formats/names.md.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/time.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/genesis.hpp"
#include "bonus/chain/api/types.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::chain::names {

inline constexpr std::string_view kSuffix = ".bonus";
inline constexpr std::size_t kMinNameBytes = 3, kMaxNameBytes = 63;
inline constexpr std::uint64_t kYearSeconds = 31'536'000;  ///< 365 days.

/// May this be registered, without ".bonus": 3 to 63 of [a-z0-9-], no hyphen at either end nor at the third and fourth
/// place (RFC 5891, section 4.2.3.1: "xn--" and its like), not all digits, not "lease-<n>" or "order-<n>", not 52
/// characters of base32 (a node id), not one of the words the node itself answers for. kInvalid says which rule.
[[nodiscard]] Result<> check_name(std::string_view name);
/// "alice" of "alice", "Alice.bonus" or "alice.bonus."; kInvalid as check_name().
[[nodiscard]] Result<std::string> parse_name(std::string_view text);

/// A name at or below a registered one.
struct HostName {
  std::string name;   ///< "alice".
  std::string below;  ///< "www" of "www.alice.bonus"; empty for the name itself. Not checked further.
};
/// "www.alice.bonus", "alice", "Alice.Bonus.": the last word is the registered name. kInvalid as check_name().
[[nodiscard]] Result<HostName> parse_host(std::string_view text);

enum class NameState : std::uint8_t {
  kFree,   ///< Never registered, or released after its grace period.
  kLive,   ///< It has an owner and resolves.
  kGrace,  ///< Expired: it does not resolve, the owner can do nothing but renew, and nobody else can register it.
};
[[nodiscard]] std::string_view to_string(NameState state);  ///< "free", "live", "grace".

struct NameInfo {
  std::string name;  ///< Without ".bonus".
  Address owner;     ///< Zero when it is free; otherwise also in the grace period.
  Address manager;   ///< The approved operator, or zero.
  UnixSeconds registered_at = 0, expires = 0;
  std::uint32_t revision = 0;  ///< Rises with each change of owner or records; never falls.
  NameState state = NameState::kFree;
  Bytes records;  ///< decode_records(); empty unless it is live.
};
struct Rules {
  std::uint64_t min_commitment_age_s = 0, max_commitment_age_s = 0;
  std::uint64_t min_duration_s = 0, max_duration_s = 0;  ///< Of one payment; of the time ahead in all.
  std::uint64_t grace_s = 0;
};

/// keccak256(abi.encode(string name, address owner, uint64 duration, bytes32 secret)), what commit() takes.
[[nodiscard]] Hash32 commitment(std::string_view name, const Address& owner, std::uint64_t duration_s,
                                const Hash32& secret);
/// What a name costs for so long: the yearly price of its length times duration over a year, rounded up.
[[nodiscard]] uint256 price(const NameParams& params, std::size_t name_bytes, std::uint64_t duration_s);
/// What a node's root key signs so that its address (container_id empty) or that of one of its containers may be
/// answered with `name` (PTR): keccak256(abi.encode("bonus/reverse/v1", chain id, owner, name, container id,
/// deadline)).
[[nodiscard]] Hash32 reverse_digest(std::uint64_t chain_id, const Address& owner, std::string_view name,
                                    BytesView container_id, UnixSeconds deadline);

// Call data of transactions to kNamesAddress.
namespace encode {
[[nodiscard]] Bytes commit(const Hash32& commitment);
[[nodiscard]] Bytes register_name(std::string_view name, const Address& owner, std::uint64_t duration_s,
                                  const Hash32& secret);
[[nodiscard]] Bytes renew(std::string_view name, std::uint64_t duration_s);
[[nodiscard]] Bytes transfer(std::string_view name, const Address& to);
[[nodiscard]] Bytes approve(std::string_view name, const Address& manager);
[[nodiscard]] Bytes set_records(std::string_view name, BytesView records);
[[nodiscard]] Bytes set_reverse(std::string_view name, const Ed25519PublicKey& key, BytesView container_id,
                                UnixSeconds deadline, const Ed25519Signature& signature);
[[nodiscard]] Bytes clear_reverse(const net::Ipv6& address);
[[nodiscard]] Bytes available(std::string_view name);
[[nodiscard]] Bytes price(std::string_view name, std::uint64_t duration_s);
[[nodiscard]] Bytes owner(std::string_view name);
[[nodiscard]] Bytes expires(std::string_view name);
[[nodiscard]] Bytes records(std::string_view name);
[[nodiscard]] Bytes get_name(std::string_view name);
[[nodiscard]] Bytes names_of(const Address& owner, std::uint64_t from, std::uint64_t limit);
[[nodiscard]] Bytes count();
[[nodiscard]] Bytes list(std::uint64_t from, std::uint64_t limit);
[[nodiscard]] Bytes committed_at(const Hash32& commitment);
[[nodiscard]] Bytes rules();
[[nodiscard]] Bytes reverse(const net::Ipv6& address);
}  // namespace encode

// Results of the views above. kUnsupported when the chain has no Names contract (the answer is empty); kInvalid when
// the data is not what the ABI says.
namespace decode {
[[nodiscard]] Result<bool> available(BytesView data);
[[nodiscard]] Result<uint256> price(BytesView data);
[[nodiscard]] Result<Address> owner(BytesView data);
[[nodiscard]] Result<UnixSeconds> expires(BytesView data);
[[nodiscard]] Result<Bytes> records(BytesView data);
[[nodiscard]] Result<NameInfo> name(BytesView data);
[[nodiscard]] Result<std::vector<NameInfo>> names(BytesView data);
[[nodiscard]] Result<std::uint64_t> number(BytesView data);  ///< count(), committedAt().
[[nodiscard]] Result<Rules> rules(BytesView data);
[[nodiscard]] Result<std::string> reverse(BytesView data);  ///< Empty: none.
}  // namespace decode

// Events, recognised in receipts and logs; nothing when the log is another event.
namespace event {
struct Registered {
  Hash32 id;  ///< keccak256(name).
  Address owner;
  std::string name;
  uint256 paid;
  UnixSeconds expires = 0;
};
[[nodiscard]] std::optional<Registered> registered(const Log& log);
/// The name that any event of the contract is about: an index over names need look at nothing else.
[[nodiscard]] std::optional<std::string> changed(const Log& log);
}  // namespace event

}  // namespace bonus::chain::names
