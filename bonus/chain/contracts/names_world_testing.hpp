// A chain with names on a MemoryHost, and shorthands for its calls and views.
#pragma once

#include <string>
#include <utility>

#include "bonus/chain/api/name_records.hpp"
#include "bonus/chain/api/names.hpp"
#include "bonus/chain/contracts/memory_host_testing.hpp"
#include "bonus/codec/abi.hpp"

namespace bonus::chain::contracts {

class NamesWorld {
 public:
  static constexpr std::uint64_t kStart = 1'700'000'000, kYear = names::kYearSeconds, kDay = 86'400;
  static uint256 bnc(std::uint64_t amount) { return uint256(amount) * uint256(1'000'000'000'000'000'000ULL); }
  static Address user(std::uint8_t number) {
    Address out;
    out.bytes[0] = 0xaa;
    out.bytes[19] = number;
    return out;
  }
  static Address foundation() {
    Address out;
    out.bytes[0] = 0xff;
    return out;
  }
  static Genesis make_genesis() {
    Genesis out;
    out.chain_id = 4242;
    out.foundation = foundation();
    out.names = NameParams{};
    for (std::uint8_t i = 1; i <= 8; ++i) out.balances[user(i)] = bnc(100'000);
    return out;
  }
  explicit NamesWorld(Genesis genesis = make_genesis()) : host_(std::move(genesis)) {
    host_.context().number = 1;
    host_.context().timestamp = kStart;
    for (const auto& [account, amount] : host_.genesis().balances) supply_ += amount;
  }

  /// Empty when it worked, else the revert text.
  std::string send(const Address& from, const Bytes& data, const uint256& value = {}, std::uint64_t gas = 30'000'000) {
    const CallOutcome out = host_.send(from, kNamesAddress, data, value, gas);
    output_ = out.output;
    return out.success ? std::string() : abi::decode_revert(out.output);
  }
  [[nodiscard]] Bytes view(const Bytes& data) { return host_.view(kNamesAddress, data).output; }
  static Hash32 secret(std::uint8_t number) {
    Hash32 out;
    out.bytes[31] = number;
    return out;
  }
  std::string commit(std::uint8_t from, const std::string& name, std::uint64_t duration, std::uint8_t number) {
    return send(user(from), names::encode::commit(names::commitment(name, user(from), duration, secret(number))));
  }
  std::string reveal(std::uint8_t from, const std::string& name, std::uint64_t duration, std::uint8_t number,
                     const uint256& value) {
    return send(user(from), names::encode::register_name(name, user(from), duration, secret(number)), value);
  }
  /// Commits, waits, registers with plenty of money.
  std::string register_name(std::uint8_t from, const std::string& name, std::uint64_t duration = kYear) {
    const std::uint8_t number = ++secrets_;
    if (std::string out = commit(from, name, duration, number); !out.empty()) return out;
    pass(10);
    return reveal(from, name, duration, number, bnc(10'000));
  }
  std::string renew(std::uint8_t from, const std::string& name, std::uint64_t duration, const uint256& value) {
    return send(user(from), names::encode::renew(name, duration), value);
  }
  std::string set_records(std::uint8_t from, const std::string& name, const names::NameRecords& records) {
    return send(user(from), names::encode::set_records(name, names::encode_records(records).value()));
  }
  void pass(std::uint64_t seconds) { host_.next_block(seconds); }

  names::NameInfo info(const std::string& name) { return *names::decode::name(view(names::encode::get_name(name))); }
  Address owner(const std::string& name) { return *names::decode::owner(view(names::encode::owner(name))); }
  bool available(const std::string& name) { return *names::decode::available(view(names::encode::available(name))); }
  std::vector<std::string> names_of(std::uint8_t number) {
    std::vector<std::string> out;
    for (const auto& info : *names::decode::names(view(names::encode::names_of(user(number), 0, 64))))
      out.push_back(info.name);
    std::ranges::sort(out);
    return out;
  }
  [[nodiscard]] uint256 balance(const Address& account) const { return host_.balance(account); }
  [[nodiscard]] std::uint64_t now() const { return host_.block().timestamp; }
  /// "" or what is wrong: nothing was made or lost, and the contract keeps nothing.
  [[nodiscard]] std::string conservation() const { return host_.check_conservation(supply_); }
  [[nodiscard]] const Bytes& output() const { return output_; }
  MemoryHost& host() { return host_; }

 private:
  MemoryHost host_;
  uint256 supply_;
  Bytes output_;
  std::uint8_t secrets_ = 100;
};

}  // namespace bonus::chain::contracts
