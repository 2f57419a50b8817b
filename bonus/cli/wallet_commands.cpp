// `bonus wallet`: keys, balances, sending money.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "bonus/base/parse.hpp"
#include "bonus/cli/app.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/cli/node_api.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kEntropyBytes = 16;  // 12 words
constexpr std::size_t kMaxSecretBytes = 64 << 10;
constexpr Duration kSendTimeout = std::chrono::seconds(60);

struct NewOptions {
  std::string name = "default";
  bool mnemonic = false, no_password = false;
};

Result<std::string> new_password(Session& session, bool none) {
  if (none) return std::string();
  TRY_ASSIGN(auto password, session.password("password for the new wallet", true));
  if (password.empty())
    return fail(ErrorCode::kInvalid, "an empty password protects nothing; if you mean it, say --no-password");
  return password;
}

Result<int> added(Session& session, const WalletInfo& info, const std::string& phrase) {
  Console& console = session.console();
  if (console.json()) {
    json::object out{{"name", info.name}, {"address", crypto::to_checksum(info.address)}};
    if (!phrase.empty()) out["mnemonic"] = phrase;
    console.print(pretty(out));
    return kExitOk;
  }
  console.print(
      fmt::format("wallet {}  {}", console.paint(Colour::kBold, info.name), crypto::to_checksum(info.address)));
  if (!phrase.empty()) {
    console.print("");
    console.print("Write these words down; they are shown only now, and whoever has them has the money:");
    console.print("    " + phrase);
  }
  return kExitOk;
}

Result<int> make(Session& session, const NewOptions& options) {
  TRY_ASSIGN(const auto store, session.wallets());
  if (store.info(options.name))
    return fail(ErrorCode::kExists, fmt::format("the wallet \"{}\" exists already; choose another name", options.name));
  TRY_ASSIGN(const auto password, new_password(session, options.no_password));
  std::string phrase;
  const Hash32 entropy = crypto::random_secret();
  crypto::SecretKey256 key;
  if (options.mnemonic) {
    TRY_ASSIGN(phrase, crypto::mnemonic_from_entropy(entropy.view().first(kEntropyBytes)));
    TRY_ASSIGN(key, crypto::account_key(phrase, 0));
  } else {
    key.bytes = entropy.bytes;
  }
  TRY_ASSIGN(const auto info, store.add(options.name, key, password));
  return added(session, info, phrase);
}

struct ImportOptions {
  std::string name, file = "-";
  std::uint32_t index = 0;
  bool no_password = false;
};

Result<int> import(Session& session, const ImportOptions& options) {
  std::string text;
  if (options.file == "-") {
    if (isatty(STDIN_FILENO) == 1)
      session.console().note("Paste the phrase, the private key or the keystore, then Ctrl-D:");
    std::array<char, 4096> buffer{};
    while (text.size() <= kMaxSecretBytes) {
      const auto got = std::fread(buffer.data(), 1, buffer.size(), stdin);
      if (got == 0) break;
      text.append(buffer.data(), got);
    }
  } else {
    TRY_ASSIGN(text, read_text(options.file, kMaxSecretBytes));
  }
  std::string old_password;
  if (const auto first = text.find_first_not_of(" \t\r\n"); first != std::string::npos && text[first] == '{') {
    TRY_ASSIGN(old_password, session.password("password of the keystore", false));
  }
  TRY_ASSIGN(const auto key, parse_secret(text, options.index, old_password));
  TRY_ASSIGN(const auto store, session.wallets());
  std::string password = old_password;
  if (password.empty()) {
    TRY_ASSIGN(password, new_password(session, options.no_password));
  }
  TRY_ASSIGN(const auto info, store.add(options.name, key, password));
  return added(session, info, "");
}

Result<int> list(Session& session) {
  TRY_ASSIGN(const auto store, session.wallets());
  TRY_ASSIGN(const auto all, store.list());
  const auto chosen = session.wallet();
  Console& console = session.console();
  if (console.json()) {
    json::array out;
    for (const auto& wallet : all)
      out.push_back(json::object{{"name", wallet.name},
                                 {"address", crypto::to_checksum(wallet.address)},
                                 {"selected", chosen && chosen->name == wallet.name}});
    console.print(pretty(json::object{{"wallets", std::move(out)}, {"folder", store.folder()}}));
    return kExitOk;
  }
  if (all.empty()) {
    console.print("no wallet in " + store.folder() + "; make one: bonus wallet new");
    return kExitOk;
  }
  Table table({"", "NAME", "ADDRESS"});
  for (const auto& wallet : all)
    table.add({chosen && chosen->name == wallet.name ? "*" : "", wallet.name, crypto::to_checksum(wallet.address)});
  console.raw(table.to_string());
  return kExitOk;
}

Result<Address> account_named(Session& session, const std::string& text) {
  if (text.empty()) {
    TRY_ASSIGN(const auto info, session.wallet());
    return info.address;
  }
  if (text.starts_with("0x")) return crypto::parse_address(text);
  TRY_ASSIGN(const auto store, session.wallets());
  TRY_ASSIGN(const auto info, store.info(text));
  return info.address;
}

Result<int> balance(Session& session, const std::string& account) {
  TRY_ASSIGN(const auto address, account_named(session, account));
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  TRY_ASSIGN(const auto wei, rpc->balance(address));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(
        json::object{{"address", crypto::to_checksum(address)}, {"wei", wei.to_decimal()}, {"bnc", format_bnc(wei)}}));
  } else {
    console.print(fmt::format("{}  {} BNC", crypto::to_checksum(address), format_bnc(wei)));
  }
  return kExitOk;
}

struct SendOptions {
  std::string to, amount;
  bool wait = false;
};

Result<int> send(Session& session, const SendOptions& options) {
  TRY_ASSIGN(const auto amount, parse_bnc(options.amount));
  TRY_ASSIGN(const auto to, account_named(session, options.to));
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  TRY_ASSIGN(const auto key, session.key());
  TxCall call;
  call.to = to;
  call.value = amount;
  TRY_ASSIGN(const auto hash, rpc->send(key, call));
  Console& console = session.console();
  json::object out{{"hash", to_hex0x(hash)}, {"to", crypto::to_checksum(to)}, {"wei", amount.to_decimal()}};
  if (options.wait) {
    console.progress("waiting for the block ...");
    TRY_ASSIGN(const auto receipt, rpc->wait(hash, kSendTimeout));
    console.end_progress();
    out["block"] = receipt.block;
    out["fee"] = (receipt.gas_price * uint256(receipt.gas_used)).to_decimal();
  }
  if (console.json()) {
    console.print(pretty(out));
  } else {
    console.print(fmt::format("sent {} BNC to {}", format_bnc(amount), crypto::to_checksum(to)));
    console.print(options.wait ? fmt::format("in block {}  {}", json_number(out, "block"), to_hex0x(hash))
                               : to_hex0x(hash));
  }
  return kExitOk;
}

}  // namespace

void add_wallet_commands(App& app) {
  Session& session = app.session();
  CLI::App* group = app.group(app.root(), "wallet", "Keys and money");

  const auto fresh = std::make_shared<NewOptions>();
  CLI::App* leaf = app.leaf(*group, "new", "Make a wallet", [&session, fresh] { return make(session, *fresh); });
  leaf->add_option("name", fresh->name, "Its name")->capture_default_str();
  leaf->add_flag("--mnemonic", fresh->mnemonic, "Make it from 12 words (BIP-39), which are shown once");
  leaf->add_flag("--no-password", fresh->no_password, "Anyone who can read the file can use it");

  const auto in = std::make_shared<ImportOptions>();
  leaf = app.leaf(*group, "import",
                  "Take over a phrase, a private key or a V3 keystore, read from standard input or a file",
                  [&session, in] { return import(session, *in); });
  leaf->add_option("name", in->name, "Its name here")->required();
  leaf->add_option("file", in->file, "File, or - for standard input")->capture_default_str();
  leaf->add_option("--index", in->index, "Account of the phrase: m/44'/60'/0'/0/INDEX")->capture_default_str();
  leaf->add_flag("--no-password", in->no_password, "Anyone who can read the file can use it");

  app.leaf(*group, "list", "All wallets and the one in use", [&session] { return list(session); });

  const auto account = std::make_shared<std::string>();
  leaf = app.leaf(*group, "balance", "What an account has", [&session, account] { return balance(session, *account); });
  app.complete(leaf->add_option("account", *account, "Address or wallet; the wallet in use when absent"),
               WordKind::kWallet);

  const auto out = std::make_shared<SendOptions>();
  leaf = app.leaf(*group, "send", "Send money", [&session, out] { return send(session, *out); });
  app.complete(leaf->add_option("to", out->to, "Address or wallet")->required(), WordKind::kWallet);
  leaf->add_option("amount", out->amount, "BNC: 1.5; or \"100 gwei\", \"3 wei\"")
      ->required()
      ->check(checked_by(parse_bnc, "AMOUNT"));
  leaf->add_flag("--wait", out->wait, "Until it stands in a block");
}

}  // namespace bonus::cli
