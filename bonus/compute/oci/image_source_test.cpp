// Pulling from peers that are slow, gone, lying or half-way there.
#include "bonus/compute/oci/image_source.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <future>

#include "bonus/compute/oci/partial_file.hpp"
#include "bonus/compute/oci/test_registry.hpp"

namespace bonus::compute::oci {
namespace {

using runtime::Task;
using test::bytes;
using test::digest_of;
using test::pattern;

NodeId node(std::uint8_t n) {
  NodeId out;
  out.bytes[0] = n;
  return out;
}

/// Holders with contents of their own; `fail_after` counts their successful reads.
class FakePeers final : public BlobPeers {
 public:
  struct Holder {
    std::map<Hash32, Bytes> blobs;
    std::size_t reads = 0;
    std::size_t fail_after = SIZE_MAX;
    bool short_reads = false;
  };
  Task<std::vector<BlobPeers::Holder>> holders(Hash32 sha256) override {
    const std::scoped_lock lock(mutex);
    std::vector<BlobPeers::Holder> out;
    for (const auto& [id, holder] : nodes)
      if (const auto at = holder.blobs.find(sha256); at != holder.blobs.end()) out.push_back({id, at->second.size()});
    co_return out;
  }
  Task<Result<Bytes>> read(NodeId id, Hash32 sha256, std::uint64_t offset, std::size_t length) override {
    (void)co_await runtime::sleep_for(std::chrono::milliseconds(1));
    const std::scoped_lock lock(mutex);
    auto& holder = nodes[id];
    if (holder.reads >= holder.fail_after) co_return fail(ErrorCode::kUnavailable, "the node is gone");
    ++holder.reads;
    offsets.push_back(offset);
    if (length > (1 << 20)) co_return fail(ErrorCode::kInvalid, "too long");
    const auto& content = holder.blobs[sha256];
    if (offset + length > content.size()) co_return fail(ErrorCode::kInvalid, "outside of the blob");
    const auto part =
        BytesView(content).subspan(static_cast<std::size_t>(offset), holder.short_reads ? length / 2 : length);
    co_return Bytes(part.begin(), part.end());
  }
  void give(std::uint8_t n, const Bytes& content) { nodes[node(n)].blobs[crypto::sha256(content)] = content; }
  void lie(std::uint8_t n, const Hash32& digest, const Bytes& content) { nodes[node(n)].blobs[digest] = content; }

  std::mutex mutex;
  std::map<NodeId, Holder> nodes;
  std::vector<std::uint64_t> offsets;
};

class ImageSourceTest : public ::testing::Test {
 protected:
  ImageSourceTest() {
    options.partial_dir = folder.path() + "/partial";
    options.platform = {"amd64", "linux", ""};
    options.chunk_bytes = 100'000;
  }
  OciImageSource& source() {
    if (!source_) source_ = std::make_unique<OciImageSource>(store, peers, pool, options);
    return *source_;
  }
  template <class T>
  Result<T> run(Task<Result<T>> task) {
    return boost::asio::co_spawn(io.context(), std::move(task), boost::asio::use_future).get();
  }
  Result<Bytes> small(const Hash32& digest, std::size_t limit = 8 << 20) {
    return run(source().fetch_small(digest, limit));
  }
  Result<Image> pull(const Hash32& digest) {
    return run(source().pull(digest, [this](PullProgress p) { progress.push_back(p); }));
  }

  struct Sample {
    Bytes config, manifest;
    std::vector<Bytes> layers;
    Hash32 digest;
  };
  static Sample sample(std::string_view architecture = "amd64", std::size_t diff_ids = 2) {
    Sample out;
    out.layers = {pattern(450'000, 1), pattern(70, 2)};
    std::string ids;
    for (std::size_t i = 0; i < diff_ids; ++i) ids += (i > 0 ? ",\"" : "\"") + digest_of(pattern(i, i)) + "\"";
    out.config = bytes(
        R"({"architecture":")" + std::string(architecture) +
        R"(","os":"linux","config":{"Entrypoint":["/bin/server"],"Cmd":["--port","80"],"Env":["A=b"],"WorkingDir":"/srv","User":"10:10",)" +
        R"("ExposedPorts":{"80/tcp":{},"53/udp":{},"8080":{}}},"rootfs":{"type":"layers","diff_ids":[)" + ids + "]}}");
    out.manifest = bytes(test::manifest_json(out.config, out.layers));
    out.digest = crypto::sha256(out.manifest);
    return out;
  }
  void give(std::uint8_t n, const Sample& s) {
    peers.give(n, s.manifest);
    peers.give(n, s.config);
    for (const auto& layer : s.layers) peers.give(n, layer);
  }

  test::TempFolder folder;
  test::IoThreads io{1};
  runtime::BlockingPool pool{2, 64};
  storage::MemoryBlobStore store;
  FakePeers peers;
  ImageSourceOptions options;
  std::vector<PullProgress> progress;

 private:
  std::unique_ptr<OciImageSource> source_;
};

TEST_F(ImageSourceTest, PullsEverythingAndParsesIt) {
  const auto s = sample();
  give(1, s);
  const auto image = pull(s.digest);
  ASSERT_TRUE(image) << image.error().to_string();
  EXPECT_EQ(image->manifest_digest, s.digest);
  EXPECT_EQ(image->config_digest, crypto::sha256(s.config));
  ASSERT_EQ(image->layers.size(), 2U);
  EXPECT_EQ(image->layers[0].size_bytes, 450'000U);
  EXPECT_EQ(digest_text(image->layers[1].diff_id), digest_of(pattern(1, 1)));
  EXPECT_EQ(image->entrypoint, std::vector<std::string>{"/bin/server"});
  EXPECT_EQ(image->cmd, (std::vector<std::string>{"--port", "80"}));
  EXPECT_EQ(image->user, "10:10");
  EXPECT_EQ(image->working_directory, "/srv");
  EXPECT_EQ(image->exposed_ports, (std::vector<std::uint16_t>{80, 8080}));
  ASSERT_FALSE(progress.empty());
  EXPECT_EQ(progress.back().done_bytes, 450'070U);
  EXPECT_EQ(progress.back().total_bytes, 450'070U);
  EXPECT_TRUE(std::ranges::is_sorted(progress, {}, &PullProgress::done_bytes));
  Bytes out(1000);
  EXPECT_EQ(source().read_layer(image->layers[0].digest, 449'500, out).value(), 500U);
  EXPECT_TRUE(std::ranges::equal(BytesView(out).first(500), BytesView(s.layers[0]).subspan(449'500)));
  EXPECT_EQ(source().read_layer(crypto::sha256(as_bytes("x")), 0, out).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(std::filesystem::is_empty(options.partial_dir));
  const auto before = peers.offsets.size();
  EXPECT_TRUE(pull(s.digest));
  EXPECT_EQ(peers.offsets.size(), before) << "nothing is fetched twice";
}

TEST_F(ImageSourceTest, SpreadsOverHoldersAndSurvivesTheirLoss) {
  const auto s = sample();
  for (std::uint8_t n = 1; n <= 3; ++n) give(n, s);
  peers.nodes[node(1)].fail_after = 3;  // dies in the middle
  peers.nodes[node(2)].short_reads = true;
  ASSERT_TRUE(pull(s.digest));
  EXPECT_GT(peers.nodes[node(3)].reads, 0U);
}

TEST_F(ImageSourceTest, ResumesAPartlyFetchedBlob) {
  const Bytes content = pattern(1'000'000, 5);
  const Hash32 digest = crypto::sha256(content);
  options.parallel_chunks = 1;
  peers.give(1, content);
  peers.nodes[node(1)].fail_after = 4;
  EXPECT_EQ(small(digest).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(PartialFile::open(options.partial_dir, digest).value()->size(), 400'000U);
  peers.nodes[node(1)].fail_after = SIZE_MAX;
  peers.offsets.clear();
  EXPECT_EQ(small(digest).value(), content);
  EXPECT_EQ(peers.offsets.front(), 400'000U);
  EXPECT_EQ(peers.offsets.size(), 6U);
}

TEST_F(ImageSourceTest, FindsTheHonestHolder) {
  const Bytes content = pattern(500'000, 6);
  Bytes forged = content;
  forged[123'456] ^= 1;
  const Hash32 digest = crypto::sha256(content);
  peers.lie(1, digest, forged);
  peers.lie(2, digest, forged);
  peers.give(3, content);
  EXPECT_EQ(small(digest).value(), content);
  EXPECT_EQ(store.usage().blobs, 1U);
}

TEST_F(ImageSourceTest, StoresNothingThatDoesNotHaveTheDigest) {
  const Bytes content = pattern(500'000, 7);
  Bytes forged = content;
  forged.back() ^= 1;
  const Hash32 digest = crypto::sha256(content);
  peers.lie(1, digest, forged);
  peers.lie(2, digest, pattern(10, 1));
  EXPECT_EQ(small(digest).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(store.usage().blobs, 0U);
}

TEST_F(ImageSourceTest, RestartsAPartThatAnEarlierRunLeftWrong) {
  const Bytes content = pattern(300'000, 8);
  ASSERT_TRUE(PartialFile::open(options.partial_dir, crypto::sha256(content)).value()->append(pattern(200'000, 9)));
  peers.give(1, content);
  peers.give(2, content);
  EXPECT_EQ(small(crypto::sha256(content)).value(), content);
}

TEST_F(ImageSourceTest, HoldsItsLimits) {
  const Bytes content = pattern(5000, 10);
  peers.give(1, content);
  EXPECT_EQ(small(crypto::sha256(content), 4999).error().code, ErrorCode::kExhausted);
  EXPECT_EQ(store.usage().blobs, 0U);
  EXPECT_TRUE(small(crypto::sha256(content), 5000));
  EXPECT_EQ(small(crypto::sha256(content), 4999).error().code, ErrorCode::kExhausted) << "also when it is local";
  EXPECT_EQ(small(crypto::sha256(as_bytes("nobody has it"))).error().code, ErrorCode::kNotFound);
}

TEST_F(ImageSourceTest, TwoPullsOfOneImageFetchItOnce) {
  const auto s = sample();
  give(1, s);
  auto first = boost::asio::co_spawn(io.context(), source().pull(s.digest, nullptr), boost::asio::use_future);
  auto second = boost::asio::co_spawn(io.context(), source().pull(s.digest, nullptr), boost::asio::use_future);
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
  EXPECT_EQ(peers.offsets.size(), 1U + 1U + 5U + 1U);
}

TEST_F(ImageSourceTest, PicksThePlatformOfThisMachine) {
  const auto mine = sample(), other = sample("arm64");
  const auto entry = [](const Sample& s, const std::string& architecture) {
    return R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" + digest_text(s.digest) +
           R"(","size":)" + std::to_string(s.manifest.size()) + R"(,"platform":{"os":"linux","architecture":")" +
           architecture + "\"}}";
  };
  const auto index = [&](const std::string& entries) {
    return bytes(R"({"schemaVersion":2,"manifests":[)" + entries + "]}");
  };
  const Bytes both = index(entry(other, "arm64") + "," + entry(mine, "amd64"));
  const Bytes foreign = index(entry(other, "arm64") + "," + entry(other, "s390x"));
  give(1, mine);
  give(1, other);
  peers.give(1, both);
  peers.give(1, foreign);
  const auto image = pull(crypto::sha256(both));
  ASSERT_TRUE(image) << image.error().to_string();
  EXPECT_EQ(image->architecture, "amd64");
  EXPECT_EQ(image->manifest_digest, crypto::sha256(both)) << "as the order names it";
  const auto none = pull(crypto::sha256(foreign));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_NE(none.error().message.find("linux/arm64"), std::string::npos) << none.error().message;
}

TEST_F(ImageSourceTest, RefusesImagesThatDoNotFitTogether) {
  for (const auto& s : {sample("arm64"), sample("amd64", 1), sample("amd64", 3)}) {
    give(1, s);
    const auto image = pull(s.digest);
    ASSERT_FALSE(image);
    EXPECT_TRUE(image.error().code == ErrorCode::kInvalid || image.error().code == ErrorCode::kUnsupported);
  }
  EXPECT_EQ(store.usage().bytes < 400'000, true) << "found out before the layers were fetched";
}

}  // namespace
}  // namespace bonus::compute::oci
