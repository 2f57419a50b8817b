// `bonus name register`: commit, wait, reveal. Every step may be the last one before a crash; running it again goes on.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <filesystem>

#include "bonus/base/parse.hpp"
#include "bonus/chain/api/host.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/cli/name_commands.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/crypto/keys.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace names = chain::names;

constexpr Duration kTimeout = std::chrono::seconds(60);
/// Blocks without work come every few seconds; a chain that has stopped shows in this time.
constexpr Duration kNoBlockPatience = std::chrono::seconds(60);
constexpr Duration kPoll = std::chrono::milliseconds(300);

class Registration {
 public:
  Registration(Session& session, RpcClient& rpc, PendingNames files, PendingName pending)
      : session_(session), rpc_(rpc), client_(rpc), files_(std::move(files)), pending_(std::move(pending)) {}

  /// The receipt of register(), or nothing when an earlier run had finished already.
  Result<std::optional<TxReceipt>> run(const names::Rules& rules, const uint256& price) {
    TRY_ASSIGN(const auto since, commit(rules));
    TRY(wait_until(since + rules.min_commitment_age_s));
    progress(fmt::format("registering {}.bonus ...", pending_.name));
    TxCall call;
    call.to = chain::kNamesAddress;
    call.value = price;
    call.data = names::encode::register_name(pending_.name, pending_.owner, pending_.duration_s, pending_.secret);
    TRY_ASSIGN(const auto key, session_.key());
    auto receipt = rpc_.execute(key, call, kTimeout);
    if (receipt) {
      files_.remove(pending_);
      return std::optional(*std::move(receipt));
    }
    // The transaction of a run that was killed may have been faster.
    const auto info = client_.find(pending_.name);
    if (info && info->state == names::NameState::kLive && info->owner == pending_.owner) {
      files_.remove(pending_);
      return std::nullopt;
    }
    if (info && info->state != names::NameState::kFree) files_.remove(pending_);
    return fail(std::move(receipt).error().wrap(fmt::format("{}.bonus", pending_.name)));
  }

 private:
  void progress(std::string_view text) { session_.console().progress(text); }

  Result<UnixSeconds> commit(const names::Rules& rules) {
    const Hash32 commitment = pending_.commitment();
    TRY_ASSIGN(UnixSeconds since, client_.committed_at(commitment));
    TRY_ASSIGN(const UnixSeconds now, client_.chain_time());
    // A minute to spare for the reveal.
    if (since != 0 && now + 60 < since + rules.max_commitment_age_s) return since;
    progress(fmt::format("committing to {}.bonus, without showing the name ...", pending_.name));
    TxCall call;
    call.to = chain::kNamesAddress;
    call.data = names::encode::commit(commitment);
    TRY_ASSIGN(const auto key, session_.key());
    TRY(rpc_.execute(key, call, kTimeout));
    TRY_ASSIGN(since, client_.committed_at(commitment));
    if (since == 0)
      return fail(ErrorCode::kConflict, "the commitment is in a block, but the node does not show it; try again");
    return since;
  }

  Result<> wait_until(UnixSeconds when) {
    Instant patience = runtime::system_clock().now() + kNoBlockPatience;
    UnixSeconds last = 0;
    for (;;) {
      TRY_ASSIGN(const UnixSeconds now, client_.chain_time());
      if (now >= when) return {};
      if (now != last) patience = runtime::system_clock().now() + kNoBlockPatience;
      last = now;
      if (runtime::system_clock().now() >= patience)
        return fail(
            ErrorCode::kTimeout,
            fmt::format("the chain makes no blocks; run the same command again to go on with {}.bonus", pending_.name));
      progress(fmt::format("the commitment must be {} s older, so that nobody who sees the name can be faster ...",
                           when - now));
      sleep_blocking(kPoll);
    }
  }

  Session& session_;
  RpcClient& rpc_;
  NameClient client_;
  PendingNames files_;
  PendingName pending_;
};

Result<> refuse_taken(const names::NameInfo& info, const Address& owner) {
  if (info.state == names::NameState::kFree) return {};
  if (info.owner == owner)
    return fail(ErrorCode::kExists, fmt::format("{}.bonus is registered for this account already, until {}; for more "
                                                "time: bonus name renew {}",
                                                info.name, utc_text(info.expires), info.name));
  return fail(ErrorCode::kExists,
              fmt::format("{}.bonus belongs to {} {} {}", info.name, crypto::to_checksum(info.owner),
                          info.state == names::NameState::kLive ? "until" : "and expired", utc_text(info.expires)));
}

}  // namespace

Result<int> register_name(Session& session, const RegisterOptions& options) {
  TRY_ASSIGN(const std::string name, names::parse_name(options.name));
  TRY_ASSIGN(const auto wallet, session.wallet());
  Address owner = wallet.address;
  if (!options.owner.empty()) {
    TRY_ASSIGN(owner, crypto::parse_address(options.owner));
  }
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  NameClient client(*rpc);
  TRY_ASSIGN(const auto rules, client.rules());
  TRY_ASSIGN(const auto genesis, client.genesis_hash());
  TRY_ASSIGN(const auto store, session.wallets());
  const PendingNames files((std::filesystem::path(store.folder()).parent_path() / "registrations").string(), genesis);
  TRY_ASSIGN(auto pending, files.load(name, owner));
  Console& console = session.console();
  const bool resumed = pending.has_value();
  std::uint64_t duration = names::kYearSeconds;
  if (!options.term.empty()) {
    TRY_ASSIGN(duration, parse_term(options.term));
  }
  if (pending && !options.term.empty() && pending->duration_s != duration) pending.reset();  // another wish: begin anew

  TRY_ASSIGN(auto info, client.find(name));
  std::optional<TxReceipt> receipt;
  // Finished by a run that was killed before it could say so.
  const bool finished = resumed && info.state == names::NameState::kLive && info.owner == owner;
  if (finished && pending) files.remove(*pending);
  if (!finished) {
    TRY(refuse_taken(info, owner));
    if (!pending) {
      pending = PendingName{name, owner, duration, crypto::random_secret()};
    } else {
      console.note(fmt::format("Going on with the registration of {}.bonus that was begun before.", name));
    }
    TRY_ASSIGN(const auto price, client.price(name, pending->duration_s));
    TRY_ASSIGN(const auto balance, rpc->balance(wallet.address));
    if (balance < price)
      return fail(ErrorCode::kExhausted,
                  fmt::format("{}.bonus costs {} BNC for {}; the wallet \"{}\" has {} BNC", name, short_bnc(price),
                              term_text(pending->duration_s), wallet.name, short_bnc(balance)));
    TRY(files.save(*pending));
    Registration registration(session, *rpc, files, *pending);
    TRY_ASSIGN(receipt, registration.run(rules, price));
    console.end_progress();
    TRY_ASSIGN(info, client.find(name));
  }
  uint256 paid;
  if (receipt)
    for (const auto& log : receipt->logs)
      if (const auto event = names::event::registered(log)) paid = event->paid;
  if (console.json()) {
    json::object out = to_json(info);
    out["resumed"] = resumed;
    if (receipt) {
      out["paid"] = paid.to_decimal();
      out["hash"] = to_hex0x(receipt->hash);
      out["block"] = receipt->block;
    }
    console.print(pretty(out));
    return kExitOk;
  }
  console.print(fmt::format("{}.bonus belongs to {} until {}{}", console.paint(Colour::kBold, name),
                            crypto::to_checksum(info.owner), utc_text(info.expires),
                            receipt ? fmt::format("; paid {} BNC", short_bnc(paid)) : ""));
  if (info.records.empty())
    console.note(fmt::format("Nothing answers for it yet: bonus name set {}.bonus ALIAS lease-1.bonus", name));
  return kExitOk;
}

}  // namespace bonus::cli
