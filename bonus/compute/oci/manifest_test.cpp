// Parsing of names, manifests, configurations and catalogue records, apart from any connection.
#include "bonus/compute/oci/manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bonus/compute/oci/catalog.hpp"
#include "bonus/compute/oci/names.hpp"
#include "bonus/compute/oci/route.hpp"
#include "bonus/compute/oci/test_registry.hpp"

namespace bonus::compute::oci {
namespace {

using test::bytes;
using test::digest_of;

TEST(Names, Repositories) {
  for (const char* good : {"a", "library/nginx", "a.b/c_d/e__f/g-h/i---j", "0", "blobs/uploads/manifests"})
    EXPECT_TRUE(valid_repository(good)) << good;
  for (const char* bad : {"", "A", "a/", "/a", "a//b", ".a", "a.", "a..b", "a___b", "a._b", "a b", "a:b", "../a", "ä"})
    EXPECT_FALSE(valid_repository(bad)) << bad;
  EXPECT_TRUE(valid_repository(std::string(255, 'a')));
  EXPECT_FALSE(valid_repository(std::string(256, 'a')));
}

TEST(Names, TagsAndDigests) {
  for (const char* good : {"v1", "_x", "1.2-A_b", "latest"}) EXPECT_TRUE(valid_tag(good)) << good;
  for (const char* bad : {"", ".a", "-a", "a/b", "a:b", "a b"}) EXPECT_FALSE(valid_tag(bad)) << bad;
  EXPECT_TRUE(valid_tag(std::string(128, 'a')));
  EXPECT_FALSE(valid_tag(std::string(129, 'a')));
  const std::string digest = digest_of({});
  EXPECT_EQ(digest_text(parse_digest(digest).value()), digest);
  for (const std::string& bad :
       {std::string(), std::string("sha256"), std::string("sha256:"), std::string(":x"), digest + "0",
        digest.substr(0, 70), "sha256:" + std::string(64, 'A'), "SHA256:" + digest.substr(7)})
    EXPECT_EQ(parse_digest(bad).error().code, ErrorCode::kInvalid) << bad;
  EXPECT_EQ(parse_digest("sha512:abcdef").error().code, ErrorCode::kUnsupported);
}

TEST(Names, References) {
  EXPECT_EQ(parse_reference("a/b:v1")->repository, "a/b");
  EXPECT_EQ(parse_reference("a/b:v1")->reference, "v1");
  EXPECT_EQ(parse_reference("a")->reference, "latest");
  EXPECT_EQ(parse_reference("a@" + digest_of({}))->reference, digest_of({}));
  for (const char* bad : {"", ":", "a:", "a@x", "A:b"}) EXPECT_FALSE(parse_reference(bad)) << bad;
}

TEST(Routes, AreReadFromTheirEnd) {
  const auto kind = [](std::string_view path) { return parse_route(path)->kind; };
  EXPECT_EQ(kind("/v2/"), Route::Kind::kBase);
  EXPECT_EQ(kind("/v2/_catalog"), Route::Kind::kCatalog);
  EXPECT_EQ(kind("/v2/a/blobs/uploads/"), Route::Kind::kUploads);
  EXPECT_EQ(kind("/v2/a/blobs/uploads"), Route::Kind::kUploads);
  EXPECT_EQ(kind("/v2/a/blobs/uploads/x"), Route::Kind::kUpload);
  EXPECT_EQ(parse_route("/v2/blobs/uploads/blobs/uploads/x")->repository, "blobs/uploads");
  EXPECT_EQ(parse_route("/v2/a/manifests/manifests/v1")->repository, "a/manifests");
  EXPECT_EQ(kind("/v2/a/tags/list"), Route::Kind::kTags);
  EXPECT_EQ(kind("/v2/tags/list/manifests/x"), Route::Kind::kManifest);
  for (const char* none : {"", "/", "/v1/", "/v2/a", "/v2/a/b/c", "/v2x/"})
    EXPECT_EQ(kind(none), Route::Kind::kNone) << none;
  EXPECT_FALSE(parse_route("/v2//manifests/x"));
  EXPECT_FALSE(parse_route("/v2/A/manifests/x"));
}

TEST(Manifests, NameTheWrongField) {
  const auto message = [](const std::string& text) {
    const auto parsed = parse_manifest(as_bytes(text), {});
    return parsed ? std::string("accepted") : parsed.error().message;
  };
  const Bytes config = bytes("{}");
  EXPECT_EQ(message(test::manifest_json(config, {config})), "accepted");
  EXPECT_THAT(message(R"({"schemaVersion":2,"config":{}})"), ::testing::HasSubstr("mediaType"));
  EXPECT_THAT(message(R"({"schemaVersion":2,"config":{"mediaType":"x/y","digest":"sha256:0","size":1}})"),
              ::testing::HasSubstr("config"));
  std::string text = test::manifest_json(config, {config, config});
  text.replace(text.rfind("\"size\":2"), 8, "\"size\":2.5");
  EXPECT_THAT(message(text), ::testing::HasSubstr("layers[1]"));
  EXPECT_THAT(message(test::manifest_json(config, {}, R"(,"annotations":{"a":1})")),
              ::testing::HasSubstr("annotations"));
  EXPECT_THAT(message(test::manifest_json(config, {}, R"(,"artifactType":"none")")),
              ::testing::HasSubstr("artifactType"));
}

TEST(Configs, AreStrict) {
  const auto good = [](const std::string& config, const std::string& rootfs = R"({"type":"layers","diff_ids":[]})") {
    return parse_config(
               as_bytes(R"({"architecture":"amd64","os":"linux","config":)" + config + R"(,"rootfs":)" + rootfs + "}"))
        .has_value();
  };
  EXPECT_TRUE(good("{}"));
  EXPECT_TRUE(good(R"({"Entrypoint":null,"Cmd":null,"Env":null,"ExposedPorts":null,"Labels":{"any":"thing"}})"));
  EXPECT_FALSE(good(R"({"Env":["novalue"]})"));
  EXPECT_FALSE(good(R"({"Env":["=x"]})"));
  EXPECT_FALSE(good("{\"Cmd\":[\"a\\u0000b\"]}"));
  EXPECT_FALSE(good(R"({"Cmd":"text"})"));
  EXPECT_FALSE(good(R"({"ExposedPorts":{"0/tcp":{}}})"));
  EXPECT_FALSE(good(R"({"ExposedPorts":{"70000":{}}})"));
  EXPECT_FALSE(good("{}", R"({"type":"other","diff_ids":[]})"));
  EXPECT_FALSE(good("{}", R"({"type":"layers","diff_ids":["sha256:1"]})"));
  EXPECT_FALSE(good("{}", "[]"));
  EXPECT_FALSE(parse_config(as_bytes("{}")));
}

TEST(Catalogue, GoldenRecords) {
  CatalogRecord tag;
  tag.kind = CatalogRecord::Kind::kTag;
  tag.repository = "a/b";
  tag.tag = "v1";
  tag.manifest.digest.bytes.fill(0x11);
  EXPECT_EQ(to_hex(encode(tag)),
            "0105"
            "0300000000000000"
            "612f62"
            "0200000000000000"
            "7631" +
                to_hex(tag.manifest.digest));
  EXPECT_EQ(decode_catalog_record(encode(tag)).value(), tag);
  CatalogRecord put;
  put.kind = CatalogRecord::Kind::kPutManifest;
  put.repository = "a";
  put.manifest = {.digest = tag.manifest.digest,
                  .media_type = "x/y",
                  .size_bytes = 258,
                  .subject = tag.manifest.digest,
                  .artifact_type = "z",
                  .annotations = {{"k", "v"}}};
  const std::string digest = to_hex(tag.manifest.digest);
  EXPECT_EQ(to_hex(encode(put)),
            "0103"
            "010000000000000061" +
                digest +
                "0300000000000000782f79"
                "0201000000000000"
                "01" +
                digest +
                "01000000000000007a"
                "0100000000000000"
                "01000000000000006b"
                "010000000000000076");
  EXPECT_EQ(decode_catalog_record(encode(put)).value(), put);
  Bytes raw = encode(put);
  for (std::size_t cut = 0; cut < raw.size(); ++cut)
    EXPECT_FALSE(decode_catalog_record(BytesView(raw).first(cut))) << cut;
  raw.push_back(0);
  EXPECT_FALSE(decode_catalog_record(raw));
  raw[0] = 2;
  EXPECT_EQ(decode_catalog_record(raw).error().code, ErrorCode::kUnsupported);
}

TEST(Catalogue, StaysSmallAndIsTheSameAfterReopening) {
  test::TempFolder folder;
  const std::string path = folder.path() + "/catalog.log";
  Hash32 digest;
  {
    auto catalog = Catalog::open(runtime::system_disk(), path, 100).value();
    for (std::uint8_t i = 0; i < 250; ++i)
      for (int turn = 0; turn < 5; ++turn) {
        digest.bytes[0] = i;
        ASSERT_TRUE(catalog->link_blob("a", digest));
        ASSERT_TRUE(catalog->unlink_blob("a", digest).value());
      }
    ASSERT_TRUE(catalog->put_manifest("b",
                                      {.digest = digest,
                                       .media_type = "x/y",
                                       .size_bytes = 1,
                                       .subject = std::nullopt,
                                       .artifact_type = {},
                                       .annotations = {}},
                                      "t"));
    ASSERT_TRUE(catalog->link_blob("c", digest));
    EXPECT_FALSE(catalog->unlink_blob("c", digest).value()) << "b still holds it";
  }
  EXPECT_LT(std::filesystem::file_size(path), 200'000U);
  auto catalog = Catalog::open(runtime::system_disk(), path, 100).value();
  EXPECT_EQ(catalog->resolve("b", "t"), digest);
  EXPECT_THAT(catalog->repositories("", 10).names, ::testing::ElementsAre("b"));
  for (std::uint8_t i = 0; i < 98; ++i) {
    Hash32 other;
    other.bytes = {1, i};
    ASSERT_TRUE(catalog->link_blob("d", other));
  }
  EXPECT_EQ(catalog->link_blob("d", {}).error().code, ErrorCode::kExhausted);
}

}  // namespace
}  // namespace bonus::compute::oci
