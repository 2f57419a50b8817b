// Registration, heartbeats and leaving of nodes.
#include "bonus/chain/contracts/nodes.hpp"

#include "bonus/chain/contracts/market_state.hpp"
#include "bonus/chain/contracts/nodes_state.hpp"
#include "bonus/chain/contracts/outcome.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::chain::contracts {
namespace layout = nodes_layout;
namespace {

using market::Call;
using market::Event;
constexpr std::uint64_t kMaxList = 256;

struct Profile {
  std::uint8_t tier = 0;
  std::string region, endpoint;
};

Result<Profile> profile_from(const abi::Value& tier, const abi::Value& region, const abi::Value& endpoint) {
  if (tier.u64() > 2) return revert("tier: 0 Lite, 1 Normal or 2 Super");
  TRY(check_region(region.text()));
  if (endpoint.text().size() > 128) return revert("endpoint: at most 128 bytes");
  for (const char c : endpoint.text()) {
    if (c < '!' || c > '~') return revert("endpoint: only printable ASCII without spaces");
  }
  return Profile{static_cast<std::uint8_t>(tier.u64()), region.text(), endpoint.text()};
}

class Nodes {
 public:
  Nodes(Context& context, const CallInput& input)
      : context_(context), input_(input), state_(context), market_(context) {}

  Result<abi::Values> run(Call call, const abi::Values& arguments) {
    switch (call) {
      case Call::kRegister:
        return register_node(arguments);
      case Call::kUpdate:
        return update(arguments);
      case Call::kHeartbeat:
        return heartbeat();
      case Call::kLeave:
        return leave();
      case Call::kNodeOf:
        return node_of(arguments[0].address());
      case Call::kAccountOf:
        return market::one(abi::Value(address_of(account_slot(arguments[0].hash32()))));
      case Call::kCount:
        return market::one(abi::Value(global().word(layout::kRegistered)));
      case Call::kList:
        return list(arguments[0].u64(), arguments[1].u64());
      case Call::kRegistrationDigest:
        return market::one(abi::Value(market::registration_digest(context_.block().chain_id, arguments[0].address())));
      default:
        return revert("unknown function");
    }
  }

 private:
  [[nodiscard]] Row global() const { return {context_, kNodesAddress, uint256()}; }
  [[nodiscard]] uint256 account_slot(const Hash32& id) const {
    return context_.load(kNodesAddress, mapping_slot(uint256(layout::kAccountOf), uint256::from_be(id)));
  }
  void set_account(const Hash32& id, const uint256& account) const {
    context_.store(kNodesAddress, mapping_slot(uint256(layout::kAccountOf), uint256::from_be(id)), account);
  }

  [[nodiscard]] Result<std::uint32_t> own() const {
    const auto node = state_.find(input_.caller);
    if (!node) return revert("the caller is not a registered node");
    return *node;
  }

  Result<abi::Values> register_node(const abi::Values& arguments) {
    if (state_.find(input_.caller)) return revert("register: the account has a node already");
    Ed25519PublicKey key;
    key.bytes = arguments[0].hash32().bytes;
    const auto signature = Ed25519Signature::from(arguments[1].bytes());
    if (!signature) return revert("register: the signature has 64 bytes");
    TRY_ASSIGN(const Profile profile, profile_from(arguments[2], arguments[3], arguments[4]));
    if (input_.value < context_.params().min_worker_bond) {
      return revert("register: the bond is at least " + context_.params().min_worker_bond.to_decimal() + " wei");
    }
    Hash32 id;
    id.bytes = crypto::node_id(key).bytes;
    if (!account_slot(id).is_zero()) return revert("register: the node key belongs to another account");
    context_.charge(gas::kSignature);
    if (!crypto::ed25519_verify(key, market::registration_digest(context_.block().chain_id, input_.caller),
                                *signature)) {
      return revert("register: the node key did not sign this account (see registrationDigest)");
    }
    const auto before = state_.known(input_.caller);
    std::uint32_t node = 0;
    if (before) {
      node = *before;  // penalties and counts of an earlier registration stay
    } else {
      node = state_.size();
      if (node == UINT32_MAX) return revert("register: no more nodes");
      context_.store(kNodesAddress, uint256(layout::kNodes), uint256(std::uint64_t{node} + 1));
      context_.store(kNodesAddress, mapping_slot(uint256(layout::kIndexOf), number_of(input_.caller)),
                     uint256(std::uint64_t{node} + 1));
      state_.row(node).set(layout::kPenaltyBps, uint256(10'000U));
    }
    const Row row = state_.row(node);
    row.set_word(layout::kKey, uint256::from_be(key));
    row.set_word(layout::kId, uint256::from_be(id));
    row.set_word(layout::kBond, input_.value);
    row.set(layout::kRegisteredAt, uint256(context_.now()));
    row.set(layout::kLastHeartbeat, uint256(context_.now()));
    row.set(layout::kLastHeartbeatBlock, uint256(context_.height()));
    row.set(layout::kActive, uint256(1U));
    row.set(layout::kAccount, input_.caller);
    write_profile(row, profile);
    set_account(id, number_of(input_.caller));
    global().set_word(layout::kTotals, global().word(layout::kTotals) + input_.value);
    global().set_word(layout::kRegistered, global().word(layout::kRegistered) + uint256(1U));
    context_.emit(
        market::make_log(Event::kNodeRegistered, {input_.caller, id, key, uint256(profile.tier), profile.region}));
    return abi::Values{};
  }

  static void write_profile(const Row& row, const Profile& profile) {
    row.set(layout::kTier, uint256(profile.tier));
    row.set_text(layout::kRegion, profile.region);
    row.set_text(layout::kEndpoint, profile.endpoint);
  }

  Result<abi::Values> update(const abi::Values& arguments) {
    TRY_ASSIGN(const std::uint32_t node, own());
    TRY_ASSIGN(const Profile profile, profile_from(arguments[0], arguments[1], arguments[2]));
    const Row row = state_.row(node);
    if (row.get64(layout::kTier) != profile.tier &&
        market_.worker(node).get64(market_layout::worker::kOpenOffers) != 0) {
      return revert("update: close the offers before the tier changes");
    }
    write_profile(row, profile);
    context_.emit(market::make_log(Event::kNodeUpdated, {input_.caller, profile.region, profile.endpoint}));
    return abi::Values{};
  }

  Result<abi::Values> heartbeat() {
    TRY_ASSIGN(const std::uint32_t node, own());
    const Row row = state_.row(node);
    const bool was_out = row.get64(layout::kActive) == 0 || market_.stale(row.get64(layout::kLastHeartbeat));
    row.set(layout::kLastHeartbeat, uint256(context_.now()));
    row.set(layout::kLastHeartbeatBlock, uint256(context_.height()));
    row.set(layout::kActive, uint256(1U));
    market_.on_heartbeat(node);
    if (was_out) market_.book_changed();  // its offers count again
    return abi::Values{};
  }

  Result<abi::Values> leave() {
    TRY_ASSIGN(const std::uint32_t node, own());
    const Row worker = market_.worker(node);
    if (worker.get64(market_layout::worker::kLive) != 0) return revert("leave: the node has leases");
    if (worker.get64(market_layout::worker::kOpenOffers) != 0) return revert("leave: the node has open offers");
    const Row row = state_.row(node);
    const uint256 bond = row.word(layout::kBond);
    set_account(row.word(layout::kId).to_be(), uint256());
    row.set_word(layout::kKey, uint256());
    row.set_word(layout::kId, uint256());
    row.set_word(layout::kBond, uint256());
    row.set(layout::kRegisteredAt, uint256());
    row.set(layout::kActive, uint256());
    write_profile(row, {});
    global().set_word(layout::kTotals, global().word(layout::kTotals) - bond);
    global().set_word(layout::kRegistered, global().word(layout::kRegistered) - uint256(1U));
    context_.pay(kNodesAddress, input_.caller, bond);
    context_.emit(market::make_log(Event::kNodeLeft, {input_.caller, bond}));
    return abi::Values{};
  }

  [[nodiscard]] market::Node read(std::uint32_t node) const {
    const Row row = state_.row(node);
    market::Node out;
    out.node_key.bytes = row.word(layout::kKey).to_be().bytes;
    out.node_id.bytes = row.word(layout::kId).to_be().bytes;
    out.account = row.address(layout::kAccount);
    out.tier = static_cast<std::uint8_t>(row.get64(layout::kTier));
    out.region = row.text(layout::kRegion);
    out.endpoint = row.text(layout::kEndpoint);
    out.bond = row.word(layout::kBond);
    out.registered_at = row.get64(layout::kRegisteredAt);
    out.last_heartbeat = row.get64(layout::kLastHeartbeat);
    out.last_heartbeat_block = row.get64(layout::kLastHeartbeatBlock);
    out.interruptions = row.get32(layout::kInterruptions);
    out.penalty_bps = state_.penalty_bps(node);
    out.active = row.get64(layout::kActive) != 0;
    return out;
  }

  Result<abi::Values> node_of(const Address& account) const {
    const auto node = state_.find(account);
    if (node) return market::one(to_value(read(*node)));
    market::Node nobody;
    nobody.penalty_bps = 0;
    return market::one(to_value(nobody));
  }

  Result<abi::Values> list(std::uint64_t from, std::uint64_t limit) const {
    abi::Values out;
    const std::uint32_t all = state_.size();
    for (std::uint32_t node = 0; node < all && out.size() < std::min(limit, kMaxList); ++node) {
      if (state_.row(node).get64(layout::kRegisteredAt) == 0) continue;
      if (from != 0) {
        --from;
        continue;
      }
      if (context_.exhausted()) return revert("out of gas");
      out.push_back(to_value(read(node)));
    }
    return market::one(abi::Value(std::move(out)));
  }

  Context& context_;
  const CallInput& input_;
  NodesState state_;
  MarketState market_;
};

}  // namespace

CallOutcome NodesContract::call(Host& host, const CallInput& input) const {
  Context context(host, Context::Metering::kCall);
  return dispatch(context, input, [&](const market::FunctionInfo& info, const abi::Values& arguments) {
    return Nodes(context, input).run(info.call, arguments);
  });
}

uint256 NodesContract::liabilities(const Host& host) const {
  return host.load(kNodesAddress, uint256(layout::kTotals));
}

}  // namespace bonus::chain::contracts
