// Tests of unpacking: what honest layers contain arrives exactly; what hostile ones contain is refused and leaves
// nothing.
#include "bonus/compute/vm/unpack.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "bonus/compute/vm/layer_store.hpp"
#include "bonus/compute/vm/test_support.hpp"

namespace bonus::compute::vm {
namespace {

using testing::gzip;
using testing::reader_of;
using testing::Tar;
using testing::TemporaryFolder;

// Owners, device nodes for whiteouts and trusted.* attributes need them.
bool may_unpack(std::string& why) {
  const TemporaryFolder probe;
  const bool can = ::geteuid() == 0 && ::setxattr(probe.path().c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0 &&
                   ::mknod((probe.path() + "/w").c_str(), S_IFCHR, makedev(0, 0)) == 0;
  if (!can) why = "unpacking layers needs root with CAP_SYS_ADMIN and CAP_MKNOD, which this process has not";
  return can;
}

class Unpack : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string why;
    if (!may_unpack(why)) GTEST_SKIP() << why;
    fs_ = folder_.path() + "/fs";
    std::filesystem::create_directory(fs_);
  }
  Result<UnpackStats> unpack(const std::string& tar, const UnpackLimits& limits = {}) const {
    return unpack_blob(gzip(tar), tar, limits);
  }
  Result<UnpackStats> unpack_blob(const std::string& blob, const std::string& tar,
                                  const UnpackLimits& limits = {}) const {
    return unpack_layer(reader_of(blob), crypto::sha256(as_bytes(tar)), fs_, limits);
  }
  std::string content(const std::string& name) const {
    std::ifstream in(fs_ + "/" + name);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  struct stat info(const std::string& name) const {
    struct stat out{};
    EXPECT_EQ(::lstat((fs_ + "/" + name).c_str(), &out), 0) << name;
    return out;
  }

  TemporaryFolder folder_;
  std::string fs_;
};

TEST_F(Unpack, FilesFoldersLinksOwnersModesTimes) {
  const std::string tar = Tar()
                              .folder("./", 0755)
                              .folder("bin/", 0711)
                              .entry("bin/tool", '0', "content", "", 04755, 1000, 2000)
                              .hard_link("bin/again", "bin/tool")
                              .symlink("bin/soft", "/etc/passwd")
                              .entry("pipe", '6')
                              .file("deep/without/folders/x", "y")
                              .finish();
  auto done = unpack(tar);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->entries, 7U);
  EXPECT_EQ(done->unpacked_bytes, tar.size());
  EXPECT_EQ(content("bin/tool"), "content");
  EXPECT_EQ(info("bin/tool").st_mode, S_IFREG | 04755U);
  EXPECT_EQ(info("bin/tool").st_uid, 1000U);
  EXPECT_EQ(info("bin/tool").st_gid, 2000U);
  EXPECT_EQ(info("bin/tool").st_mtime, 1'700'000'000);
  EXPECT_EQ(info("bin/again").st_ino, info("bin/tool").st_ino);
  EXPECT_EQ(info("bin/tool").st_nlink, 2U);
  EXPECT_EQ(std::filesystem::read_symlink(fs_ + "/bin/soft"), "/etc/passwd");
  EXPECT_EQ(info("bin").st_mode, S_IFDIR | 0711U);
  EXPECT_EQ(info("bin").st_mtime, 1'700'000'000);
  EXPECT_TRUE(S_ISFIFO(info("pipe").st_mode));
  EXPECT_EQ(content("deep/without/folders/x"), "y");
}

TEST_F(Unpack, Whiteouts) {
  auto done = unpack(Tar()
                         .file("etc/.wh.gone", "")
                         .folder("var/")
                         .file("var/.wh..wh..opq", "")
                         .file("var/new", "n")
                         .file(".wh..wh.plnk", "")
                         .file(".wh.replaced", "")
                         .folder("replaced/")
                         .finish());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(S_ISCHR(info("etc/gone").st_mode));
  EXPECT_EQ(info("etc/gone").st_rdev, makedev(0, 0));
  char flag = 0;
  EXPECT_EQ(::getxattr((fs_ + "/var").c_str(), "trusted.overlay.opaque", &flag, 1), 1);
  EXPECT_EQ(flag, 'y');
  EXPECT_EQ(content("var/new"), "n");
  // A folder after a whiteout of the same name: hidden below, new above.
  EXPECT_TRUE(S_ISDIR(info("replaced").st_mode));
  EXPECT_EQ(::getxattr((fs_ + "/replaced").c_str(), "trusted.overlay.opaque", &flag, 1), 1);
  EXPECT_FALSE(std::filesystem::exists(fs_ + "/.wh..wh.plnk"));
}

TEST_F(Unpack, OnlyHarmlessAttributesArrive) {
  auto done = unpack(Tar()
                         .pax("SCHILY.xattr.user.note", "hello")
                         .file("a", "")
                         .pax("SCHILY.xattr.trusted.overlay.redirect", "/etc")
                         .file("b", "")
                         .pax("path",
                              "stra\xc3\x9f"
                              "e")
                         .file("x", "utf8")
                         .finish());
  ASSERT_TRUE(done) << done.error().message;
  char value[16] = {};
  if (::setxattr(fs_.c_str(), "user.probe", "y", 1, 0) == 0)
    EXPECT_EQ(::getxattr((fs_ + "/a").c_str(), "user.note", value, sizeof value), 5);
  EXPECT_EQ(::getxattr((fs_ + "/b").c_str(), "trusted.overlay.redirect", value, sizeof value), -1);
  EXPECT_EQ(content("stra\xc3\x9f"
                    "e"),
            "utf8");
}

TEST_F(Unpack, GzipZstdAndPlainGiveTheSame) {
  const std::string tar = Tar().file("a", std::string(100'000, 'a')).finish();
  for (const std::string& blob : {tar, gzip(tar), testing::zstd(tar)}) {
    std::filesystem::remove_all(fs_);
    std::filesystem::create_directory(fs_);
    auto done = unpack_blob(blob, tar);
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_EQ(content("a").size(), 100'000U);
  }
  // Two gzip members are one stream (RFC 1952).
  std::filesystem::remove_all(fs_);
  std::filesystem::create_directory(fs_);
  auto done = unpack_blob(gzip(tar.substr(0, 700)) + gzip(tar.substr(700)), tar);
  EXPECT_TRUE(done) << done.error().message;
}

struct Hostile {
  const char* name;
  std::string tar;
  ErrorCode code;
  const char* says;
};

TEST_F(Unpack, HostileArchivesAreRefused) {
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += "d/";
  const std::vector<Hostile> table = {
      {"absolute", Tar().file("/etc/evil", "x").finish(), ErrorCode::kInvalid, "absolute"},
      {"dotdot", Tar().file("../evil", "x").finish(), ErrorCode::kInvalid, "'..'"},
      {"dotdot inside", Tar().file("a/../../evil", "x").finish(), ErrorCode::kInvalid, "'..'"},
      {"folder dotdot", Tar().folder("a/..").finish(), ErrorCode::kInvalid, "'..'"},
      {"through a link", Tar().symlink("out", "/tmp").file("out/evil", "x").finish(), ErrorCode::kInvalid,
       "symbolic link"},
      {"through a relative link", Tar().symlink("out", "..").file("out/evil", "x").finish(), ErrorCode::kInvalid,
       "symbolic link"},
      {"folder through a link", Tar().symlink("out", "/tmp").folder("out/evil/").finish(), ErrorCode::kInvalid,
       "symbolic link"},
      {"hard link outside", Tar().hard_link("shadow", "../../etc/shadow").finish(), ErrorCode::kInvalid, "'..'"},
      {"hard link absolute", Tar().hard_link("shadow", "/etc/shadow").finish(), ErrorCode::kInvalid, "absolute"},
      {"hard link through a link", Tar().symlink("e", "/etc").hard_link("shadow", "e/shadow").finish(),
       ErrorCode::kInvalid, "symbolic link"},
      {"hard link to nothing", Tar().hard_link("a", "b").finish(), ErrorCode::kInvalid, "does not have"},
      {"hard link to a folder", Tar().folder("b").hard_link("a", "b").finish(), ErrorCode::kInvalid, "not a file"},
      {"hard link to a whiteout", Tar().file(".wh.b", "").hard_link("a", "b").finish(), ErrorCode::kInvalid,
       "not a file"},
      {"whiteout outside", Tar().file("../.wh.evil", "").finish(), ErrorCode::kInvalid, "'..'"},
      {"whiteout through a link", Tar().symlink("out", "/tmp").file("out/.wh.evil", "").finish(), ErrorCode::kInvalid,
       "symbolic link"},
      {"whiteout of dotdot", Tar().file(".wh...", "").finish(), ErrorCode::kInvalid, "hides no name"},
      {"opaque through a link", Tar().symlink("out", "/tmp").file("out/.wh..wh..opq", "").finish(), ErrorCode::kInvalid,
       "symbolic link"},
      {"character device", Tar().entry("dev/mem", '3').finish(), ErrorCode::kInvalid, "device"},
      {"block device", Tar().entry("dev/sda", '4').finish(), ErrorCode::kInvalid, "device"},
      {"file over a full folder", Tar().file("a/b", "").file("a", "x").finish(), ErrorCode::kInvalid, "has content"},
      {"file over the root", Tar().file(".", "x").finish(), ErrorCode::kInvalid, "root"},
      {"too deep", Tar().pax("path", deep + "x").file("x", "").finish(), ErrorCode::kInvalid, "deep"},
      {"path too long", Tar().pax("path", std::string(5000, 'p')).file("x", "").finish(), ErrorCode::kInvalid,
       "longer"},
      {"name too long", Tar().pax("path", std::string(300, 'p')).file("x", "").finish(), ErrorCode::kInvalid, "longer"},
      {"claims too much", Tar().entry("big", '0', "x", "", 0644, 0, 0, 1LL << 32).finish(), ErrorCode::kExhausted,
       "unpacks to more"},
      {"too large", Tar().file("big", std::string(5 << 20, 'z')).finish(), ErrorCode::kExhausted, "unpacks to more"},
      {"not a tar", std::string(4096, 'n'), ErrorCode::kCorrupt, "tar"},
      {"empty", "", ErrorCode::kCorrupt, ""},
  };
  UnpackLimits limits;
  limits.stream.unpacked_bytes = 4 << 20;
  for (const auto& row : table) {
    // Through the store: nothing may be left, neither the layer nor a part of it.
    const TemporaryFolder state;
    auto store = LayerStore::open(state.path() + "/layers", limits);
    ASSERT_TRUE(store) << store.error().message;
    const auto got = (*store)->acquire(crypto::sha256(as_bytes(row.tar)), reader_of(gzip(row.tar)));
    ASSERT_FALSE(got) << row.name;
    EXPECT_EQ(got.error().code, row.code) << row.name << ": " << got.error().message;
    EXPECT_NE(got.error().message.find(row.says), std::string::npos) << row.name << ": " << got.error().message;
    EXPECT_TRUE(std::filesystem::is_empty(state.path() + "/layers")) << row.name;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_.path() + "/evil"));
  EXPECT_FALSE(std::filesystem::exists("/tmp/evil"));
}

TEST_F(Unpack, BombsAndEntryCountsAreBounded) {
  UnpackLimits limits;
  limits.stream.ratio_free_bytes = 1 << 20;
  limits.stream.ratio = 100;
  auto bomb = unpack(Tar().file("zeros", std::string(20 << 20, '\0')).finish(), limits);
  ASSERT_FALSE(bomb);
  EXPECT_EQ(bomb.error().code, ErrorCode::kExhausted);
  EXPECT_NE(bomb.error().message.find("times its size"), std::string::npos) << bomb.error().message;

  limits = {};
  limits.entries = 10;
  Tar many;
  for (int i = 0; i < 11; ++i) many.file("f" + std::to_string(i), "");
  auto crowd = unpack(many.finish(), limits);
  ASSERT_FALSE(crowd);
  EXPECT_NE(crowd.error().message.find("more than 10 entries"), std::string::npos);
}

TEST_F(Unpack, DamageIsNoticed) {
  const std::string tar = Tar().file("a", std::string(3000, 'a')).finish();
  const std::string blob = gzip(tar);
  EXPECT_EQ(unpack_layer(reader_of(blob), Hash32{}, fs_, {}).error().code, ErrorCode::kCorrupt);  // another digest
  EXPECT_EQ(unpack_blob(blob.substr(0, blob.size() / 2), tar).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(unpack_blob(testing::zstd(tar).substr(0, 20), tar).error().code, ErrorCode::kCorrupt);
  std::string flipped = blob;
  flipped[flipped.size() / 2] = static_cast<char>(flipped[flipped.size() / 2] ^ 0x40);
  EXPECT_EQ(unpack_blob(flipped, tar).error().code, ErrorCode::kCorrupt);
  // Bytes hidden behind the end of the archive count for the digest too.
  EXPECT_EQ(unpack_blob(gzip(tar + "hidden"), tar).error().code, ErrorCode::kCorrupt);
}

TEST_F(Unpack, StoreUnpacksOnceAndRemovesTheOldestUnused) {
  int reads = 0;
  const auto counting = [&](const std::string& blob) {
    return [&reads, inner = reader_of(blob)](std::uint64_t offset, std::span<std::uint8_t> out) {
      if (offset == 0) ++reads;
      return inner(offset, out);
    };
  };
  std::vector<std::string> tars;
  std::vector<Hash32> ids;
  for (int i = 0; i < 3; ++i) {
    tars.push_back(Tar().file("n", std::to_string(i)).finish());
    ids.push_back(crypto::sha256(as_bytes(tars.back())));
  }
  const std::string where = folder_.path() + "/layers";
  {
    auto store = LayerStore::open(where, {});
    ASSERT_TRUE(store);
    for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE((*store)->acquire(ids[i], counting(tars[i])));
    ASSERT_TRUE((*store)->acquire(ids[0], counting(tars[0])));
    EXPECT_EQ(reads, 3);
    EXPECT_EQ((*store)->collect(0), 0U);  // all are held
    (*store)->release(ids[1]);
    (*store)->release(ids[0]);
    EXPECT_EQ((*store)->collect(0), tars[1].size());  // 0 is held once more, 2 is held
    EXPECT_FALSE(std::filesystem::exists(where + "/" + to_hex(ids[1])));
  }
  std::filesystem::create_directories(where + "/tmp-left-by-a-crash/fs");
  // One layer is durable; the other says that it was unpacked before the machine last went down.
  const std::string torn = Tar().file("n", "torn").finish();
  const Hash32 torn_id = crypto::sha256(as_bytes(torn));
  {
    auto store = LayerStore::open(where, {});
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->make_durable());
    ASSERT_TRUE((*store)->acquire(torn_id, reader_of(torn)));
  }
  std::ofstream(where + "/" + to_hex(torn_id) + "/bytes") << torn.size() << " 00000000-an-earlier-boot\n";
  auto again = LayerStore::open(where, {});
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->hold(torn_id).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(where + "/tmp-left-by-a-crash"));
  EXPECT_EQ((*again)->total_bytes(), tars[0].size() + tars[2].size());
  ASSERT_TRUE((*again)->hold(ids[0]));
  EXPECT_EQ((*again)->hold(ids[1]).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace bonus::compute::vm
