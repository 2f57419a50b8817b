// A small economy on a MemoryHost: workers with node keys, users with money, and shorthands for calls and views.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bonus/chain/contracts/memory_host_testing.hpp"
#include "bonus/codec/abi.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::chain::contracts {

class World {
 public:
  static constexpr std::uint64_t kStart = 1'700'000'000;
  explicit World(std::uint64_t seed = 1) : host_(make_genesis()) {
    host_.context().number = 1;
    host_.context().timestamp = kStart;
    host_.seed = seed;
    for (const auto& [account, amount] : host_.genesis().balances) supply_ += amount;
  }

  static Address account(std::uint8_t kind, std::uint16_t number) {
    Address out;
    out.bytes[0] = kind;
    out.bytes[18] = static_cast<std::uint8_t>(number >> 8);
    out.bytes[19] = static_cast<std::uint8_t>(number & 0xff);
    return out;
  }
  static Address user(std::uint16_t number) { return account(0xaa, number); }
  static Address worker(std::uint16_t number) { return account(0xbb, number); }
  static Address developer() { return account(0xdd, 1); }
  static Address foundation() { return account(0xff, 1); }

  static Genesis make_genesis() {
    Genesis genesis;
    genesis.chain_id = 4242;
    genesis.foundation = foundation();
    genesis.market.min_worker_bond = uint256(1'000'000U);
    // Accounts that tests use; all the money there is.
    for (std::uint16_t i = 0; i < 1024; ++i) {
      genesis.balances[worker(i)] = uint256(1'000'000'000'000ULL);
      genesis.balances[user(i)] = uint256(1'000'000'000'000'000ULL);
    }
    return genesis;
  }

  static crypto::Ed25519KeyPair key(std::uint16_t number) {
    crypto::Ed25519Seed seed;
    seed.bytes[0] = static_cast<std::uint8_t>(number & 0xff);
    seed.bytes[1] = static_cast<std::uint8_t>(number >> 8);
    seed.bytes[2] = 7;
    return crypto::Ed25519KeyPair::from_seed(seed);
  }

  /// Empty when it worked, else the revert text.
  std::string call(const Address& from, const Address& to, const Bytes& data, const uint256& value = {}) {
    const CallOutcome out = host_.send(from, to, data, value);
    output_ = out.output;
    return out.success ? std::string() : abi::decode_revert(out.output);
  }
  std::string market(const Address& from, const Bytes& data, const uint256& value = {}) {
    return call(from, kMarketAddress, data, value);
  }
  std::string nodes(const Address& from, const Bytes& data, const uint256& value = {}) {
    return call(from, kNodesAddress, data, value);
  }
  [[nodiscard]] std::uint64_t returned() const { return uint256::from_be(output_).low64(); }

  std::string register_worker(std::uint16_t number, std::uint8_t tier = 1, const std::string& region = "cn-shanghai",
                              const uint256& bond = uint256(1'000'000U)) {
    const auto pair = key(number);
    const auto signature = pair.sign(market::registration_digest(4242, worker(number)));
    return nodes(worker(number),
                 market::encode::register_node(pair.public_key(), signature, tier, region, "127.0.0.1:9000"), bond);
  }
  static market::OfferSpec offer_spec(std::uint32_t cpu = 4000, std::uint32_t memory = 8192, std::uint64_t price = 2) {
    market::OfferSpec spec;
    spec.capacity = {cpu, memory, 100'000};
    spec.prices = {uint256(price), uint256(1U), uint256()};
    spec.region = "cn-shanghai";
    return spec;
  }
  static market::OrderSpec order_spec(std::uint32_t cpu = 500, std::uint32_t memory = 256) {
    market::OrderSpec spec;
    spec.image = "hello:latest";
    spec.resources = {cpu, memory, 100};
    spec.max_price_per_second = uint256(1'000'000U);
    return spec;
  }
  /// Registered, with one offer; returns its id.
  std::uint64_t add_worker(std::uint16_t number, const market::OfferSpec& spec) {
    if (!register_worker(number, spec.tier, spec.region).empty()) return 0;
    return market(worker(number), market::encode::create_offer(spec)).empty() ? returned() : 0;
  }
  std::uint64_t add_worker(std::uint16_t number) { return add_worker(number, offer_spec()); }
  std::uint64_t add_order(std::uint16_t number, const market::OrderSpec& spec, const uint256& deposit) {
    return market(user(number), market::encode::create_order(spec), deposit).empty() ? returned() : 0;
  }

  market::Order order(std::uint64_t id) { return *market::decode::order(view(market::encode::get_order(id))); }
  market::Lease lease(std::uint64_t id) { return *market::decode::lease(view(market::encode::get_lease(id))); }
  market::Offer offer(std::uint64_t id) { return *market::decode::offer(view(market::encode::get_offer(id))); }
  std::vector<market::Lease> leases_of(std::uint64_t order_id) {
    return *market::decode::leases(view(market::encode::leases_of_order(order_id)));
  }
  std::vector<market::Lease> live_leases(std::uint16_t number) {
    return *market::decode::leases(view(market::encode::live_leases_of(worker(number))));
  }
  market::Node node(std::uint16_t number) {
    return *market::decode::node(host_.view(kNodesAddress, market::encode::node_of(worker(number))).output);
  }
  market::Explanation preflight(const market::OrderSpec& spec, const uint256& deposit) {
    return *market::decode::explanation(view(market::encode::preflight(spec, deposit)));
  }
  std::uint64_t seconds_left(std::uint64_t order_id) {
    return market::decode::number(view(market::encode::seconds_left(order_id)))->low64();
  }
  Bytes view(const Bytes& data) { return host_.view(kMarketAddress, data).output; }

  std::string start(std::uint16_t number, std::uint64_t lease_id) {
    return market(worker(number), market::encode::lease_started(lease_id, {8080}));
  }
  /// The number of the worker behind an account of worker().
  static std::uint16_t number_of(const Address& account) {
    return static_cast<std::uint16_t>(account.bytes[18] << 8 | account.bytes[19]);
  }
  /// Ends the block; workers in `beating` send a heartbeat in the next one.
  void block(std::uint64_t seconds = 1, const std::vector<std::uint16_t>& beating = {}) {
    host_.next_block(seconds);
    block_logs_ = host_.logs;
    for (const std::uint16_t number : beating) (void)nodes(worker(number), market::encode::heartbeat());
  }
  /// Logs of the hooks of the last block that ended.
  [[nodiscard]] const std::vector<Log>& block_logs() const { return block_logs_; }
  [[nodiscard]] std::size_t count(market::Event event) const {
    std::size_t out = 0;
    for (const Log& log : block_logs_) out += market::parse_log(event, log).has_value() ? 1 : 0;
    return out;
  }
  [[nodiscard]] std::string conservation() const { return host_.check_conservation(supply_); }
  [[nodiscard]] std::uint64_t now() const { return host_.block().timestamp; }
  MemoryHost& host() { return host_; }

 private:
  MemoryHost host_;
  uint256 supply_;
  Bytes output_;
  std::vector<Log> block_logs_;
};

}  // namespace bonus::chain::contracts
