// `bonus net invite|invites|revoke`: stock WireGuard clients at a gateway.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "bonus/cli/format.hpp"
#include "bonus/cli/net_commands.hpp"
#include "bonus/cli/qr_text.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxConfigBytes = 2'048;
constexpr std::size_t kKeyCharacters = 44;  // 32 bytes in base64

struct InviteOptions {
  std::string name = "phone", public_key, out;
  bool exit = false, no_qr = false;
};

Result<ApiRequest> signed_request(Session& session, std::string_view method, std::string_view route) {
  TRY_ASSIGN(auto request, net_request(session, route));
  request.method = method;
  TRY_ASSIGN(request.key, session.key());
  return request;
}

/// The text of a node for a terminal or a file: line by line, without control characters.
std::string clean_lines(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += printable(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// What is redirected into a file is to be a file that wg-quick reads.
std::string as_comment(std::string_view text) {
  std::string out = "\n";
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    out += fmt::format("# {}\n", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

Result<std::string> check_public_key(const std::string& text) {
  const auto is_base64 = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  if (text.size() != kKeyCharacters || text.back() != '=' || !std::all_of(text.begin(), text.end() - 1, is_base64))
    return fail(ErrorCode::kInvalid, "a WireGuard public key has 44 characters of base64, as `wg pubkey` prints it");
  return text;
}

Result<int> invite(Session& session, const InviteOptions& options) {
  TRY_ASSIGN(auto request, signed_request(session, "POST", "invites"));
  json::object body{{"name", options.name}, {"exit", options.exit}};
  if (!options.public_key.empty()) body["public_key"] = options.public_key;
  request.body = json::serialize(body);
  TRY_ASSIGN(const auto answer, api_call(request));
  const std::string config = clean_lines(json_text(answer, "config"));
  if (config.empty() || config.size() > kMaxConfigBytes)
    return fail(ErrorCode::kInvalid, "the gateway sent no usable configuration");
  if (!options.out.empty()) TRY(write_text(options.out, config, 0600));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(answer));
    return kExitOk;
  }
  console.note(fmt::format("{} has {} at the gateway {}{}", cell(answer, "name"), cell(answer, "address"),
                           cell(answer, "gateway"), json_flag(answer, "exit") ? ", and the Internet through it" : ""));
  if (options.out.empty()) {
    console.raw(config);
  } else {
    console.print(fmt::format("written to {}", options.out));
  }
  const bool has_key = config.find("PrivateKey") != std::string::npos;
  if (has_key && !options.no_qr) {
    TRY_ASSIGN(const auto code, qr_text(config, console.out_is_tty()));
    console.raw(console.out_is_tty() || !options.out.empty() ? "\n" + code : as_comment(code));
  }
  if (has_key) console.note("The private key in it is shown only now; whoever has it is this device.");
  console.note("WireGuard's encryption ends at the gateway, which sees what the device sends.");
  return kExitOk;
}

Result<int> invites(Session& session) {
  TRY_ASSIGN(const auto request, signed_request(session, "GET", "invites"));
  TRY_ASSIGN(const auto answer, api_call(request));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(answer));
    return kExitOk;
  }
  const auto* list = json_member(answer, "invites").if_array();
  if (list == nullptr || list->empty()) {
    console.print("nobody is invited; make an invitation: bonus net invite --name phone");
    return kExitOk;
  }
  const UnixSeconds now = runtime::system_clock().unix_s();
  Table table({"NAME", "ADDRESS", "PUBLIC KEY", "INTERNET", "INVITED", "HANDSHAKE", "IN", "OUT"});
  for (const auto& item : *list)
    table.add({cell(item, "name"), cell(item, "address"), cell(item, "public_key"),
               json_flag(item, "exit") ? "yes" : "no", age(json_number(item, "created"), now) + " ago",
               ago_text(item, "last_handshake_s"), bytes_text(json_number(item, "rx_bytes")),
               bytes_text(json_number(item, "tx_bytes"))});
  console.raw(table.to_string());
  return kExitOk;
}

Result<int> revoke(Session& session, const std::string& name) {
  TRY_ASSIGN(const auto request, signed_request(session, "DELETE", "invites/" + url_escape(name)));
  TRY_ASSIGN(const auto answer, api_call(request));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(json::object{{"revoked", name}}));
  } else {
    console.print(fmt::format("{} is not let in any more", name));
  }
  return kExitOk;
}

Result<std::string> check_invite_name(const std::string& text) {
  if (!valid_name(text)) return fail(ErrorCode::kInvalid, "a name has 1 to 32 of a-z, 0-9 and inner hyphens");
  return text;
}

}  // namespace

void add_net_invite_commands(App& app, CLI::App& group) {
  Session& session = app.session();
  const auto options = std::make_shared<InviteOptions>();
  CLI::App* leaf =
      app.leaf(group, "invite", "A WireGuard configuration and QR code for a phone or laptop, at this gateway",
               [&session, options] { return invite(session, *options); });
  leaf->add_option("--name", options->name, "What the device is called here")
      ->capture_default_str()
      ->check(checked_by(check_invite_name, "NAME"));
  leaf->add_flag("--exit", options->exit, "The Internet through the gateway, too");
  leaf->add_option("--public-key", options->public_key, "The device's own key: its private part never leaves it")
      ->check(checked_by(check_public_key, "KEY"));
  leaf->add_option("--out", options->out, "Write the configuration to this file (mode 0600) instead of showing it")
      ->type_name("FILE");
  leaf->add_flag("--no-qr", options->no_qr, "No QR code");
  app.leaf(group, "invites", "Devices that were invited at this gateway", [&session] { return invites(session); });
  const auto name = std::make_shared<std::string>();
  leaf = app.leaf(group, "revoke", "Take an invitation back, at once",
                  [&session, name] { return revoke(session, *name); });
  leaf->add_option("name", *name, "What the device is called")
      ->required()
      ->check(checked_by(check_invite_name, "NAME"));
}

}  // namespace bonus::cli
