// `bonus name`: names under .bonus and their records.
#include "bonus/cli/name_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "bonus/base/parse.hpp"
#include "bonus/chain/api/host.hpp"
#include "bonus/cli/app.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace names = chain::names;

constexpr Duration kTimeout = std::chrono::seconds(60);
constexpr std::size_t kMaxListed = 1000;
constexpr std::uint32_t kDefaultTtl = 300;

struct SetOptions {
  std::string host, type;
  std::vector<std::string> value;
  std::uint32_t ttl = kDefaultTtl;
  bool add = false;
};

std::string full_name(const std::string& below, const std::string& name) {
  return below.empty() ? name + ".bonus" : fmt::format("{}.{}.bonus", below, name);
}

/// Sends a call to Names and waits for its block.
Result<TxReceipt> send(Session& session, Bytes data, const uint256& value, std::string_view progress) {
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  TRY_ASSIGN(const auto key, session.key());
  TxCall call;
  call.to = chain::kNamesAddress;
  call.value = value;
  call.data = std::move(data);
  session.console().progress(progress);
  auto receipt = rpc->execute(key, call, kTimeout);
  session.console().end_progress();
  return receipt;
}

Result<names::NameInfo> existing(NameClient& client, const std::string& name) {
  TRY_ASSIGN(auto info, client.find(name));
  if (info.state == names::NameState::kFree)
    return fail(ErrorCode::kNotFound, fmt::format("{}.bonus is free; take it: bonus name register {}", name, name));
  return info;
}

json::object done(const TxReceipt& receipt, const names::NameInfo& info) {
  json::object out = to_json(info);
  out["hash"] = to_hex0x(receipt.hash);
  out["block"] = receipt.block;
  return out;
}

Result<int> renew(Session& session, const std::string& text, const std::string& term) {
  TRY_ASSIGN(const auto name, names::parse_name(text));
  TRY_ASSIGN(const auto duration, parse_term(term.empty() ? "1y" : term));
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  NameClient client(*rpc);
  TRY(existing(client, name));
  TRY_ASSIGN(const auto price, client.price(name, duration));
  TRY_ASSIGN(const auto receipt, send(session, names::encode::renew(name, duration), price, "renewing ..."));
  TRY_ASSIGN(const auto info, client.find(name));
  Console& console = session.console();
  if (console.json()) {
    json::object out = done(receipt, info);
    out["paid"] = price.to_decimal();
    console.print(pretty(out));
  } else {
    console.print(
        fmt::format("{}.bonus is registered until {}; paid {} BNC", name, utc_text(info.expires), short_bnc(price)));
  }
  return kExitOk;
}

Result<int> transfer(Session& session, const std::string& text, const std::string& receiver) {
  TRY_ASSIGN(const auto name, names::parse_name(text));
  TRY_ASSIGN(const auto to, crypto::parse_address(receiver));
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  NameClient client(*rpc);
  TRY(existing(client, name));
  TRY_ASSIGN(const auto receipt, send(session, names::encode::transfer(name, to), {}, "handing over ..."));
  TRY_ASSIGN(const auto info, client.find(name));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(done(receipt, info)));
  } else {
    console.print(
        fmt::format("{}.bonus belongs to {} now; its records are as they were", name, crypto::to_checksum(to)));
  }
  return kExitOk;
}

Result<int> approve(Session& session, const std::string& text, const std::string& manager) {
  TRY_ASSIGN(const auto name, names::parse_name(text));
  Address account;
  if (manager != "none") {
    TRY_ASSIGN(account, crypto::parse_address(manager));
  }
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  NameClient client(*rpc);
  TRY(existing(client, name));
  TRY_ASSIGN(const auto receipt, send(session, names::encode::approve(name, account), {}, "approving ..."));
  TRY_ASSIGN(const auto info, client.find(name));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(done(receipt, info)));
  } else if (account.is_zero()) {
    console.print(fmt::format("only its owner sets the records of {}.bonus", name));
  } else {
    console.print(fmt::format("{} may set the records of {}.bonus", crypto::to_checksum(account), name));
  }
  return kExitOk;
}

Result<names::NameRecords> records_of(const names::NameInfo& info) {
  auto records = names::decode_records(info.records);
  if (!records) return fail(std::move(records).error().wrap(fmt::format("the records of {}.bonus", info.name)));
  return records;
}

std::string record_table(const names::NameRecords& records, const std::string& name) {
  Table table({"NAME", "TYPE", "TTL", "VALUE"});
  for (const auto& record : records)
    table.add({full_name(record.name, name), std::string(names::to_string(record.type())), seconds_text(record.ttl_s),
               printable(names::value_text(record))});
  return table.to_string();
}

Result<int> show(Session& session, const std::string& text) {
  TRY_ASSIGN(const auto name, names::parse_name(text));
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  NameClient client(*rpc);
  TRY_ASSIGN(auto info, client.find(name));
  info.name = name;
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(to_json(info)));
    return kExitOk;
  }
  if (info.state == names::NameState::kFree) {
    TRY_ASSIGN(const auto price, client.price(name, names::kYearSeconds));
    console.print(fmt::format("{}.bonus is free; a year costs {} BNC: bonus name register {}",
                              console.paint(Colour::kBold, name), short_bnc(price), name));
    return kExitOk;
  }
  TRY_ASSIGN(const auto records, records_of(info));
  console.print(fmt::format("{}.bonus  {}", console.paint(Colour::kBold, name),
                            info.state == names::NameState::kLive
                                ? "live"
                                : "expired: it resolves again when somebody renews it, until it is released"));
  const auto line = [&](std::string_view label, const std::string& value) {
    console.print(fmt::format("  {:<14}{}", label, value));
  };
  line("owner", crypto::to_checksum(info.owner));
  if (!info.manager.is_zero()) line("operator", crypto::to_checksum(info.manager));
  line("registered", utc_text(info.registered_at));
  line("expires", utc_text(info.expires));
  line("revision", std::to_string(info.revision));
  if (!records.empty()) console.raw(record_table(records, name));
  return kExitOk;
}

Result<int> records(Session& session, const std::string& text) {
  TRY_ASSIGN(const auto host, names::parse_host(text));
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  NameClient client(*rpc);
  TRY_ASSIGN(const auto info, existing(client, host.name));
  TRY_ASSIGN(auto found, records_of(info));
  if (!host.below.empty()) std::erase_if(found, [&](const names::Record& record) { return record.name != host.below; });
  Console& console = session.console();
  if (console.json()) {
    json::array out;
    for (const auto& record : found) out.push_back(to_json(record, host.name));
    console.print(pretty(json::object{{"name", full_name(host.below, host.name)}, {"records", std::move(out)}}));
  } else if (found.empty()) {
    console.print(fmt::format("{} has no records", full_name(host.below, host.name)));
  } else {
    console.raw(record_table(found, host.name));
  }
  return kExitOk;
}

/// Writes the changed list and prints it.
Result<int> store(Session& session, NameClient& client, const std::string& name, const names::NameRecords& changed) {
  TRY_ASSIGN(const auto encoded, names::encode_records(changed));
  TRY_ASSIGN(const auto receipt, send(session, names::encode::set_records(name, encoded), {},
                                      fmt::format("writing the records of {}.bonus ...", name)));
  TRY_ASSIGN(const auto info, client.find(name));
  TRY_ASSIGN(const auto now, records_of(info));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(done(receipt, info)));
  } else if (now.empty()) {
    console.print(fmt::format("{}.bonus has no records any more", name));
  } else {
    console.raw(record_table(now, name));
  }
  return kExitOk;
}

Result<int> set(Session& session, const SetOptions& options) {
  TRY_ASSIGN(const auto host, names::parse_host(options.host));
  TRY_ASSIGN(const auto type, names::parse_record_type(options.type));
  TRY_ASSIGN(const auto record, names::parse_record(host.below, type, options.ttl, options.value));
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  NameClient client(*rpc);
  TRY_ASSIGN(const auto info, existing(client, host.name));
  TRY_ASSIGN(auto all, records_of(info));
  const auto same_set = [&](const names::Record& other) { return other.name == record.name && other.type() == type; };
  if (options.add) {
    std::erase_if(all, [&](const names::Record& other) { return same_set(other) && other.data == record.data; });
    for (auto& other : all)
      if (same_set(other)) other.ttl_s = record.ttl_s;  // one TTL for all of them (RFC 2181)
  } else {
    std::erase_if(all, same_set);
  }
  all.push_back(record);
  return store(session, client, host.name, all);
}

Result<int> unset(Session& session, const std::string& text, const std::string& type_text) {
  TRY_ASSIGN(const auto host, names::parse_host(text));
  std::optional<names::RecordType> type;
  if (!type_text.empty()) {
    TRY_ASSIGN(type, names::parse_record_type(type_text));
  }
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  NameClient client(*rpc);
  TRY_ASSIGN(const auto info, existing(client, host.name));
  TRY_ASSIGN(auto all, records_of(info));
  const auto gone = std::erase_if(
      all, [&](const names::Record& record) { return record.name == host.below && (!type || record.type() == *type); });
  if (gone == 0)
    return fail(ErrorCode::kNotFound, fmt::format("{} has no such record; see: bonus name records {}.bonus",
                                                  full_name(host.below, host.name), host.name));
  return store(session, client, host.name, all);
}

Result<int> list(Session& session, const std::string& account) {
  Address owner;
  if (account.empty()) {
    TRY_ASSIGN(const auto wallet, session.wallet());
    owner = wallet.address;
  } else {
    TRY_ASSIGN(owner, crypto::parse_address(account));
  }
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  NameClient client(*rpc);
  TRY_ASSIGN(const auto found, client.names_of(owner, kMaxListed));
  Console& console = session.console();
  if (console.json()) {
    json::array out;
    for (const auto& info : found) out.push_back(to_json(info));
    console.print(pretty(json::object{{"owner", crypto::to_checksum(owner)}, {"names", std::move(out)}}));
    return kExitOk;
  }
  if (found.empty()) {
    console.print(fmt::format("{} has no name; take one: bonus name register NAME", crypto::to_checksum(owner)));
    return kExitOk;
  }
  Table table({"NAME", "STATE", "EXPIRES", "OPERATOR", "RECORDS"});
  for (const auto& info : found) {
    const auto decoded = names::decode_records(info.records);
    table.add({info.name + ".bonus", std::string(to_string(info.state)), utc_text(info.expires),
               info.manager.is_zero() ? "-" : short_address(info.manager),
               decoded ? std::to_string(decoded->size()) : "-"});
  }
  console.raw(table.to_string());
  return kExitOk;
}

Result<int> price(Session& session, const std::string& text, const std::string& term) {
  TRY_ASSIGN(const auto name, names::parse_name(text));
  TRY_ASSIGN(const auto duration, parse_term(term.empty() ? "1y" : term));
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  NameClient client(*rpc);
  TRY_ASSIGN(const auto wei, client.price(name, duration));
  TRY_ASSIGN(const auto info, client.find(name));
  const bool free = info.state == names::NameState::kFree;
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(json::object{
        {"name", name + ".bonus"}, {"duration_s", duration}, {"price", wei.to_decimal()}, {"available", free}}));
  } else {
    console.print(fmt::format("{}.bonus for {}: {} BNC{}", name, term_text(duration), short_bnc(wei),
                              free ? "" : fmt::format("; taken until {}", utc_text(info.expires))));
  }
  return kExitOk;
}

}  // namespace

json::object to_json(const names::Record& in, const std::string& name) {
  return {{"name", full_name(in.name, name)},
          {"type", names::to_string(in.type())},
          {"ttl", in.ttl_s},
          {"value", names::value_text(in)}};
}

json::object to_json(const names::NameInfo& in) {
  json::object out{{"name", in.name + ".bonus"}, {"state", names::to_string(in.state)}};
  if (in.state != names::NameState::kFree) {
    out["owner"] = crypto::to_checksum(in.owner);
    out["operator"] = in.manager.is_zero() ? json::value() : json::value(crypto::to_checksum(in.manager));
    out["registered_at"] = in.registered_at;
    out["expires"] = in.expires;
  }
  out["revision"] = in.revision;
  json::array list;
  if (const auto records = names::decode_records(in.records))
    for (const auto& record : *records) list.push_back(to_json(record, in.name));
  out["records"] = std::move(list);
  return out;
}

void add_name_commands(App& app) {
  Session& session = app.session();
  CLI::App* group = app.group(app.root(), "name", "Names under .bonus and what answers for them");
  const auto name_check = checked_by(names::parse_name, "NAME");
  const auto host_check = checked_by(names::parse_host, "NAME");
  const auto term_check = checked_by(parse_term, "TIME");
  const auto address_check = checked_by(crypto::parse_address, "ADDRESS");
  const auto types = std::vector<std::string>{"AAAA", "TXT", "SRV", "ALIAS", "NODEKEY"};
  const auto own_name = [&](CLI::App* leaf, std::string& into, const CLI::Validator& check) {
    app.complete(leaf->add_option("name", into, "alice or alice.bonus")->required()->check(check), WordKind::kName);
  };

  const auto order = std::make_shared<RegisterOptions>();
  CLI::App* leaf = app.leaf(*group, "register", "Take a name: commit, wait, pay; run it again when it was interrupted",
                            [&session, order] { return register_name(session, *order); });
  leaf->add_option("name", order->name, "3 to 63 of a-z, 0-9 and hyphen")->required()->check(name_check);
  leaf->add_option("--for", order->term, "For how long: 1y (default), 90d, 2y180d")->check(term_check);
  leaf->add_option("--owner", order->owner, "The owner, when it is not the wallet's account")->check(address_check);

  struct Words {
    std::string name, other;
  };
  const auto word = [](CLI::App* at, const std::shared_ptr<Words>& in, std::string option, std::string text) {
    return at->add_option(std::move(option), in->other, std::move(text));
  };
  auto in = std::make_shared<Words>();
  leaf = app.leaf(*group, "renew", "Pay for more time; anybody may, until the grace period ends",
                  [&session, in] { return renew(session, in->name, in->other); });
  own_name(leaf, in->name, name_check);
  word(leaf, in, "--for", "For how long: 1y (default), 90d")->check(term_check);

  in = std::make_shared<Words>();
  leaf = app.leaf(*group, "transfer", "Give a name to another account, at once and for good",
                  [&session, in] { return transfer(session, in->name, in->other); });
  own_name(leaf, in->name, name_check);
  word(leaf, in, "to", "The new owner's address")->required()->check(address_check);

  in = std::make_shared<Words>();
  leaf = app.leaf(*group, "approve", "Let another account set the records, or nobody (none)",
                  [&session, in] { return approve(session, in->name, in->other); });
  own_name(leaf, in->name, name_check);
  word(leaf, in, "operator", "Its address, or none")->required();

  in = std::make_shared<Words>();
  leaf = app.leaf(*group, "show", "Who has a name, until when, and its records",
                  [&session, in] { return show(session, in->name); });
  own_name(leaf, in->name, name_check);

  in = std::make_shared<Words>();
  leaf = app.leaf(*group, "records", "The records of a name, or of one name below it",
                  [&session, in] { return records(session, in->name); });
  own_name(leaf, in->name, host_check);

  const auto change = std::make_shared<SetOptions>();
  leaf =
      app.leaf(*group, "set", "Set a record: AAAA fd00::1 | TXT words | SRV 0 5 80 TARGET | ALIAS TARGET | NODEKEY hex",
               [&session, change] { return set(session, *change); });
  own_name(leaf, change->host, host_check);
  app.complete(leaf->add_option("type", change->type, "AAAA, TXT, SRV, ALIAS or NODEKEY")
                   ->required()
                   ->check(checked_by(names::parse_record_type, "TYPE")),
               WordKind::kWords, types);
  leaf->add_option("value", change->value, "An address; text; PRIORITY WEIGHT PORT TARGET; a name; a public key")
      ->required();
  leaf->add_option("--ttl", change->ttl, "Seconds that others may remember it")
      ->capture_default_str()
      ->check(CLI::Range(0U, names::kMaxTtlSeconds));
  leaf->add_flag("--add", change->add, "Beside the records of this type that there are, instead of in their place");

  in = std::make_shared<Words>();
  leaf = app.leaf(*group, "unset", "Take the records of a name away, all or those of one type",
                  [&session, in] { return unset(session, in->name, in->other); });
  own_name(leaf, in->name, host_check);
  app.complete(
      word(leaf, in, "type", "AAAA, TXT, SRV, ALIAS or NODEKEY")->check(checked_by(names::parse_record_type, "TYPE")),
      WordKind::kWords, types);

  const auto consent = std::make_shared<ReverseOptions>();
  leaf = app.leaf(*group, "reverse", "Let a node's address answer with the name (PTR); its key must agree",
                  [&session, consent] { return set_reverse(session, *consent); });
  own_name(leaf, consent->name, name_check);
  leaf->add_option("--key-file", consent->key_file, "The node's key file (node.key_file of bonusd)")
      ->required()
      ->type_name("FILE");
  leaf->add_option("--container", consent->container, "The address of this container of the node: lease-42");
  leaf->add_flag("--clear", consent->clear, "No name for the address any more");

  in = std::make_shared<Words>();
  leaf = app.leaf(*group, "list", "Names of the wallet or of an account",
                  [&session, in] { return list(session, in->other); });
  word(leaf, in, "account", "An address instead of the wallet")->check(address_check);

  in = std::make_shared<Words>();
  leaf = app.leaf(*group, "price", "What a name costs, and whether it is free",
                  [&session, in] { return price(session, in->name, in->other); });
  leaf->add_option("name", in->name, "The name")->required()->check(name_check);
  word(leaf, in, "--for", "For how long: 1y (default), 90d")->check(term_check);
}

}  // namespace bonus::cli
