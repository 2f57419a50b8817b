// The command line as a whole: usage errors, help, JSON errors, completion, wallets and contexts. No node runs here.
#include "bonus/cli/app.hpp"

#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <fstream>

#include "bonus/cli/node_api.hpp"
#include "bonus/cli/run_testing.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using Words = std::vector<std::string>;

// A port on which nobody listens: the discard service of the loopback is off everywhere.
constexpr const char* kNobody = "http://127.0.0.1:9";

TEST(App, WrongUsageIsCodeTwoAndSaysWhatAndWhere) {
  struct Case {
    Words words;
    std::string_view says;
  };
  const Case cases[] = {
      {{}, "subcommand is required"},
      {{"dance"}, "there is no command \"dance\""},
      {{"wallet", "dance"}, "there is no command \"dance\""},
      {{"wallet"}, "bonus wallet --help"},
      {{"run"}, "image is required"},
      {{"run", "web:1", "--cpu", "lots"}, "write it like 500m"},
      {{"run", "web:1", "--memory", "-1"}, "--memory"},
      {{"run", "web:1", "--replicas", "65"}, "--replicas"},
      {{"run", "web:1", "--tier", "huge"}, "is not a tier"},
      {{"run", "web:1", "--runtime", "vm"}, "not offered by this version"},
      {{"run", "web:1", "--publish", "80"}, "is not HERE:THERE"},
      {{"run", "web:1", "--env", "=x"}, "is not KEY=VALUE"},
      {{"run", "web:1", "--royalty", "5%"}, "--developer"},
      {{"run", "web:1", "--developer", "0x12", "--royalty", "5%"}, "--developer"},
      {{"run", "web:1", "--wait", "--no-wait"}, "excludes"},
      {{"run", "web:1", "--max-price", "0"}, "matches nothing"},
      {{"run", "web:1", "--dance"}, "--dance"},
      {{"topup", "web", "-5"}, "amount"},
      {{"topup", "web"}, "amount is required"},
      {{"wallet", "send", "0x00000000000000000000000000000000000000c1", "much"}, "amount"},
      {{"devnet", "up", "--nodes", "0"}, "--nodes"},
      {{"devnet", "up", "--nodes", "many"}, "--nodes"},
      {{"market", "offers", "--limit", "0"}, "--limit"},
  };
  for (const Case& test : cases) {
    const Ran ran = run_bonus(test.words, {{"HOME", "/nonexistent"}});
    EXPECT_EQ(ran.code, kExitUsage) << testing::PrintToString(test.words);
    EXPECT_THAT(ran.err, HasSubstr(test.says)) << testing::PrintToString(test.words);
    EXPECT_THAT(ran.err, HasSubstr("--help"));
    EXPECT_THAT(ran.out, IsEmpty());
  }
}

TEST(App, EveryCommandHasHelpWithExitCodesAndJson) {
  Captured captured;
  Console console = captured.console();
  Session session(console, {});
  App app(session);
  add_all_commands(app);
  std::size_t leaves = 0;
  const std::function<void(CLI::App*, Words)> visit = [&](CLI::App* at, const Words& path) {
    const auto children = at->get_subcommands([](CLI::App*) { return true; });
    Words words = path;
    words.emplace_back("--help");
    const Ran ran = run_bonus(words);
    EXPECT_EQ(ran.code, kExitOk) << testing::PrintToString(path);
    EXPECT_THAT(ran.out, HasSubstr("Exit codes:")) << testing::PrintToString(path);
    if (children.empty()) {
      ++leaves;
      EXPECT_THAT(ran.out, HasSubstr("--json")) << testing::PrintToString(path);
      EXPECT_THAT(at->get_description(), Not(IsEmpty()));
    }
    for (CLI::App* child : children) {
      Words next = path;
      next.push_back(child->get_name());
      visit(child, next);
    }
  };
  visit(&app.root(), {});
  EXPECT_GE(leaves, 35u);
}

TEST(App, ErrorsAsJson) {
  const Ran ran = run_bonus({"ps", "--json"}, {{"HOME", "/nonexistent"}});
  EXPECT_EQ(ran.code, kExitNotFound);
  boost::system::error_code bad;
  const json::value error = json::parse(ran.err, bad);
  ASSERT_FALSE(bad) << ran.err;
  EXPECT_THAT(json_text(json_member(error, "error"), "message"), HasSubstr("bonus wallet new"));
  EXPECT_THAT(run_bonus({"run", "--json"}).err, StartsWith("{\"error\""));
}

TEST(App, NodeThatIsNotThere) {
  const Ran ran = run_bonus({"node", "status", "--node", kNobody});
  EXPECT_EQ(ran.code, kExitNotFound);
  EXPECT_THAT(ran.err, HasSubstr("devnet status"));
  const Ran none = run_bonus({"node", "status"}, {{"HOME", "/nonexistent"}});
  EXPECT_EQ(none.code, kExitNotFound);
  EXPECT_THAT(none.err, HasSubstr("bonus devnet up"));
  const Ran bad = run_bonus({"node", "status"}, {{"HOME", "/nonexistent"}, {"BONUS_NODE", "https://x"}});
  EXPECT_EQ(bad.code, kExitFailed);
  EXPECT_THAT(bad.err, HasSubstr("BONUS_NODE"));
}

std::vector<std::string> complete(Words words, std::map<std::string, std::string> variables = {}) {
  words.insert(words.begin(), {"__complete", "--"});
  std::vector<std::string> out;
  std::string line;
  for (const char c : run_bonus(words, std::move(variables)).out) {
    if (c == '\n') {
      out.push_back(line.substr(0, line.find('\t')));
      line.clear();
    } else {
      line += c;
    }
  }
  return out;
}

TEST(Completion, CommandsOptionsAndWords) {
  EXPECT_THAT(complete({"dev"}), ::testing::ElementsAre("devnet"));
  EXPECT_THAT(complete({""}), Contains("run"));
  EXPECT_THAT(complete({""}), Not(Contains("__complete")));
  EXPECT_THAT(complete({"wallet", ""}), ::testing::UnorderedElementsAre("new", "import", "list", "balance", "send"));
  EXPECT_THAT(complete({"devnet", "node", "st"}), ::testing::UnorderedElementsAre("start", "stop"));
  EXPECT_THAT(complete({"run", "--rest"}), ::testing::ElementsAre("--restart"));
  EXPECT_THAT(complete({"run", "--restart", ""}), ::testing::ElementsAre("never", "on-failure", "always"));
  EXPECT_THAT(complete({"run", "--cpu", "2", "--tier", "s"}), ::testing::ElementsAre("super"));
  EXPECT_THAT(complete({"run", "--wait", "--ti"}), ::testing::UnorderedElementsAre("--tier", "--timeout"));
  EXPECT_THAT(complete({"exec", "web", "--", "--"}), IsEmpty());
  EXPECT_THAT(complete({"dance", ""}), Not(IsEmpty()));
}

TEST(Completion, NamesOfWallets) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> variables{{"BONUS_CONFIG_DIR", folder.path()}};
  ASSERT_EQ(run_bonus({"wallet", "new", "alice", "--no-password"}, variables).code, kExitOk);
  EXPECT_THAT(complete({"ps", "--wallet", ""}, variables), ::testing::ElementsAre("alice"));
}

TEST(Completion, ScriptsCallTheHiddenCommand) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Ran ran = run_bonus({"completion", shell});
    EXPECT_EQ(ran.code, kExitOk);
    EXPECT_THAT(ran.out, HasSubstr("__complete --")) << shell;
  }
}

TEST(Wallet, NewImportListAndPasswordFile) {
  const TemporaryFolder folder;
  std::map<std::string, std::string> variables{{"BONUS_CONFIG_DIR", folder.path() + "/a/b"}};
  const std::string secret = folder.path() + "/password", phrase = folder.path() + "/phrase";
  std::ofstream(secret) << "correct horse\n";
  std::ofstream(phrase) << "test test test test test test test test test test test junk\n";
  const Ran fresh = run_bonus({"wallet", "new", "alice", "--mnemonic", "--password-file", secret, "--json"}, variables);
  ASSERT_EQ(fresh.code, kExitOk) << fresh.err;
  const std::string words = json_text(json::parse(fresh.out), "mnemonic");
  EXPECT_EQ(std::ranges::count(words, ' '), 11);
  EXPECT_EQ(run_bonus({"wallet", "new", "alice", "--no-password"}, variables).code, kExitFailed);

  // The phrase that was shown makes the same account.
  const std::string again = folder.path() + "/again";
  std::ofstream(again) << words;
  const Ran same = run_bonus({"wallet", "import", "bob", again, "--no-password", "--json"}, variables);
  EXPECT_EQ(json_text(json::parse(same.out), "address"), json_text(json::parse(fresh.out), "address"));

  const Ran dev = run_bonus({"wallet", "import", "dev", phrase, "--no-password", "--json"}, variables);
  EXPECT_EQ(json_text(json::parse(dev.out), "address"), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  const Ran second =
      run_bonus({"wallet", "import", "dev1", phrase, "--index", "1", "--no-password", "--json"}, variables);
  EXPECT_EQ(json_text(json::parse(second.out), "address"), "0x70997970C51812dc3A010C7d01b50e0d17dc79C8");

  const Ran listed = run_bonus({"wallet", "list", "--json", "--wallet", "bob"}, variables);
  EXPECT_EQ(json_member(json::parse(listed.out), "wallets").as_array().size(), 4u);
  EXPECT_EQ(run_bonus({"wallet", "balance", "--wallet", "nobody"}, variables).code, kExitNotFound);
}

TEST(Wallet, SecretsThatAreNone) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> variables{{"BONUS_CONFIG_DIR", folder.path()}};
  const std::string file = folder.path() + "/secret";
  for (const char* text : {"", "test test test", "0x12", "{}", "{\"version\":3}",
                           "zebra zebra zebra zebra zebra zebra zebra zebra "
                           "zebra zebra zebra zebra",
                           "0000000000000000000000000000000000000000000000000000000000000000"}) {
    std::ofstream(file, std::ios::trunc) << text;
    const Ran ran = run_bonus({"wallet", "import", "x", file, "--no-password", "--password-file", file}, variables);
    EXPECT_NE(ran.code, kExitOk) << text;
    EXPECT_THAT(ran.err, StartsWith("error: ")) << text;
  }
  EXPECT_EQ(run_bonus({"wallet", "new", "../evil", "--no-password"}, variables).code, kExitFailed);
}

TEST(Context, UseAndShow) {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> variables{{"BONUS_CONFIG_DIR", folder.path()}};
  EXPECT_EQ(run_bonus({"context", "use", "far"}, variables).code, kExitNotFound);
  EXPECT_EQ(run_bonus({"context", "use", "far", "--node", "ftp://x"}, variables).code, kExitFailed);
  ASSERT_EQ(run_bonus({"context", "use", "far", "--node", "127.0.0.1:9"}, variables).code, kExitOk);
  EXPECT_THAT(run_bonus({"context", "show"}, variables).out, HasSubstr("http://127.0.0.1:9"));
  EXPECT_EQ(run_bonus({"node", "peers"}, variables).code, kExitNotFound);
  std::ofstream(folder.path() + "/context.json", std::ios::trunc) << "[";
  const Ran broken = run_bonus({"context", "show"}, variables);
  EXPECT_EQ(broken.code, kExitFailed);
  EXPECT_THAT(broken.err, HasSubstr("context.json"));
}

TEST(Console, ProgressMovesOnlyOnATerminal) {
  Captured plain, terminal;
  Console a = plain.console(false), b = terminal.console(true);
  for (Console* console : {&a, &b}) {
    console->progress("one");
    console->progress("one");
    console->progress_bytes("two", 50, 100);
    console->progress_bytes("two", 51, 100);
    console->end_progress();
    console->print(console->paint(Colour::kGreen, "done"));
  }
  EXPECT_EQ(plain.err(), "one\ntwo: 0.0 of 0.0 MiB\n");
  EXPECT_EQ(plain.out(), "done\n");
  EXPECT_THAT(terminal.err(), HasSubstr("[############............]"));
  EXPECT_THAT(terminal.err(), Not(HasSubstr("\n")));
  EXPECT_EQ(terminal.out(), "\x1b[32mdone\x1b[0m\n");
}

TEST(Console, ForeignTextCannotDriveTheTerminal) {
  EXPECT_EQ(printable("a\x1b[2Jb\r\x07"), "a\\x1b[2Jb\\x0d\\x07");
  Table table({"A", "B"});
  table.add({"\xc3\xa9\xc3\xa9", "x"});
  table.add({"long", "y"});
  EXPECT_EQ(table.to_string(), "A     B\n\xc3\xa9\xc3\xa9    x\nlong  y\n");
}

}  // namespace
}  // namespace bonus::cli
