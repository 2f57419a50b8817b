// The functions of the Names contract: commit and reveal, expiry and renewal, transfer, records, reverse names.
#include "bonus/chain/contracts/names.hpp"

#include <algorithm>

#include "bonus/chain/api/name_records.hpp"
#include "bonus/chain/api/names.hpp"
#include "bonus/chain/contracts/names_layout.hpp"
#include "bonus/chain/contracts/outcome.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::chain::contracts {
namespace layout = names_layout;
namespace {

using market::Call;
using market::Event;
using market::one;
using names::NameState;

constexpr std::uint64_t kMaxPage = 64;
constexpr std::size_t kMaxContainerId = 16;           ///< docs/formats/net_record.md.
constexpr std::uint64_t kMaxConsentSeconds = 86'400;  ///< How far ahead a consent's deadline may be.
constexpr std::uint64_t kHashByteGas = 4;             ///< Per byte of a name or of records that is checked and hashed.

const uint256& names_data() {
  static const uint256 data = array_data(uint256(layout::kNames));
  return data;
}

/// A bytes16 as key of a mapping: padded on the right, as Solidity pads it.
uint256 key_of(const net::Ipv6& address) { return uint256::from_be(address.view()) << 128U; }

class Names {
 public:
  Names(Context& context, const CallInput& input)
      : context_(context), input_(input), params_(*context.block().genesis->names) {}

  Result<abi::Values> run(Call call, const abi::Values& in) {
    switch (call) {
      case Call::kNameCommit:
        return commit(in[0].hash32());
      case Call::kNameRegister:
        return register_name(in[0].text(), in[1].address(), in[2].u64(), in[3].hash32());
      case Call::kNameRenew:
        return renew(in[0].text(), in[1].u64());
      case Call::kNameTransfer:
        return transfer(in[0].text(), in[1].address());
      case Call::kNameApprove:
        return approve(in[0].text(), in[1].address());
      case Call::kNameSetRecords:
        return set_records(in[0].text(), in[1].bytes());
      case Call::kNameSetReverse:
        return set_reverse(in);
      case Call::kNameClearReverse:
        return clear_reverse(in[0]);
      case Call::kNameAvailable:
        return one(abi::Value(names::check_name(in[0].text()).has_value() &&
                              state_of(find(in[0].text())) == NameState::kFree));
      case Call::kNamePrice:
        TRY(check(in[0].text()));
        return one(abi::Value(price(in[0].text(), in[1].u64())));
      case Call::kNameOwner:
        return one(abi::Value(owner_of(in[0].text())));
      case Call::kNameExpires: {
        const std::uint64_t id = find(in[0].text());
        return one(abi::Value(state_of(id) == NameState::kFree ? 0 : row(id).get64(layout::kExpires)));
      }
      case Call::kNameRecords:
        return one(records_of(in[0].text()));
      case Call::kNameGet:
        return one(view(find(in[0].text())));
      case Call::kNamesOf:
        return names_of(in[0].address(), in[1].u64(), in[2].u64());
      case Call::kNameCount:
        return one(abi::Value(count()));
      case Call::kNameList:
        return list(in[0].u64(), in[1].u64());
      case Call::kNameCommitment:
        return one(abi::Value(names::commitment(in[0].text(), in[1].address(), in[2].u64(), in[3].hash32())));
      case Call::kNameCommittedAt:
        return one(abi::Value(committed_at(in[0].hash32())));
      case Call::kNameRules:
        return abi::Values{std::uint64_t{params_.min_commitment_age_s}, std::uint64_t{params_.max_commitment_age_s},
                           std::uint64_t{params_.min_duration_s}, std::uint64_t{params_.max_duration_s},
                           std::uint64_t{params_.grace_s}};
      case Call::kNameReverse:
        return reverse(in[0]);
      case Call::kNameReverseDigest:
        return one(abi::Value(names::reverse_digest(context_.block().chain_id, in[0].address(), in[1].text(),
                                                    in[2].bytes(), in[3].u64())));
      default:
        return revert("unknown function");
    }
  }

 private:
  // -------------------------------------------------------------- state

  [[nodiscard]] Row row(std::uint64_t id) const {
    return {context_, kNamesAddress, names_data() + uint256((id - 1) * layout::kNameWords)};
  }
  [[nodiscard]] std::uint64_t count() const { return context_.load(kNamesAddress, uint256(layout::kNames)).low64(); }
  [[nodiscard]] Hash32 hash_of(std::string_view name) const {
    context_.charge(kHashByteGas * name.size());
    return crypto::keccak256(as_bytes(name));
  }
  [[nodiscard]] static uint256 index_slot(const Hash32& hash) {
    return mapping_slot(uint256(layout::kIndexOf), uint256::from_be(hash));
  }
  [[nodiscard]] static uint256 commitment_slot(const Hash32& hash) {
    return mapping_slot(uint256(layout::kCommittedAt), uint256::from_be(hash));
  }
  [[nodiscard]] U64Array owned(const Address& owner) const {
    return {context_, kNamesAddress, mapping_slot(uint256(layout::kNamesOf), number_of(owner))};
  }
  [[nodiscard]] Row reverse_row(const net::Ipv6& address) const {
    return {context_, kNamesAddress, mapping_slot(uint256(layout::kReverseOf), key_of(address))};
  }
  /// 0: never registered.
  [[nodiscard]] std::uint64_t find(std::string_view name) const {
    if (name.size() > names::kMaxNameBytes) return 0;
    return context_.load(kNamesAddress, index_slot(hash_of(name))).low64();
  }
  [[nodiscard]] NameState state_of(std::uint64_t id) const {
    if (id == 0) return NameState::kFree;
    const UnixSeconds expires = row(id).get64(layout::kExpires);
    if (context_.now() < expires) return NameState::kLive;
    return context_.now() < expires + params_.grace_s ? NameState::kGrace : NameState::kFree;
  }
  [[nodiscard]] Result<> check(std::string_view name) const {
    if (const auto valid = names::check_name(name); !valid) return revert(valid.error().message);
    return {};
  }
  [[nodiscard]] uint256 price(std::string_view name, std::uint64_t duration) const {
    return names::price(params_, name.size(), duration);
  }
  [[nodiscard]] Result<std::uint64_t> live(std::string_view name, std::string_view what) const {
    const std::uint64_t id = find(name);
    switch (state_of(id)) {
      case NameState::kLive:
        return id;
      case NameState::kGrace:
        return revert(std::string(what) + ": the name has expired; renew it first");
      case NameState::kFree:
        break;
    }
    return revert(std::string(what) + ": the name is not registered");
  }
  [[nodiscard]] Result<std::uint64_t> own(std::string_view name, std::string_view what) const {
    TRY_ASSIGN(const std::uint64_t id, live(name, what));
    if (row(id).address(layout::kOwner) != input_.caller)
      return revert(std::string(what) + ": the name is another account's");
    return id;
  }
  [[nodiscard]] Result<std::uint64_t> managed(std::string_view name, std::string_view what) const {
    TRY_ASSIGN(const std::uint64_t id, live(name, what));
    const Row name_row = row(id);
    if (name_row.address(layout::kOwner) != input_.caller && name_row.address(layout::kOperator) != input_.caller)
      return revert(std::string(what) + ": only the owner and its approved operator may do this");
    return id;
  }
  void next_revision(const Row& name) const {
    name.set(layout::kRevision, uint256((name.get64(layout::kRevision) + 1) & UINT32_MAX));
  }
  /// Takes the name out of its owner's list; the last one takes its place.
  void leave_owner(std::uint64_t id) const {
    const Row name = row(id);
    const U64Array list = owned(name.address(layout::kOwner));
    const std::uint64_t place = name.get64(layout::kPlace);
    const std::uint64_t last = list.size() - 1;
    if (place != last) {
      const std::uint64_t moved = list.at(last);
      list.set(place, moved);
      row(moved).set(layout::kPlace, uint256(place));
    }
    list.pop();
  }
  [[nodiscard]] Result<> join_owner(std::uint64_t id, const Address& owner) const {
    const U64Array list = owned(owner);
    const std::uint64_t place = list.size();
    if (place >= UINT32_MAX) return revert("the account has too many names");
    list.push(id);
    row(id).set(layout::kOwner, owner);
    row(id).set(layout::kPlace, uint256(place));
    return {};
  }

  // -------------------------------------------------------------- money

  /// Takes `cost` of the value that came with the call to the foundation and gives the rest back.
  Result<> pay(const uint256& cost, std::string_view what) {
    if (input_.value < cost)
      return revert(std::string(what) + ": it costs " + cost.to_decimal() + " wei, " + input_.value.to_decimal() +
                    " were sent");
    context_.pay(kNamesAddress, context_.block().genesis->foundation, cost);
    context_.pay(kNamesAddress, input_.caller, input_.value - cost);
    return {};
  }
  [[nodiscard]] Result<> check_duration(std::uint64_t duration, std::string_view what) const {
    if (duration < params_.min_duration_s)
      return revert(std::string(what) + ": at least " + std::to_string(params_.min_duration_s) + " seconds");
    if (duration > params_.max_duration_s)
      return revert(std::string(what) + ": at most " + std::to_string(params_.max_duration_s) + " seconds ahead");
    return {};
  }

  // -------------------------------------------------------------- registration

  [[nodiscard]] UnixSeconds committed_at(const Hash32& hash) const {
    return context_.load(kNamesAddress, commitment_slot(hash)).low64();
  }

  Result<abi::Values> commit(const Hash32& hash) {
    const UnixSeconds before = committed_at(hash);
    // Whoever copies a commitment from the pool must not be able to make it younger again and again.
    if (before != 0 && context_.now() - before <= params_.max_commitment_age_s) return abi::Values{};
    context_.store(kNamesAddress, commitment_slot(hash), uint256(context_.now()));
    return abi::Values{};
  }

  Result<abi::Values> register_name(const std::string& name, const Address& owner, std::uint64_t duration,
                                    const Hash32& secret) {
    TRY(check(name));
    if (owner.is_zero()) return revert("register: the owner is the zero address");
    TRY(check_duration(duration, "register"));
    const Hash32 hash = names::commitment(name, owner, duration, secret);
    const UnixSeconds since = committed_at(hash);
    if (since == 0) return revert("register: there is no such commitment; commit first, with the same arguments");
    const std::uint64_t age = context_.now() - since;
    if (age < params_.min_commitment_age_s)
      return revert("register: the commitment is " + std::to_string(age) + " s old, it must be " +
                    std::to_string(params_.min_commitment_age_s));
    if (age > params_.max_commitment_age_s) return revert("register: the commitment is too old; commit again");
    std::uint64_t id = find(name);
    if (state_of(id) != NameState::kFree) return revert("register: the name is taken");
    context_.store(kNamesAddress, commitment_slot(hash), uint256());
    const Hash32 name_hash = hash_of(name);
    if (id == 0) {
      id = count() + 1;
      context_.store(kNamesAddress, uint256(layout::kNames), uint256(id));
      context_.store(kNamesAddress, index_slot(name_hash), uint256(id));
      row(id).set_text(layout::kName, name);
    } else {
      leave_owner(id);
      row(id).set_bytes(layout::kRecords, {});
      row(id).set(layout::kOperator, uint256());
    }
    const Row name_row = row(id);
    TRY(join_owner(id, owner));
    name_row.set(layout::kRegisteredAt, uint256(context_.now()));
    name_row.set(layout::kExpires, uint256(context_.now() + duration));
    next_revision(name_row);
    const uint256 cost = price(name, duration);
    TRY(pay(cost, "register"));
    const UnixSeconds expires = context_.now() + duration;
    context_.emit(market::make_log(Event::kNameRegistered, {name_hash, owner, name, cost, uint256(expires)}));
    return one(abi::Value(expires));
  }

  Result<abi::Values> renew(const std::string& name, std::uint64_t duration) {
    const std::uint64_t id = find(name);
    if (state_of(id) == NameState::kFree) return revert("renew: the name is not registered");
    TRY(check_duration(duration, "renew"));
    const Row name_row = row(id);
    const UnixSeconds expires = name_row.get64(layout::kExpires) + duration;
    if (expires <= context_.now())
      return revert("renew: the name expired longer ago; at least " +
                    std::to_string(context_.now() - expires + duration + 1) + " seconds");
    if (expires > context_.now() + params_.max_duration_s)
      return revert("renew: at most " + std::to_string(params_.max_duration_s) + " seconds ahead");
    name_row.set(layout::kExpires, uint256(expires));
    const uint256 cost = price(name, duration);
    TRY(pay(cost, "renew"));
    context_.emit(market::make_log(Event::kNameRenewed, {hash_of(name), name, cost, uint256(expires)}));
    return one(abi::Value(expires));
  }

  // -------------------------------------------------------------- owners

  Result<abi::Values> transfer(const std::string& name, const Address& to) {
    TRY_ASSIGN(const std::uint64_t id, own(name, "transfer"));
    if (to.is_zero()) return revert("transfer: the receiver is the zero address");
    if (to == input_.caller) return revert("transfer: the name is the receiver's already");
    leave_owner(id);
    TRY(join_owner(id, to));
    row(id).set(layout::kOperator, uint256());
    next_revision(row(id));
    context_.emit(market::make_log(Event::kNameTransferred, {hash_of(name), input_.caller, to, name}));
    return abi::Values{};
  }

  Result<abi::Values> approve(const std::string& name, const Address& manager) {
    TRY_ASSIGN(const std::uint64_t id, own(name, "approve"));
    row(id).set(layout::kOperator, manager);
    context_.emit(market::make_log(Event::kNameApproved, {hash_of(name), manager, name}));
    return abi::Values{};
  }

  Result<abi::Values> set_records(const std::string& name, BytesView records) {
    TRY_ASSIGN(const std::uint64_t id, managed(name, "setRecords"));
    context_.charge(kHashByteGas * records.size());
    if (const auto decoded = names::decode_records(records); !decoded)
      return revert("setRecords: " + decoded.error().message);
    row(id).set_bytes(layout::kRecords, records);
    next_revision(row(id));
    context_.emit(
        market::make_log(Event::kNameRecordsChanged, {hash_of(name), name, uint256(row(id).get64(layout::kRevision))}));
    return abi::Values{};
  }

  // -------------------------------------------------------------- reverse names

  [[nodiscard]] static net::Ipv6 address_from(const abi::Value& value) {
    net::Ipv6 out;
    std::ranges::copy(value.bytes(), out.bytes.begin());
    return out;
  }

  Result<abi::Values> set_reverse(const abi::Values& in) {
    const std::string& name = in[0].text();
    TRY_ASSIGN(const std::uint64_t id, managed(name, "setReverse"));
    Ed25519PublicKey key;
    key.bytes = in[1].hash32().bytes;
    const Bytes& container = in[2].bytes();
    if (container.size() > kMaxContainerId) return revert("setReverse: a container id has at most 16 bytes");
    const UnixSeconds deadline = in[3].u64();
    if (deadline < context_.now()) return revert("setReverse: the deadline has passed");
    if (deadline - context_.now() > kMaxConsentSeconds)
      return revert("setReverse: the deadline is more than a day ahead");
    const auto signature = Ed25519Signature::from(in[4].bytes());
    if (!signature) return revert("setReverse: the signature has 64 bytes");
    const Address owner = row(id).address(layout::kOwner);
    context_.charge(gas::kSignature);
    if (!crypto::ed25519_verify(key, names::reverse_digest(context_.block().chain_id, owner, name, container, deadline),
                                *signature))
      return revert("setReverse: the node key did not sign this name (see reverseDigest)");
    const net::Ipv6 address =
        container.empty() ? net::overlay_address(crypto::node_id(key)) : net::container_address(key, container);
    const Row entry = reverse_row(address);
    entry.set(layout::kReverseName, uint256(id));
    entry.set(layout::kReverseOwner, owner);
    context_.emit(market::make_log(Event::kNameReverseChanged, {abi::Value(address), name}));
    return one(abi::Value(address));
  }

  Result<abi::Values> clear_reverse(const abi::Value& in) {
    const net::Ipv6 address = address_from(in);
    const Row entry = reverse_row(address);
    const std::uint64_t id = entry.get64(layout::kReverseName);
    if (id == 0) return revert("clearReverse: the address has no name");
    const Address owner = entry.address(layout::kReverseOwner);
    const bool by_operator = state_of(id) == NameState::kLive && row(id).address(layout::kOwner) == owner &&
                             row(id).address(layout::kOperator) == input_.caller;
    if (owner != input_.caller && !by_operator)
      return revert("clearReverse: the name of the address is another account's");
    entry.set_word(0, uint256());
    context_.emit(market::make_log(Event::kNameReverseChanged, {abi::Value(address), std::string()}));
    return abi::Values{};
  }

  [[nodiscard]] Result<abi::Values> reverse(const abi::Value& in) const {
    const Row entry = reverse_row(address_from(in));
    const std::uint64_t id = entry.get64(layout::kReverseName);
    // The consent was given to one owner: it ends with the name's passing on.
    if (state_of(id) != NameState::kLive || row(id).address(layout::kOwner) != entry.address(layout::kReverseOwner))
      return one(abi::Value(std::string()));
    return one(abi::Value(row(id).text(layout::kName)));
  }

  // -------------------------------------------------------------- views

  [[nodiscard]] Address owner_of(const std::string& name) const {
    const std::uint64_t id = find(name);
    return state_of(id) == NameState::kLive ? row(id).address(layout::kOwner) : Address{};
  }
  [[nodiscard]] abi::Value records_of(const std::string& name) const {
    const std::uint64_t id = find(name);
    return abi::Value(state_of(id) == NameState::kLive ? row(id).bytes(layout::kRecords) : Bytes{});
  }
  /// INames.Name. One that is free shows nothing of its former owner, but its revision, which never falls.
  [[nodiscard]] abi::Value view(std::uint64_t id) const {
    const NameState state = state_of(id);
    const auto number = [](auto value) { return abi::Value(static_cast<std::uint64_t>(value)); };
    if (state == NameState::kFree) {
      const std::uint64_t revision = id == 0 ? 0 : row(id).get64(layout::kRevision);
      return abi::Values{id == 0 ? std::string() : row(id).text(layout::kName),
                         Address{},
                         Address{},
                         number(0),
                         number(0),
                         number(revision),
                         number(state),
                         Bytes{}};
    }
    const Row name = row(id);
    return abi::Values{name.text(layout::kName),
                       name.address(layout::kOwner),
                       name.address(layout::kOperator),
                       number(name.get64(layout::kRegisteredAt)),
                       number(name.get64(layout::kExpires)),
                       number(name.get64(layout::kRevision)),
                       number(state),
                       state == NameState::kLive ? name.bytes(layout::kRecords) : Bytes{}};
  }
  [[nodiscard]] Result<abi::Values> names_of(const Address& owner, std::uint64_t from, std::uint64_t limit) const {
    const U64Array list = owned(owner);
    const std::uint64_t all = list.size();
    abi::Values out;
    for (std::uint64_t i = from; i < all && out.size() < std::min(limit, kMaxPage); ++i) {
      if (context_.exhausted()) return revert("out of gas");
      out.push_back(view(list.at(i)));
    }
    return one(abi::Value(std::move(out)));
  }
  [[nodiscard]] Result<abi::Values> list(std::uint64_t from, std::uint64_t limit) const {
    const std::uint64_t all = count();
    abi::Values out;
    for (std::uint64_t i = from; i < all && out.size() < std::min(limit, kMaxPage); ++i) {
      if (context_.exhausted()) return revert("out of gas");
      out.push_back(view(i + 1));
    }
    return one(abi::Value(std::move(out)));
  }

  Context& context_;
  const CallInput& input_;
  const NameParams& params_;
};

}  // namespace

CallOutcome NamesContract::call(Host& host, const CallInput& input) const {
  // A chain that began without names treats the address as any account without code.
  if (host.block().genesis == nullptr || !exists_in(*host.block().genesis)) return {true, {}};
  Context context(host, Context::Metering::kCall);
  return dispatch(context, input, [&](const market::FunctionInfo& info, const abi::Values& arguments) {
    return Names(context, input).run(info.call, arguments);
  });
}

}  // namespace bonus::chain::contracts
