// `bonus context`: which node and wallet commands use.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>

#include "bonus/cli/app.hpp"
#include "bonus/cli/node_api.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;

Result<int> show(Session& session) {
  TRY_ASSIGN(const auto folder, session.environment().config_dir());
  TRY_ASSIGN(const auto contexts, load_contexts(folder));
  Console& console = session.console();
  if (console.json()) {
    json::array all;
    for (const auto& [name, context] : contexts.all)
      all.push_back(json::object{
          {"name", name}, {"node", context.node}, {"wallet", context.wallet}, {"current", name == contexts.current}});
    console.print(pretty(json::object{{"contexts", std::move(all)}}));
    return kExitOk;
  }
  if (contexts.all.empty()) {
    console.print("no context yet: start a local network (bonus devnet up) or: bonus context use NAME --node URL");
    return kExitOk;
  }
  Table table({"", "NAME", "NODE", "WALLET"});
  for (const auto& [name, context] : contexts.all)
    table.add({name == contexts.current ? "*" : "", name, context.node, context.wallet.empty() ? "-" : context.wallet});
  console.raw(table.to_string());
  return kExitOk;
}

Result<int> use(Session& session, const std::string& name) {
  TRY_ASSIGN(const auto folder, session.environment().config_dir());
  TRY_ASSIGN(auto contexts, load_contexts(folder));
  if (!valid_name(name)) return fail(ErrorCode::kInvalid, fmt::format("\"{}\" cannot name a context", printable(name)));
  const CommonOptions& options = session.options();
  auto found = contexts.all.find(name);
  if (found == contexts.all.end()) {
    if (options.node.empty()) {
      std::vector<std::string> names;
      for (const auto& item : contexts.all) names.push_back(item.first);
      return fail(ErrorCode::kNotFound,
                  fmt::format("there is no context \"{}\" (there are: {}); make it by adding --node URL", name,
                              names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
    }
    found = contexts.all.emplace(name, Context{name, "", "", ""}).first;
  }
  if (!options.node.empty()) {
    TRY_ASSIGN(found->second.node, parse_node_url(options.node));
  }
  if (!options.wallet.empty()) found->second.wallet = options.wallet;
  contexts.current = name;
  TRY(save_contexts(folder, contexts));
  return show(session);
}

}  // namespace

void add_context_commands(App& app) {
  Session& session = app.session();
  CLI::App* group = app.group(app.root(), "context", "Which node and wallet commands use");
  app.leaf(*group, "show", "All contexts and the one in use", [&session] { return show(session); });
  const auto name = std::make_shared<std::string>();
  CLI::App* leaf = app.leaf(*group, "use", "Choose a context; with --node (and --wallet) make or change it",
                            [&session, name] { return use(session, *name); });
  app.complete(leaf->add_option("name", *name, "The context")->required(), WordKind::kContext);
}

}  // namespace bonus::cli
