// Lines of the log and the text exposition of the metrics.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "bonus/base/log.hpp"
#include "bonus/base/metrics.hpp"

namespace bonus {
namespace {

class LogFile : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("bonus_log_test_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    log::configure({});
    std::filesystem::remove_all(folder_);
  }
  std::string path() const { return folder_ / "log"; }
  std::string content() const {
    std::ifstream in(path());
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  std::filesystem::path folder_;
};

TEST_F(LogFile, TextLinesQuoteWhatCouldForgeALine) {
  log::configure({.level = log::Level::kInfo, .json = false, .file = path()});
  log::debug("net", "hidden");
  log::info("net", "peer_connected", {{"peer", "ab12"}, {"height", 7}, {"note", "two words\nerror forged"}});
  const std::string text = content();
  EXPECT_EQ(text.find("hidden"), std::string::npos);
  EXPECT_TRUE(text.starts_with("info 20")) << text;
  EXPECT_NE(text.find(R"(Z net peer_connected peer=ab12 height=7 note="two words\nerror forged")"), std::string::npos)
      << text;
  EXPECT_EQ(std::ranges::count(text, '\n'), 1);
}

TEST_F(LogFile, JsonLinesEscape) {
  log::configure({.level = log::Level::kDebug, .json = true, .file = path()});
  log::debug("chain", "block", {{"quote", "a\"b\\c\x01"}});
  const std::string text = content();
  EXPECT_TRUE(text.starts_with(R"({"level":"debug","time":"20)")) << text;
  EXPECT_TRUE(text.ends_with(R"("module":"chain","event":"block","quote":"a\"b\\c\u0001"})"
                             "\n"))
      << text;
}

TEST_F(LogFile, UnusableFileFallsBackToStandardError) {
  ::testing::internal::CaptureStderr();
  log::configure({.level = log::Level::kInfo, .json = false, .file = folder_});  // A folder is no file.
  log::info("node", "still_logging");
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("file_unusable"), std::string::npos) << text;
  EXPECT_NE(text.find("still_logging"), std::string::npos) << text;
}

TEST(LogLevel, Parses) {
  EXPECT_EQ(log::parse_level("warn").value(), log::Level::kWarn);
  EXPECT_EQ(log::parse_level("loud").error().code, ErrorCode::kInvalid);
}

TEST(Metrics, SameNameAndLabelsGiveTheSameObject) {
  Metrics metrics;
  auto& accepted = metrics.counter("bonus_net_messages_total", "Messages received.", {{"result", "accepted"}});
  auto& again = metrics.counter("bonus_net_messages_total", "Messages received.", {{"result", "accepted"}});
  auto& refused = metrics.counter("bonus_net_messages_total", "Messages received.", {{"result", "refused"}});
  EXPECT_EQ(&accepted, &again);
  EXPECT_NE(&accepted, &refused);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&metrics] {
      for (int j = 0; j < 250; ++j) {
        metrics.counter("bonus_net_messages_total", "Messages received.", {{"result", "accepted"}}).add();
      }
    });
  }
  threads.clear();
  refused.add(2);
  metrics.gauge("bonus_net_peers", "Peers connected.").set(3);
  auto& delay = metrics.histogram("bonus_chain_block_seconds", "Time to make a block.", {0.1, 1});
  delay.observe(0.5);
  delay.observe(5);
  const std::string text = metrics.expose();
  for (const char* line :
       {"# HELP bonus_net_messages_total Messages received.\n", "# TYPE bonus_net_messages_total counter\n",
        "bonus_net_messages_total{result=\"accepted\"} 1000\n", "bonus_net_messages_total{result=\"refused\"} 2\n",
        "bonus_net_peers 3\n", "bonus_chain_block_seconds_bucket{le=\"0.1\"} 0\n",
        "bonus_chain_block_seconds_bucket{le=\"1\"} 1\n", "bonus_chain_block_seconds_bucket{le=\"+Inf\"} 2\n",
        "bonus_chain_block_seconds_count 2\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "in\n" << text;
  }
}

}  // namespace
}  // namespace bonus
