// Images from disk to a registry and back: our own client, and skopeo where it is installed.
#include "bonus/compute/oci/image_pusher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "bonus/compute/oci/local_files.hpp"
#include "bonus/compute/oci/local_image.hpp"
#include "bonus/compute/oci/manifest.hpp"
#include "bonus/compute/oci/test_registry.hpp"
#include "bonus/runtime/process.hpp"

namespace bonus::compute::oci {
namespace {

namespace fs = std::filesystem;
using test::bytes;
using test::digest_of;
using test::pattern;

void write(const std::string& path, BytesView content) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
}
Bytes read(const std::string& path) { return read_small_file(path, 64 << 20).value(); }
runtime::ProcessResult command(std::vector<std::string> argv, const std::string& folder = {}) {
  runtime::ProcessOptions options;
  options.argv = std::move(argv);
  options.working_directory = folder;
  auto result = runtime::run_process(options);
  if (!result) return {.exit_code = 127, .out = {}, .err = result.error().message};
  return *std::move(result);
}

class ImagePusherTest : public ::testing::Test {
 protected:
  void SetUp() override {
    r.start();
    // One real layer: a tar with a file that does not compress.
    write(path("root/data"), pattern(1'500'000, 1));
    ASSERT_EQ(command({"tar", "-C", path("root"), "-cf", path("layer.tar"), "data"}).exit_code, 0);
    ASSERT_TRUE(gzip_file(path("layer.tar"), path("layer.gz")));
    layer_ = read(path("layer.gz"));
    config_ = bytes(
        R"({"architecture":"amd64","os":"linux","config":{"Cmd":["/data"]},"rootfs":{"type":"layers","diff_ids":[")" +
        digest_text(digest_file(path("layer.tar"))->sha256) + "\"]}}");
    manifest_ = test::manifest_json(config_, {layer_});
    make_layout();
  }
  std::string path(const std::string& name) const { return work_.path() + "/" + name; }
  void make_layout() {
    for (const Bytes& blob : {config_, layer_, bytes(manifest_)})
      write(path("layout/blobs/sha256/" + digest_of(blob).substr(7)), blob);
    write(path("layout/oci-layout"), as_bytes(R"({"imageLayoutVersion":"1.0.0"})"));
    write(
        path("layout/index.json"),
        as_bytes(
            R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":")" +
            digest_of(as_bytes(manifest_)) + R"(","size":)" + std::to_string(manifest_.size()) +
            R"(,"annotations":{"org.opencontainers.image.ref.name":"v1"}}]})"));
  }
  void make_docker_archive() {
    write(path("docker/c.json"), config_);
    fs::create_directories(path("docker/x"));
    fs::copy_file(path("layer.tar"), path("docker/x/layer.tar"));
    write(path("docker/manifest.json"),
          as_bytes(R"([{"Config":"c.json","RepoTags":["some/thing:v1"],"Layers":["x/layer.tar"]}])"));
    ASSERT_EQ(
        command({"tar", "-C", path("docker"), "-cf", path("docker.tar"), "manifest.json", "c.json", "x"}).exit_code, 0);
  }
  Result<PushResult> push(const std::string& source, const std::string& name = "some/thing:v1",
                          PushOptions options = {}) {
    options.first_pause = std::chrono::milliseconds(1);
    return push_image(source, r.url(), name, [this](const PushProgress& p) { progress_.push_back(p); }, options);
  }

  test::TestRegistry r;
  test::TempFolder work_;
  Bytes layer_, config_;
  std::string manifest_;
  std::vector<PushProgress> progress_;
};

TEST_F(ImagePusherTest, PushesALayoutAndSkipsWhatIsThere) {
  auto result = push(path("layout"));
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(digest_text(result->manifest_digest), digest_of(as_bytes(manifest_)));
  EXPECT_EQ(result->uploaded_bytes, layer_.size() + config_.size());
  EXPECT_EQ(progress_.back().done_bytes, progress_.back().total_bytes);
  EXPECT_EQ(as_text(r.send("GET", "/v2/some/thing/manifests/v1").body), manifest_);
  EXPECT_EQ(r.send("GET", "/v2/some/thing/blobs/" + digest_of(layer_)).body, layer_);
  result = push(path("layout"), "some/thing:v2");
  ASSERT_TRUE(result);
  EXPECT_EQ(result->uploaded_bytes, 0U);
  EXPECT_EQ(result->skipped_bytes, layer_.size() + config_.size());

  const auto listed = list_images("127.0.0.1:" + std::to_string(r.port()));
  ASSERT_TRUE(listed) << listed.error().to_string();
  ASSERT_EQ(listed->size(), 2U);
  EXPECT_EQ((*listed)[0].repository, "some/thing");
  EXPECT_EQ((*listed)[0].tag, "v1");
  EXPECT_EQ((*listed)[0].size_bytes, layer_.size() + config_.size());
  EXPECT_EQ(resolve_image(r.url(), "some/thing:v1").value(), (*listed)[0].digest);
  EXPECT_EQ(resolve_image(r.url(), "some/thing").error().code, ErrorCode::kNotFound);
}

TEST_F(ImagePusherTest, PushesArchives) {
  ASSERT_EQ(command({"tar", "-C", path("layout"), "-czf", path("oci.tgz"), "."}).exit_code, 0);
  auto result = push(path("oci.tgz"), "from/oci:v1");
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(digest_text(result->manifest_digest), digest_of(as_bytes(manifest_)));
  make_docker_archive();
  result = push(path("docker.tar"), "from/docker:v1");
  ASSERT_TRUE(result) << result.error().to_string();
  // The layer was a plain tar: it travels compressed and is the same tar.
  EXPECT_EQ(r.send("GET", "/v2/from/docker/blobs/" + digest_of(layer_)).body, layer_);
  EXPECT_EQ(r.send("GET", "/v2/from/docker/blobs/" + digest_of(config_)).body, config_);
  EXPECT_EQ(r.send("HEAD", "/v2/from/docker/manifests/v1").headers.get("Content-Type"), kOciManifest);
}

TEST_F(ImagePusherTest, GoesOnAfterBrokenConnections) {
  r.chunks_until_break = 2;  // config, one chunk of the layer
  PushOptions options;
  options.chunk_bytes = 200'000;
  options.attempts = 2;
  options.state_dir = path("state");
  auto result = push(path("layout"), "some/thing:v1", options);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable) << result.error().message;
  EXPECT_EQ(r.breaks, 2);
  r.chunks_until_break = -1;
  r.stop();  // the port changes, so the memory of the upload does not fit: it must not harm
  r.start();
  result = push(path("layout"), "some/thing:v1", options);
  ASSERT_TRUE(result) << result.error().to_string();
  EXPECT_EQ(r.send("GET", "/v2/some/thing/blobs/" + digest_of(layer_)).body, layer_);
}

TEST_F(ImagePusherTest, ASecondRunGoesOnWhereTheFirstStopped) {
  r.chunks_until_break = 3;  // config, two chunks of the layer
  PushOptions options;
  options.chunk_bytes = 200'000;
  options.attempts = 1;
  options.state_dir = path("state");
  ASSERT_FALSE(push(path("layout"), "some/thing:v1", options));
  r.chunks_until_break = -1;
  progress_.clear();
  const auto result = push(path("layout"), "some/thing:v1", options);
  ASSERT_TRUE(result) << result.error().to_string();
  const auto resumed = std::ranges::find_if(
      progress_, [&](const auto& p) { return p.digest == digest_of(layer_) && p.done_bytes > config_.size(); });
  ASSERT_NE(resumed, progress_.end());
  EXPECT_EQ(resumed->done_bytes, config_.size() + 400'000);
  EXPECT_TRUE(fs::is_empty(path("state")));
  EXPECT_EQ(r.send("GET", "/v2/some/thing/blobs/" + digest_of(layer_)).body, layer_);
}

TEST_F(ImagePusherTest, SaysWhatIsWrongWithTheSource) {
  const auto fails = [&](const std::string& source, ErrorCode code, std::string_view text,
                         const std::string& name = "some/thing:v1") {
    const auto result = push(source, name);
    ASSERT_FALSE(result) << source;
    EXPECT_EQ(result.error().code, code) << result.error().message;
    EXPECT_THAT(result.error().message, ::testing::HasSubstr(std::string(text)));
  };
  fails(path("nothing"), ErrorCode::kNotFound, "does not exist");
  fails(path("root"), ErrorCode::kInvalid, "oci-layout");
  fails(path("root/data"), ErrorCode::kInvalid, "");
  fails(path("layer.tar"), ErrorCode::kInvalid, "docker save");
  fails(path("layout"), ErrorCode::kInvalid, "not an image name", "Some/Thing:v1");
  fails(path("layout"), ErrorCode::kInvalid, "not a tag", "some/thing:-");
  write(path("layout/blobs/sha256/" + digest_of(layer_).substr(7)), BytesView(layer_).first(100));
  fails(path("layout"), ErrorCode::kCorrupt, "bytes");
  Bytes forged = layer_;
  forged[5000] ^= 1;
  write(path("layout/blobs/sha256/" + digest_of(layer_).substr(7)), forged);
  fails(path("layout"), ErrorCode::kConflict, "DIGEST_INVALID");
  write(path("layout/blobs/sha256/" + digest_of(as_bytes(manifest_)).substr(7)), as_bytes(manifest_ + " "));
  fails(path("layout"), ErrorCode::kCorrupt, "digest");
  fs::remove(path("layout/blobs/sha256/" + digest_of(as_bytes(manifest_)).substr(7)));
  fails(path("layout"), ErrorCode::kNotFound, "blobs/sha256");
  make_layout();
  r.push_allowed = false;
  fails(path("layout"), ErrorCode::kDenied, "DENIED");
  r.stop();
  PushOptions once;
  once.attempts = 1;
  const auto gone = push_image(path("layout"), "http://127.0.0.1:1", "a:b", nullptr, once);
  EXPECT_EQ(gone.error().code, ErrorCode::kUnavailable);
}

TEST_F(ImagePusherTest, NothingInAnArchiveLeavesIt) {
  write(path("evil/manifest.json"), as_bytes(R"([{"Config":"../../etc/passwd","Layers":["x/layer.tar"]}])"));
  fs::create_directories(path("evil/x"));
  fs::create_symlink("/etc/passwd", path("evil/x/layer.tar"));
  ASSERT_EQ(command({"tar", "-C", path("evil"), "-cf", path("evil.tar"), "manifest.json", "x"}).exit_code, 0);
  EXPECT_EQ(push(path("evil.tar")).error().code, ErrorCode::kNotFound);
  ASSERT_EQ(command({"tar", "-C", path("evil"), "-P", "--transform", "s,^manifest,../../manifest,", "-cf",
                     path("up.tar"), "manifest.json"})
                .exit_code,
            0);
  EXPECT_EQ(push(path("up.tar")).error().code, ErrorCode::kInvalid);
}

TEST_F(ImagePusherTest, SkopeoPushesAndPulls) {
  const auto version = command({"skopeo", "--version"});
  if (version.exit_code != 0) GTEST_SKIP() << "skopeo is not installed";
  const std::string remote = "docker://127.0.0.1:" + std::to_string(r.port()) + "/sko/peo:v1";
  const auto skopeo = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"skopeo", "--insecure-policy"});
    auto result = command(std::move(arguments));
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    return result;
  };
  skopeo({"copy", "--dest-tls-verify=false", "oci:" + path("layout") + ":v1", remote});
  EXPECT_EQ(as_text(r.send("GET", "/v2/sko/peo/manifests/v1").body), manifest_);
  skopeo({"copy", "--src-tls-verify=false", remote, "oci:" + path("back") + ":v1"});
  EXPECT_EQ(read(path("back/blobs/sha256/" + digest_of(layer_).substr(7))), layer_);
  EXPECT_EQ(as_text(read(path("back/blobs/sha256/" + digest_of(as_bytes(manifest_)).substr(7)))), manifest_);
  // Docker's own manifest form, into a plain folder.
  const std::string other = "docker://127.0.0.1:" + std::to_string(r.port()) + "/sko/docker:v2";
  skopeo({"copy", "--format", "v2s2", "--dest-tls-verify=false", "oci:" + path("layout") + ":v1", other});
  EXPECT_EQ(r.send("HEAD", "/v2/sko/docker/manifests/v2").headers.get("Content-Type"), kDockerManifest);
  skopeo({"copy", "--src-tls-verify=false", other, "dir:" + path("plain")});
  EXPECT_EQ(read(path("plain/" + digest_of(layer_).substr(7))), layer_);
  // What skopeo writes as archives, we push.
  skopeo({"copy", "--src-tls-verify=false", remote, "oci-archive:" + path("a.tar") + ":v1"});
  EXPECT_TRUE(push(path("a.tar"), "again/oci:v1"));
  skopeo({"copy", "--src-tls-verify=false", remote, "docker-archive:" + path("d.tar") + ":again/docker:v1"});
  const auto docker = push(path("d.tar"), "again/docker:v1");
  EXPECT_TRUE(docker) << docker.error().to_string();
  const auto tags =
      skopeo({"list-tags", "--tls-verify=false", "docker://127.0.0.1:" + std::to_string(r.port()) + "/sko/peo"});
  EXPECT_THAT(tags.out, ::testing::HasSubstr("\"v1\""));
  skopeo({"inspect", "--tls-verify=false", remote});
  skopeo({"delete", "--tls-verify=false", remote});
  EXPECT_EQ(r.send("GET", "/v2/sko/peo/manifests/v1").status, 404);
}

}  // namespace
}  // namespace bonus::compute::oci
