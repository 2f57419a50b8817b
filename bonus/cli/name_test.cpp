// `bonus name` without a chain: usage, times, and the files of registrations that are not finished.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>

#include "bonus/cli/environment.hpp"
#include "bonus/cli/name_client.hpp"
#include "bonus/cli/run_testing.hpp"

namespace bonus::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

TEST(NameCommands, WrongUsageSaysWhat) {
  struct Case {
    Words words;
    std::string_view says;
  };
  const std::string address = "0x00000000000000000000000000000000000000c1";
  const Case cases[] = {
      {{"name"}, "subcommand is required"},
      {{"name", "register"}, "name is required"},
      {{"name", "register", "ab"}, "3 to 63"},
      {{"name", "register", "xn--abc"}, "third and fourth"},
      {{"name", "register", "www.alice.bonus"}, "only \"alice.bonus\" itself"},
      {{"name", "register", "lease-7"}, "names itself"},
      {{"name", "register", "alice", "--for", "soon"}, "--for"},
      {{"name", "register", "alice", "--owner", "0x12"}, "--owner"},
      {{"name", "transfer", "alice"}, "to is required"},
      {{"name", "transfer", "alice", "bob"}, "to"},
      {{"name", "set", "alice", "A", "10.0.0.1"}, "AAAA, TXT, SRV"},
      {{"name", "set", "alice", "AAAA"}, "value is required"},
      {{"name", "set", "alice", "AAAA", "fd00::1", "--ttl", "604801"}, "--ttl"},
      {{"name", "price", "alice", "--for", "0s"}, "--for"},
      {{"name", "list", "alice"}, "account"},
  };
  for (const Case& test : cases) {
    const Ran ran = run_bonus(test.words, {{"HOME", "/nonexistent"}});
    EXPECT_EQ(ran.code, kExitUsage) << testing::PrintToString(test.words) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(test.says)) << testing::PrintToString(test.words);
  }
  // Values are checked before any node is asked.
  const Ran ran = run_bonus({"name", "set", "alice", "AAAA", "10.0.0.1"}, {{"HOME", "/nonexistent"}});
  EXPECT_EQ(ran.code, kExitFailed);
  EXPECT_THAT(ran.err, HasSubstr("fd00::/8"));
}

TEST(NameCommands, Times) {
  EXPECT_EQ(parse_term("1y").value(), 31'536'000U);
  EXPECT_EQ(parse_term("1y180d").value(), 31'536'000U + 180 * 86'400U);
  EXPECT_EQ(parse_term("90d").value(), 90 * 86'400U);
  EXPECT_EQ(parse_term("36h").value(), 36 * 3'600U);
  for (const char* text : {"", "y", "-1y", "1.5y", "1y1y", "500", "0s", "1001y", "99999999999999999999y"})
    EXPECT_FALSE(parse_term(text).has_value()) << text;
  EXPECT_EQ(term_text(31'536'000 + 180 * 86'400), "1y180d");
  EXPECT_EQ(term_text(90 * 86'400), "90d");
  EXPECT_EQ(term_text(90), "1m30s");
}

class PendingNamesTest : public ::testing::Test {
 protected:
  static Hash32 hash(std::uint8_t number) {
    Hash32 out;
    out.bytes[0] = number;
    return out;
  }
  static Address owner(std::uint8_t number) {
    Address out;
    out.bytes[0] = number;
    return out;
  }
  TemporaryFolder folder_;
  PendingNames files_{folder_.path() + "/registrations", hash(1)};
};

TEST_F(PendingNamesTest, OneForEachNameOwnerAndChain) {
  const PendingName pending{"alice", owner(1), 31'536'000, hash(9)};
  EXPECT_FALSE(files_.load("alice", owner(1)).value().has_value());
  ASSERT_TRUE(files_.save(pending).has_value());
  const auto found = files_.load("alice", owner(1)).value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->secret, pending.secret);
  EXPECT_EQ(found->duration_s, pending.duration_s);
  EXPECT_EQ(found->commitment(), chain::names::commitment("alice", owner(1), 31'536'000, hash(9)));
  EXPECT_FALSE(files_.load("alice", owner(2)).value().has_value());
  EXPECT_FALSE(files_.load("bobby", owner(1)).value().has_value());
  const PendingNames other_chain(folder_.path() + "/registrations", hash(2));
  EXPECT_FALSE(other_chain.load("alice", owner(1)).value().has_value());
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path() + "/registrations")) {
    struct stat info{};
    ASSERT_EQ(::stat(entry.path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
  }
  files_.remove(pending);
  EXPECT_FALSE(files_.load("alice", owner(1)).value().has_value());
}

TEST_F(PendingNamesTest, DamagedFilesAreNamedNotIgnored) {
  ASSERT_TRUE(files_.save({"alice", owner(1), 100, hash(9)}).has_value());
  const auto path = std::filesystem::directory_iterator(folder_.path() + "/registrations")->path();
  for (const char* text : {"", "{}", "nonsense", R"({"version":1,"name":"alice","duration":100,"secret":"0x12"})",
                           R"({"version":2,"name":"alice","duration":100})"}) {
    std::ofstream(path) << text;
    const auto out = files_.load("alice", owner(1));
    ASSERT_FALSE(out.has_value()) << text;
    EXPECT_EQ(out.error().code, ErrorCode::kCorrupt);
    EXPECT_THAT(out.error().message, HasSubstr(path.string()));
  }
}

}  // namespace
}  // namespace bonus::cli
