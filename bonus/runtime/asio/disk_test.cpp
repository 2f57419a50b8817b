// Tests of the append-only log and of whole-file writes, torn tails and damage included.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "bonus/runtime/asio/append_log.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::runtime {
namespace {

Bytes text(std::string_view s) { return {as_bytes(s).begin(), as_bytes(s).end()}; }

class DiskTest : public testing::Test {
 protected:
  DiskTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "bonus-disk-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/log";
  }
  ~DiskTest() override { std::filesystem::remove_all(folder_); }
  std::vector<Bytes> reopen() {
    auto log = system_disk().open_log(path_);
    EXPECT_TRUE(log.has_value()) << (log ? "" : log.error().message);
    return log ? (*log)->recovered() : std::vector<Bytes>{};
  }
  std::string folder_, path_;
};

TEST(AppendLogFormat, Crc32cKnownAnswers) {
  EXPECT_EQ(append_log::crc32c(as_bytes("123456789")), 0xE3069283U);  // the check value of the CRC catalogue
  EXPECT_EQ(append_log::crc32c(Bytes(32, 0)), 0x8A9136AAU);           // RFC 3720 B.4
  EXPECT_EQ(append_log::crc32c(Bytes(32, 0xff)), 0x62A8AB43U);
}

TEST_F(DiskTest, RecordsComeBackInOrder) {
  {
    auto log = system_disk().open_log(path_);
    ASSERT_TRUE(log);
    EXPECT_TRUE((*log)->recovered().empty());
    ASSERT_TRUE((*log)->append(text("one")));
    ASSERT_TRUE((*log)->append(Bytes{}));
    ASSERT_TRUE((*log)->sync());
    ASSERT_TRUE((*log)->append(text("three")));
  }
  EXPECT_EQ(reopen(), (std::vector<Bytes>{text("one"), Bytes{}, text("three")}));
  {
    auto log = system_disk().open_log(path_);
    ASSERT_TRUE((*log)->rewrite({text("three")}));
    ASSERT_TRUE((*log)->append(text("four")));
    ASSERT_TRUE((*log)->sync());
  }
  EXPECT_EQ(reopen(), (std::vector<Bytes>{text("three"), text("four")}));
}

TEST_F(DiskTest, EveryTornTailIsCutAndWritingGoesOn) {
  Bytes whole = append_log::header();
  append_log::append_record(whole, text("kept"), whole.size());
  const std::size_t kept = whole.size();
  append_log::append_record(whole, text("torn by a crash"), kept);
  for (std::size_t size = kept; size < whole.size(); ++size) {
    ASSERT_TRUE(system_disk().write_file(path_, BytesView(whole).first(size)));
    ASSERT_EQ(reopen(), (std::vector<Bytes>{text("kept")})) << size;
    auto log = system_disk().open_log(path_);
    ASSERT_TRUE((*log)->append(text("after")));
    log->reset();
    ASSERT_EQ(reopen(), (std::vector<Bytes>{text("kept"), text("after")})) << size;
  }
  whole.resize(whole.size() + 4096, 0);  // a file that was extended but whose data never arrived
  ASSERT_TRUE(system_disk().write_file(path_, whole));
  EXPECT_EQ(reopen().size(), 2U);
}

TEST_F(DiskTest, DamageOfADurableRecordIsNamed) {
  std::size_t first = 0;
  {
    auto log = system_disk().open_log(path_);
    first = std::filesystem::file_size(path_);
    for (const auto* s : {"first", "second", "third"}) {
      ASSERT_TRUE((*log)->append(text(s)));
      ASSERT_TRUE((*log)->sync());
    }
  }
  auto content = system_disk().read_file(path_, 1 << 20);
  ASSERT_TRUE(content);
  for (const std::size_t at : {first, first + 5, first + 17}) {  // length, checksum, content of the first record
    Bytes damaged = *content;
    damaged[at] ^= 0x40;
    ASSERT_TRUE(system_disk().write_file(path_, damaged));
    auto log = system_disk().open_log(path_);
    ASSERT_FALSE(log);
    EXPECT_EQ(log.error().code, ErrorCode::kCorrupt);
    EXPECT_NE(log.error().message.find("offset 8"), std::string::npos) << log.error().message;
  }
  ASSERT_TRUE(system_disk().write_file(path_, text("something else")));
  EXPECT_EQ(system_disk().open_log(path_).error().code, ErrorCode::kCorrupt);
}

TEST_F(DiskTest, UnsyncedRecordsThatArriveOutOfOrderAreATornTail) {
  Bytes whole = append_log::header();
  const std::size_t durable = whole.size();
  append_log::append_record(whole, text("lost page"), durable);
  append_log::append_record(whole, text("arrived page"), durable);
  whole[durable + 20] ^= 1;
  ASSERT_TRUE(system_disk().write_file(path_, whole));
  EXPECT_TRUE(reopen().empty());
}

TEST_F(DiskTest, WholeFiles) {
  EXPECT_FALSE(system_disk().exists(path_));
  EXPECT_EQ(system_disk().read_file(path_, 10).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(system_disk().write_file(path_, text("secret"), 0600));
  EXPECT_TRUE(system_disk().exists(path_));
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  EXPECT_EQ(*system_disk().read_file(path_, 6), text("secret"));
  EXPECT_EQ(system_disk().read_file(path_, 5).error().code, ErrorCode::kExhausted);
  EXPECT_FALSE(system_disk().write_file(folder_ + "/no/such", text("x")));
}

}  // namespace
}  // namespace bonus::runtime
