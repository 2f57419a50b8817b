// Processes killed while they commit, torn logs and damaged files: the ledger comes back at a committed block, whole,
// or says what is damaged.
//
// BONUS_RECOVERY_KILLS: processes to kill (default 30). BONUS_RECOVERY_DAMAGES: damages to try (default 40).
// BONUS_RECOVERY_SEED: where the random choices start; printed with every failure.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "bonus/chain/evm/transition.hpp"
#include "bonus/chain/ledger/test_support.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/chain/state/trie.hpp"

namespace bonus::chain::ledger {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): test vocabulary
namespace fs = std::filesystem;

constexpr const char* kFolderVariable = "BONUS_RECOVERY_CHILD_FOLDER";
constexpr std::uint64_t kTrieBlocks = 16;

std::uint64_t number_from(const char* variable, std::uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Durable, with buffers so small that tables are written, merged and pruned all the time.
LedgerOptions small_tables() {
  LedgerOptions out = test_options();
  out.sync = true;
  out.store_buffer_bytes = 64 << 10;
  out.trie_blocks = kTrieBlocks;
  out.history_blocks = 40;
  return out;
}

Address setter() { return evm::create_address(wallet(0).address, 0); }

/// The next block: transfers and slots that depend on the height alone.
Result<> mine(Ledger& ledger) {
  const std::uint64_t number = ledger.head().number;
  std::mt19937_64 random(number);
  TRY_ASSIGN(const Account sender, ledger.account(wallet(0).address, number));
  std::vector<TransactionPtr> txs;
  std::uint64_t nonce = sender.nonce;
  if (number == 0)
    txs.push_back(make_tx(wallet(0), std::nullopt, {.nonce = nonce++, .data = slot_setter(), .gas_limit = 200'000}));
  for (int i = 0; i < 6; ++i) {
    txs.push_back(make_tx(wallet(0), wallet(static_cast<unsigned>(2 + random() % 200)).address,
                          {.nonce = nonce++, .value = uint256(random() % 5)}));
    txs.push_back(make_tx(
        wallet(0), setter(),
        {.nonce = nonce++, .data = slot_call(uint256(random() % 40), uint256(random() % 3)), .gas_limit = 100'000}));
  }
  TRY_ASSIGN(const Block block, ledger.build(next_input(ledger, txs)));
  if (block.transactions.size() != txs.size()) return fail(ErrorCode::kInternal, "transactions were left out");
  return ledger.commit(block, Bytes(1, static_cast<std::uint8_t>(number)));
}

class Recovery : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Ledger>> open(const std::string& path) {
    return open_ledger(path, genesis_, registry_, small_tables());
  }
  /// Whole: every checksum, the chain, the state root from the flat tables, proofs of all states that are kept.
  Result<> check(const Ledger& ledger) {
    TRY(verify_ledger(ledger));
    const std::uint64_t head = ledger.head().number;
    for (std::uint64_t n = head + 1 > kTrieBlocks ? head + 1 - kTrieBlocks : 0; n <= head; ++n) {
      TRY_ASSIGN(const auto stored, ledger.block(n));
      for (const Address& address : {setter(), wallet(0).address, wallet(5).address, wallet(999).address}) {
        TRY_ASSIGN(const auto proof, ledger.proof(address, {uint256(n % 40), uint256(77)}, n));
        TRY(state::verify_proof(stored->block.header.state_root, crypto::keccak256(address), proof.nodes));
        TRY_ASSIGN(const Account account, ledger.account(address, n));
        if (!same(account, proof.account)) return fail(ErrorCode::kCorrupt, "an account is not what its proof shows");
        if (is_missing(account)) continue;
        for (const auto& slot : proof.slots) {
          TRY(state::verify_proof(account.storage_root, crypto::keccak256(slot.slot.to_be()), slot.nodes));
          TRY_ASSIGN(const uint256 value, ledger.storage(address, slot.slot, n));
          if (value != slot.value) return fail(ErrorCode::kCorrupt, "a slot is not what its proof shows");
        }
      }
    }
    return {};
  }
  std::vector<std::string> files(const std::string& folder, std::string_view part) {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.is_regular_file() && entry.path().filename().string().find(part) != std::string::npos &&
          entry.file_size() > 0)
        out.push_back(entry.path().string());
    std::ranges::sort(out);
    return out;
  }

  TempFolder folder_;
  Genesis genesis_ = test_genesis();
  TestRegistry registry_;
  std::uint64_t seed_ = number_from("BONUS_RECOVERY_SEED", 20'260'701);
  std::mt19937_64 random_{seed_};
};

/// Runs in a process of its own, started by the test below: commits until it is killed; each height goes to descriptor
/// 3 after it was committed.
TEST_F(Recovery, DISABLED_Child) {
  const char* folder = std::getenv(kFolderVariable);
  if (folder == nullptr) GTEST_SKIP() << "only as a child of KilledAtAnyMoment";
  auto ledger = open(folder);
  ASSERT_TRUE(ledger.has_value()) << ledger.error().to_string();
  for (;;) {
    const auto done = mine(**ledger);
    ASSERT_TRUE(done.has_value()) << done.error().to_string();
    const std::uint64_t number = (*ledger)->head().number;
    if (::write(3, &number, sizeof number) != sizeof number) return;
  }
}

/// The child's pid; heights arrive at `reader`.
pid_t start_child(const std::string& folder, int& reader) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  reader = ends[0];
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::setenv(kFolderVariable, folder.c_str(), 1);
  std::string self = fs::read_symlink("/proc/self/exe").string();
  std::string filter = "--gtest_filter=Recovery.DISABLED_Child";
  std::string disabled = "--gtest_also_run_disabled_tests";
  char* arguments[] = {self.data(), filter.data(), disabled.data(), nullptr};
  pid_t child = -1;
  EXPECT_EQ(::posix_spawn(&child, self.c_str(), &actions, nullptr, arguments, environ), 0);
  ::unsetenv(kFolderVariable);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  return child;
}

TEST_F(Recovery, KilledAtAnyMoment) {
  const std::uint64_t kills = number_from("BONUS_RECOVERY_KILLS", 30);
  std::printf("seed %llu, %llu kills\n", static_cast<unsigned long long>(seed_),
              static_cast<unsigned long long>(kills));
  std::uint64_t last = 0;
  std::uint64_t in_flight = 0;
  for (std::uint64_t kill = 0; kill < kills; ++kill) {
    SCOPED_TRACE("kill " + std::to_string(kill));
    int reader = -1;
    const pid_t child = start_child(folder_.path(), reader);
    ASSERT_GT(child, 0);
    // A few blocks, then some part of one: also before the first, while the store is opened.
    std::uint64_t number = last;
    std::uint64_t wanted = kill % 5 == 4 ? 0 : 1 + random_() % 12;
    for (; wanted > 0; --wanted) {
      if (::read(reader, &number, sizeof number) != sizeof number) break;
      last = number;
    }
    EXPECT_EQ(wanted, 0u) << "the child ended by itself";
    ::usleep(static_cast<useconds_t>(random_() % (kill % 5 == 4 ? 400'000 : 20'000)));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    while (::read(reader, &number, sizeof number) == sizeof number) last = number;
    ::close(reader);

    auto ledger = open(folder_.path());
    ASSERT_TRUE(ledger.has_value()) << ledger.error().to_string();
    const std::uint64_t head = (*ledger)->head().number;
    EXPECT_GE(head, last) << "a block that was committed is gone";
    EXPECT_LE(head, last + 1);
    in_flight += head > last ? 1 : 0;
    last = head;
    const auto whole = check(**ledger);
    ASSERT_TRUE(whole.has_value()) << whole.error().to_string();
    ASSERT_TRUE(mine(**ledger).has_value());
    ++last;
  }
  std::printf("head %llu; the block in flight was kept %llu times\n", static_cast<unsigned long long>(last),
              static_cast<unsigned long long>(in_flight));
}

/// Copies of a chain whose tables are spread over many files.
class Damage : public Recovery {
 protected:
  void SetUp() override {
    auto ledger = open(folder_.path("whole"));
    ASSERT_TRUE(ledger.has_value()) << ledger.error().to_string();
    hashes_.push_back((*ledger)->head_hash());
    for (int i = 0; i < 70; ++i) {
      const auto done = mine(**ledger);
      ASSERT_TRUE(done.has_value()) << done.error().to_string();
      hashes_.push_back((*ledger)->head_hash());
    }
  }
  std::string copy() {
    const std::string to = folder_.path("damaged");
    fs::remove_all(to);
    fs::copy(folder_.path("whole"), to);
    return to;
  }
  static void flip(const std::string& file, std::uint64_t at, std::uint8_t bits) {
    std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
    f.seekg(static_cast<std::streamoff>(at));
    char c = 0;
    f.get(c);
    f.seekp(static_cast<std::streamoff>(at));
    f.put(static_cast<char>(static_cast<std::uint8_t>(c) ^ bits));
  }
  /// What became of a damaged ledger. Whatever it is, it must not be another state than one that was committed.
  enum class Outcome { kWhole, kEarlier, kNamed };
  Outcome outcome(const std::string& path, const std::string& what) {
    auto ledger = open(path);
    std::optional<Error> error;
    std::uint64_t head = 0;
    if (!ledger) {
      error = ledger.error();
      EXPECT_NE(error->message.find(path), std::string::npos) << what << ": " << error->message;
      if (error->code == ErrorCode::kCorrupt)
        EXPECT_NE(error->message.find("syncs from its peers"), std::string::npos) << what << ": " << error->message;
    } else {
      head = (*ledger)->head().number;
      EXPECT_LT(head, hashes_.size()) << what;
      if (head < hashes_.size()) EXPECT_EQ((*ledger)->head_hash(), hashes_[head]) << what;
      if (auto whole = check(**ledger); !whole) error = whole.error();
    }
    if (error) {
      EXPECT_TRUE(error->code == ErrorCode::kCorrupt || error->code == ErrorCode::kIo)
          << what << ": " << error->to_string();
      EXPECT_GT(error->message.size(), 20u) << what;
      return Outcome::kNamed;
    }
    return head + 1 == hashes_.size() ? Outcome::kWhole : Outcome::kEarlier;
  }
  std::string describe(const std::string& file, std::uint64_t at) const {
    return "seed " + std::to_string(seed_) + ", " + fs::path(file).filename().string() + " at " + std::to_string(at);
  }
  std::uint64_t damages() const { return std::max<std::uint64_t>(8, number_from("BONUS_RECOVERY_DAMAGES", 40)); }

  std::vector<Hash32> hashes_;  ///< Of all blocks.
};

TEST_F(Damage, ATornLogEndsAtAnEarlierBlock) {
  std::array<int, 3> seen{};
  for (std::uint64_t i = 0; i < damages() / 3; ++i) {
    const std::string path = copy();
    const auto logs = files(path, ".log");
    ASSERT_FALSE(logs.empty());
    const std::string& log = logs.back();
    const std::uint64_t size = fs::file_size(log);
    const std::uint64_t at = random_() % size;
    std::string what = describe(log, at);
    if (i % 3 == 0) {
      fs::resize_file(log, at);
      what += " cut";
    } else if (i % 3 == 1) {
      // Blocks of the file that were never written: zeros up to the old size.
      fs::resize_file(log, at);
      fs::resize_file(log, size);
      what += " zeroed";
    } else {
      for (std::uint64_t k = at; k < std::min(size, at + 600); ++k)
        flip(log, k, static_cast<std::uint8_t>(random_() % 255 + 1));
      what += " garbled";
    }
    const Outcome got = outcome(path, what);
    // Whole: only the last pruning is gone, which is done again.
    ++seen[static_cast<std::size_t>(got)];
  }
  EXPECT_GT(seen[static_cast<std::size_t>(Outcome::kEarlier)], 0);
  std::printf("torn logs: whole %d, earlier block %d, named %d\n", seen[0], seen[1], seen[2]);
}

TEST_F(Damage, AFlippedByteIsNamedOrHarmless) {
  std::map<std::string, std::array<int, 3>> seen;
  for (std::uint64_t i = 0; i < damages(); ++i) {
    const std::string path = copy();
    static constexpr std::array<std::string_view, 4> kKinds{".sst", "MANIFEST", "CURRENT", ".log"};
    const std::string kind(kKinds[i % 8 < 5 ? 0 : i % 8 - 4]);
    const auto found = files(path, kind);
    ASSERT_FALSE(found.empty()) << kind;
    const std::string& file = found[random_() % found.size()];
    const std::uint64_t size = fs::file_size(file);
    const std::uint64_t at = random_() % size;
    flip(file, at, static_cast<std::uint8_t>(1u << random_() % 8));
    const Outcome got = outcome(path, describe(file, at));
    ++seen[kind][static_cast<std::size_t>(got)];
    if (kind == "CURRENT") EXPECT_EQ(got, Outcome::kNamed) << describe(file, at);
    if (kind != ".sst") continue;
    EXPECT_NE(got, Outcome::kEarlier) << describe(file, at);
    // Every byte of a table but the padding of its last 53 is under a checksum. What is opened may be merged before it
    // is verified: merging reads all entries, and fails at a damaged one, but makes the filter anew, unread.
    // Damage to that is then gone with the table's file, and outcome() has found the rest whole.
    if (at + 53 < size && fs::exists(file)) EXPECT_EQ(got, Outcome::kNamed) << describe(file, at);
  }
  for (const auto& [kind, counts] : seen)
    std::printf("%s: whole %d, earlier block %d, named %d\n", kind.c_str(), counts[0], counts[1], counts[2]);
}

TEST_F(Damage, ACutOrMissingFileIsNamed) {
  for (const std::string_view kind : {".sst", "MANIFEST", "CURRENT"}) {
    for (int i = 0; i < 4; ++i) {
      const std::string path = copy();
      const auto found = files(path, kind);
      ASSERT_FALSE(found.empty()) << kind;
      const std::string& file = found[random_() % found.size()];
      const std::uint64_t at = i == 0 ? 0 : random_() % fs::file_size(file);
      if (i == 1) {
        fs::remove(file);
      } else {
        fs::resize_file(file, at);
      }
      const Outcome got = outcome(path, describe(file, at) + " cut");
      EXPECT_NE(got, Outcome::kWhole) << describe(file, at);
      if (kind == ".sst") EXPECT_EQ(got, Outcome::kNamed) << describe(file, at);
    }
  }
}

}  // namespace
}  // namespace bonus::chain::ledger
