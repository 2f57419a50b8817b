// Shell completion: small scripts that ask this program, which walks its own command tree.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "bonus/cli/app.hpp"
#include "bonus/cli/devnet.hpp"
#include "bonus/cli/name_client.hpp"
#include "bonus/cli/node_api.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;

constexpr Duration kPatience = std::chrono::milliseconds(1500);
constexpr std::size_t kMaxWords = 200;

constexpr std::string_view kBash = R"(# bash completion of bonus; load it with: source <(bonus completion bash)
_bonus() {
  local cur=${COMP_WORDS[COMP_CWORD]} line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("${line%%$'\t'*}")
  done < <("${COMP_WORDS[0]}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ ${#COMPREPLY[@]} -eq 0 && $cur != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
  fi
}
complete -o filenames -F _bonus bonus
)";
constexpr std::string_view kZsh = R"(#compdef bonus
# zsh completion of bonus; save it as _bonus in a folder of $fpath, or: source <(bonus completion zsh)
_bonus() {
  local -a lines described
  local line
  lines=("${(@f)$(${words[1]} __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in $lines; do
    [[ -n $line ]] && described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  if (( ${#described} )); then
    _describe 'bonus' described
  else
    _files
  fi
}
if [[ $funcstack[1] == _bonus ]]; then _bonus "$@"; else compdef _bonus bonus; fi
)";
constexpr std::string_view kFish = R"(# fish completion of bonus; load it with: bonus completion fish | source
function __bonus_complete
    set -l tokens (commandline -opc)
    set -l current (commandline -ct)
    $tokens[1] __complete -- $tokens[2..-1] $current 2>/dev/null
end
complete -c bonus -a '(__bonus_complete)'
)";

Result<json::value> quick(const std::string& url) {
  ApiRequest request;
  request.url = url;
  request.timeout = kPatience;
  return api_call(request);
}

void add_targets(Session& session, std::vector<std::string>& out) {
  const auto node = session.node_url();
  if (!node) return;
  if (const auto answer = quick(*node + "/v1/routes"))
    if (const auto* routes = json_member(*answer, "routes").if_array(); routes != nullptr)
      for (const auto& route : *routes) {
        const std::string name = json_text(route, "name");
        if (valid_name(name)) out.push_back(fmt::format("{}\torder {}", name, json_number(route, "order")));
      }
}

void add_leases(Session& session, std::vector<std::string>& out) {
  const auto client = session.market();
  const auto wallet = session.wallet();
  if (!client || !wallet) return;
  const auto leases = (*client)->leases(64);
  if (!leases) return;
  for (const auto& lease : *leases)
    if (lease.user == wallet->address && lease.state != chain::market::LeaseState::kEnded)
      out.push_back(fmt::format("{}\tlease of order {}, {}", lease.id, lease.order_id, to_string(lease.state)));
}

void add_images(Session& session, std::vector<std::string>& out) {
  const auto registry = session.registry_url();
  if (!registry) return;
  const auto catalogue = quick(*registry + "/v2/_catalog");
  if (!catalogue) return;
  const auto* names = json_member(*catalogue, "repositories").if_array();
  if (names == nullptr) return;
  for (const auto& item : *names) {
    const auto* name = item.if_string();
    if (name == nullptr || out.size() >= kMaxWords) continue;
    const auto tags = quick(fmt::format("{}/v2/{}/tags/list", *registry, std::string_view(*name)));
    const auto* list = tags ? json_member(*tags, "tags").if_array() : nullptr;
    if (list == nullptr) continue;
    for (const auto& tag : *list)
      if (const auto* text = tag.if_string(); text != nullptr)
        out.push_back(fmt::format("{}:{}\timage", printable(*name), printable(*text)));
  }
}

void add_names(Session& session, std::vector<std::string>& out) {
  const auto rpc = session.rpc();
  const auto wallet = session.wallet();
  if (!rpc || !wallet) return;
  if (const auto names = NameClient(**rpc).names_of(wallet->address, kMaxWords))
    for (const auto& info : *names) out.push_back(fmt::format("{}.bonus\tname, {}", info.name, to_string(info.state)));
}

CLI::App* child_of(CLI::App& parent, const std::string& name) {
  const auto found = parent.get_subcommands([&](CLI::App* child) { return child->get_name() == name; });
  return found.empty() ? nullptr : found.front();
}

}  // namespace

std::vector<std::string> App::dynamic_words(const Completion& completion) {
  std::vector<std::string> out;
  switch (completion.kind) {
    case WordKind::kWords:
      return completion.words;
    case WordKind::kTarget:
      add_targets(session_, out);
      break;
    case WordKind::kLease:
      add_targets(session_, out);
      add_leases(session_, out);
      break;
    case WordKind::kWallet:
      if (const auto store = session_.wallets())
        if (const auto all = store->list())
          for (const auto& wallet : *all)
            out.push_back(fmt::format("{}\t{}", wallet.name, crypto::to_checksum(wallet.address)));
      break;
    case WordKind::kImage:
      add_images(session_, out);
      break;
    case WordKind::kContext:
      if (const auto folder = session_.environment().config_dir())
        if (const auto contexts = load_contexts(*folder))
          for (const auto& [name, context] : contexts->all) out.push_back(fmt::format("{}\t{}", name, context.node));
      break;
    case WordKind::kDevnetNode:
      for (const auto& name : devnet_node_names(session_.environment())) out.push_back(name + "\tnode");
      break;
    case WordKind::kName:
      add_names(session_, out);
      break;
    case WordKind::kNone:
      break;
  }
  return out;
}

std::vector<std::string> App::candidates(const std::vector<std::string>& words) {
  CLI::App* at = root_.get();
  std::size_t positional = 0;
  const CLI::Option* expects = nullptr;
  bool only_positionals = false;
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    if (expects != nullptr) {
      expects = nullptr;
    } else if (only_positionals) {
      ++positional;
    } else if (word == "--") {
      only_positionals = true;
    } else if (word.starts_with('-')) {
      const auto* option = at->get_option_no_throw(word.substr(0, word.find('=')));
      if (option != nullptr && option->get_expected_min() > 0 && word.find('=') == std::string::npos) expects = option;
    } else if (CLI::App* next = child_of(*at, word); next != nullptr) {
      at = next;
      positional = 0;
    } else {
      ++positional;
    }
  }
  const std::string partial = words.empty() ? std::string() : words.back();
  std::vector<std::string> all;
  if (expects != nullptr) {
    if (const auto found = completions_.find(expects); found != completions_.end()) all = dynamic_words(found->second);
  } else if (!only_positionals && partial.starts_with('-')) {
    for (const CLI::Option* option : at->get_options([](const CLI::Option* o) { return !o->get_positional(); }))
      for (const auto& name : option->get_lnames())
        if (!option->get_group().empty()) all.push_back(fmt::format("--{}\t{}", name, option->get_description()));
  } else {
    for (const CLI::App* child : at->get_subcommands([](CLI::App*) { return true; }))
      if (!child->get_group().empty())
        all.push_back(fmt::format("{}\t{}", child->get_name(), child->get_description()));
    const auto places = at->get_options([](const CLI::Option* o) { return o->get_positional(); });
    if (!places.empty()) {
      const CLI::Option* place = places[std::min(positional, places.size() - 1)];
      if (positional < places.size() || place->get_items_expected_max() > 1)
        if (const auto found = completions_.find(place); found != completions_.end())
          all = dynamic_words(found->second);
    }
  }
  std::erase_if(all, [&](const std::string& word) { return !word.starts_with(partial); });
  if (all.size() > kMaxWords) all.resize(kMaxWords);
  return all;
}

void add_completion_commands(App& app) {
  CLI::App* shells = app.group(app.root(), "completion", "Completion script for a shell");
  Session& session = app.session();
  const auto script = [&](std::string name, std::string_view text) {
    app.leaf(*shells, name, "Script for " + name, [&session, text]() -> Result<int> {
      if (session.console().json()) {
        session.console().print(json::serialize(json::object{{"script", text}}));
      } else {
        session.console().raw(text);
      }
      return kExitOk;
    });
  };
  script("bash", kBash);
  script("zsh", kZsh);
  script("fish", kFish);

  const auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* hidden = app.leaf(app.root(), "__complete", "Candidates for the last word", [&app, words]() -> Result<int> {
    for (const auto& candidate : app.candidates(*words)) app.session().console().print(candidate);
    return kExitOk;
  });
  hidden->group("");
  hidden->add_option("words", *words, "The words so far");
}

}  // namespace bonus::cli
