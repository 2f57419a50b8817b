// The distribution API as a client meets it, statement by statement of the OCI distribution specification 1.1.
#include "bonus/compute/oci/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>

#include "bonus/compute/oci/manifest.hpp"
#include "bonus/compute/oci/test_registry.hpp"

namespace bonus::compute::oci {
namespace {

using test::bytes;
using test::digest_of;
using test::manifest_json;
using test::pattern;
using ::testing::ElementsAre;
using Headers = std::vector<std::pair<std::string, std::string>>;

class RegistryApi : public ::testing::Test {
 protected:
  void SetUp() override { r.start(); }

  static std::string header(const test::http::SimpleResponse& response, std::string_view name) {
    return response.headers.get(name).value_or("");
  }
  static std::string code(const test::http::SimpleResponse& response) {
    boost::json::error_code error;
    const auto value = boost::json::parse(boost::json::string_view(as_text(response.body)), error);
    if (error || !value.is_object()) return "not an error document: " + std::string(as_text(response.body));
    return std::string(value.at("errors").at(0).at("code").as_string());
  }
  static std::vector<std::string> list(const test::http::SimpleResponse& response, std::string_view key) {
    std::vector<std::string> out;
    const auto value = boost::json::parse(boost::json::string_view(as_text(response.body)));
    for (const auto& item : value.at(boost::json::string_view(key)).as_array()) out.emplace_back(item.as_string());
    return out;
  }
  std::string begin(const std::string& repository = "a/b") {
    const auto response = r.send("POST", "/v2/" + repository + "/blobs/uploads/");
    EXPECT_EQ(response.status, 202);
    return header(response, "Location");
  }
  test::http::SimpleResponse put_manifest(const std::string& reference, const std::string& text,
                                          std::string_view type = kOciManifest, const std::string& repository = "a/b") {
    return r.send("PUT", "/v2/" + repository + "/manifests/" + reference, bytes(text),
                  {{"Content-Type", std::string(type)}});
  }
  /// Pushes config and one layer; gives the manifest.
  std::string push_image(const std::string& tag, const std::string& repository = "a/b", std::uint64_t seed = 1) {
    const Bytes config = bytes("{\"seed\":" + std::to_string(seed) + "}"), layer = pattern(3000, seed);
    r.push_blob(repository, config);
    r.push_blob(repository, layer);
    const std::string text = manifest_json(config, {layer});
    EXPECT_EQ(put_manifest(tag, text, kOciManifest, repository).status, 201);
    return text;
  }

  test::TestRegistry r;
};

TEST_F(RegistryApi, SaysThatItIsOne) {
  const auto response = r.send("GET", "/v2/");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(header(response, "Docker-Distribution-Api-Version"), "registry/2.0");
  EXPECT_EQ(r.send("HEAD", "/v2/").status, 200);
  EXPECT_EQ(r.send("GET", "/v3/").status, 404);
  EXPECT_EQ(r.send("GET", "/v2/a/nothing").status, 404);
  const auto wrong = r.send("OPTIONS", "/v2/a/manifests/x");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(code(wrong), "UNSUPPORTED");
  EXPECT_EQ(r.send("POST", "/v2/a/tags/list").status, 405);
}

TEST_F(RegistryApi, PushesByPostThenPut) {
  const Bytes content = pattern(700'000, 3);
  const auto put = r.send("PUT", begin() + "?digest=" + digest_of(content), content);
  EXPECT_EQ(put.status, 201);
  EXPECT_EQ(header(put, "Location"), "/v2/a/b/blobs/" + digest_of(content));
  const auto got = r.send("GET", header(put, "Location"));
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, content);
  EXPECT_EQ(header(got, "Content-Length"), "700000");
  EXPECT_EQ(header(got, "Docker-Content-Digest"), digest_of(content));
  const auto head = r.send("HEAD", header(put, "Location"));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(header(head, "Content-Length"), "700000");
  EXPECT_TRUE(head.body.empty());
}

TEST_F(RegistryApi, PushesByOnePost) {
  const Bytes content = pattern(300'000, 4);
  const auto put = r.send("POST", "/v2/a/b/blobs/uploads/?digest=" + digest_of(content), content);
  EXPECT_EQ(put.status, 201);
  EXPECT_EQ(r.send("GET", header(put, "Location")).body, content);
  const auto wrong = r.send("POST", "/v2/a/b/blobs/uploads/?digest=" + digest_of({}), content);
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(code(wrong), "DIGEST_INVALID");
}

TEST_F(RegistryApi, PushesTheEmptyBlob) {
  EXPECT_EQ(r.send("PUT", begin() + "?digest=" + digest_of({})).status, 201);
  const auto got = r.send("GET", "/v2/a/b/blobs/" + digest_of({}));
  EXPECT_EQ(got.status, 200);
  EXPECT_TRUE(got.body.empty());
  EXPECT_EQ(r.send("GET", "/v2/a/b/blobs/" + digest_of({}), {}, {{"Range", "bytes=0-0"}}).status, 416);
}

TEST_F(RegistryApi, PushesInChunks) {
  const Bytes content = pattern(5000, 5);
  const auto part = [&](std::size_t from, std::size_t to) {
    return Bytes(content.begin() + static_cast<long>(from), content.begin() + static_cast<long>(to));
  };
  const std::string location = begin();
  auto response = r.send("PATCH", location, part(2000, 4000), {{"Content-Range", "2000-3999"}});
  EXPECT_EQ(response.status, 416) << "out of order";
  response = r.send("PATCH", location, part(0, 2000),
                    {{"Content-Range", "0-1999"}, {"Content-Type", "application/octet-stream"}});
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(header(response, "Range"), "0-1999");
  EXPECT_NE(header(response, "Location"), "");
  response = r.send("PATCH", location, part(0, 2000), {{"Content-Range", "0-1999"}});
  EXPECT_EQ(response.status, 416) << "repeated";
  EXPECT_EQ(header(response, "Range"), "0-1999");
  response = r.send("GET", location);
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(header(response, "Range"), "0-1999");
  EXPECT_EQ(header(response, "Location"), location);
  EXPECT_EQ(r.send("PATCH", location, part(2000, 4000), {{"Content-Range", "2000-2001"}}).status, 400)
      << "lengths differ";
  EXPECT_EQ(r.send("PATCH", location, part(2000, 4000), {{"Content-Range", "nonsense"}}).status, 400);
  EXPECT_EQ(r.send("PATCH", location, part(2000, 4000), {{"Content-Range", "2000-3999"}}).status, 202);
  EXPECT_EQ(
      r.send("PUT", location + "?digest=" + digest_of(content), part(4000, 5000), {{"Content-Range", "3000-3999"}})
          .status,
      416);
  EXPECT_EQ(
      r.send("PUT", location + "?digest=" + digest_of(content), part(4000, 5000), {{"Content-Range", "4000-4999"}})
          .status,
      201);
  EXPECT_EQ(r.send("GET", "/v2/a/b/blobs/" + digest_of(content)).body, content);
  EXPECT_EQ(r.send("GET", location).status, 404) << "the session is over";
}

TEST_F(RegistryApi, StreamsWithoutRanges) {
  const Bytes content = pattern(600'000, 6);
  const std::string location = begin();
  auto response = r.send("PATCH", location, content);
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(header(response, "Range"), "0-599999");
  EXPECT_EQ(r.send("PUT", location + "?digest=" + digest_of(content)).status, 201);
  EXPECT_EQ(r.send("GET", "/v2/a/b/blobs/" + digest_of(content)).body, content);
}

TEST_F(RegistryApi, ChecksDigests) {
  const std::string location = begin();
  EXPECT_EQ(r.send("PUT", location, bytes("x")).status, 400);
  EXPECT_EQ(r.send("PUT", location + "?digest=sha256:short", bytes("x")).status, 400);
  EXPECT_EQ(r.send("PUT", location + "?digest=md5:d41d8cd98f00b204e9800998ecf8427e", bytes("x")).status, 400);
  const auto wrong = r.send("PUT", location + "?digest=" + digest_of(bytes("y")), bytes("x"));
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(code(wrong), "DIGEST_INVALID");
  EXPECT_EQ(r.send("GET", "/v2/a/b/blobs/" + digest_of(bytes("x"))).status, 404);
  EXPECT_EQ(r.store.usage().blobs, 0U);
}

TEST_F(RegistryApi, UploadsAreCancelledAndBoundToTheirRepository) {
  const std::string location = begin();
  const std::string id = location.substr(location.rfind('/') + 1);
  EXPECT_EQ(r.send("GET", "/v2/other/blobs/uploads/" + id).status, 404);
  EXPECT_EQ(code(r.send("PATCH", "/v2/other/blobs/uploads/" + id, bytes("x"))), "BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(r.send("DELETE", location).status, 204);
  EXPECT_EQ(r.send("DELETE", location).status, 404);
  EXPECT_EQ(r.send("GET", "/v2/a/b/blobs/uploads/..%2f..%2fcatalog.log").status, 404);
}

TEST_F(RegistryApi, MountsFromAnotherRepository) {
  const Bytes content = pattern(1000, 7);
  const std::string digest = r.push_blob("a/b", content);
  EXPECT_EQ(r.send("GET", "/v2/c/blobs/" + digest).status, 404);
  auto response = r.send("POST", "/v2/c/blobs/uploads/?mount=" + digest + "&from=a/b");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(header(response, "Location"), "/v2/c/blobs/" + digest);
  EXPECT_EQ(r.send("GET", "/v2/c/blobs/" + digest).body, content);
  response = r.send("POST", "/v2/d/blobs/uploads/?mount=" + digest + "&from=unknown");
  EXPECT_EQ(response.status, 202);
  EXPECT_NE(header(response, "Location"), "");
  EXPECT_EQ(r.send("POST", "/v2/d/blobs/uploads/?mount=" + digest).status, 202);
  EXPECT_EQ(r.send("POST", "/v2/d/blobs/uploads/?mount=nonsense&from=a/b").status, 400);
}

TEST_F(RegistryApi, ServesRanges) {
  const Bytes content = pattern(1'300'000, 8);
  const std::string target = "/v2/a/b/blobs/" + r.push_blob("a/b", content);
  const auto get = [&](const std::string& range) { return r.send("GET", target, {}, {{"Range", range}}); };
  const auto slice = [&](std::size_t first, std::size_t last) {
    return Bytes(content.begin() + static_cast<long>(first), content.begin() + static_cast<long>(last) + 1);
  };
  auto response = get("bytes=10-19");
  EXPECT_EQ(response.status, 206);
  EXPECT_EQ(response.body, slice(10, 19));
  EXPECT_EQ(header(response, "Content-Range"), "bytes 10-19/1300000");
  EXPECT_EQ(header(response, "Content-Length"), "10");
  EXPECT_EQ(get("bytes=100-").body, slice(100, content.size() - 1));
  EXPECT_EQ(get("bytes=-7").body, slice(content.size() - 7, content.size() - 1));
  EXPECT_EQ(get("bytes=1299999-9999999").body, slice(1'299'999, 1'299'999));
  response = get("bytes=1300000-");
  EXPECT_EQ(response.status, 416);
  EXPECT_EQ(header(response, "Content-Range"), "bytes */1300000");
  EXPECT_EQ(get("bytes=-0").status, 416);
  for (const char* whole : {"bytes=5-1", "lines=1-2", "bytes=a-b", "bytes=0-1,4-5", "bytes="})
    EXPECT_EQ(get(whole).status, 200) << whole;
  EXPECT_EQ(r.send("GET", target, {}, {{"Range", "bytes=0-1"}, {"If-Range", "\"other\""}}).status, 200);
}

TEST_F(RegistryApi, InterruptedPullIsResumedByRange) {
  const Bytes content = pattern(2'000'000, 9);
  const std::string target = "/v2/a/b/blobs/" + r.push_blob("a/b", content);
  // A client that dies after the first part of the body.
  boost::asio::io_context context;
  boost::asio::ip::tcp::socket socket(context);
  socket.connect({boost::asio::ip::make_address("127.0.0.1"), r.port()});
  const std::string request = "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n";
  boost::asio::write(socket, boost::asio::buffer(request));
  Bytes raw;
  std::array<std::uint8_t, 4096> piece{};
  while (raw.size() < 300'000) append(raw, BytesView(piece).first(socket.read_some(boost::asio::buffer(piece))));
  socket.close();
  const auto body_at = as_text(raw).find("\r\n\r\n") + 4;
  Bytes got(raw.begin() + static_cast<long>(body_at), raw.end());
  ASSERT_LT(got.size(), content.size());
  const auto rest =
      r.send("GET", target, {},
             {{"Range", "bytes=" + std::to_string(got.size()) + "-"}, {"If-Range", "\"" + digest_of(content) + "\""}});
  EXPECT_EQ(rest.status, 206);
  append(got, rest.body);
  EXPECT_EQ(got, content);
}

TEST_F(RegistryApi, InterruptedPushIsResumedEvenAfterARestart) {
  const Bytes content = pattern(3'000'000, 10);
  const std::string location = begin();
  {
    boost::asio::io_context context;
    boost::asio::ip::tcp::socket socket(context);
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), r.port()});
    const std::string head =
        "PATCH " + location + " HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\nContent-Range: 0-2999999\r\n\r\n";
    boost::asio::write(socket, boost::asio::buffer(head));
    boost::asio::write(socket, boost::asio::buffer(content.data(), 1'500'000));
  }  // and then the connection breaks
  std::string range;
  for (int i = 0; i < 2000 && range != "0-1499999"; ++i) {
    range = header(r.send("GET", location), "Range");
    ::usleep(5000);
  }
  ASSERT_EQ(range, "0-1499999") << "what arrived is kept";
  r.stop();
  r.start();
  const auto status = r.send("GET", location);
  EXPECT_EQ(status.status, 204);
  EXPECT_EQ(header(status, "Range"), "0-1499999");
  Bytes rest(content.begin() + 1'500'000, content.end());
  EXPECT_EQ(r.send("PATCH", location, rest, {{"Content-Range", "1500000-2999999"}}).status, 202);
  EXPECT_EQ(r.send("PUT", location + "?digest=" + digest_of(content)).status, 201);
  EXPECT_EQ(r.send("GET", "/v2/a/b/blobs/" + digest_of(content)).body, content);
}

TEST_F(RegistryApi, KeepsManifestsByTagAndDigest) {
  const std::string text = push_image("v1");
  const std::string digest = digest_of(as_bytes(text));
  for (const std::string& reference : {std::string("v1"), digest}) {
    const auto got = r.send("GET", "/v2/a/b/manifests/" + reference, {}, {{"Accept", std::string(kOciManifest)}});
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(as_text(got.body), text);
    EXPECT_EQ(header(got, "Content-Type"), kOciManifest);
    EXPECT_EQ(header(got, "Docker-Content-Digest"), digest);
    const auto head = r.send("HEAD", "/v2/a/b/manifests/" + reference);
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(header(head, "Content-Length"), std::to_string(text.size()));
  }
  EXPECT_EQ(digest_text(r.registry->resolve("a/b", "v1").value()), digest);
  EXPECT_EQ(code(r.send("GET", "/v2/a/b/manifests/v2")), "MANIFEST_UNKNOWN");
  EXPECT_EQ(code(r.send("GET", "/v2/unknown/manifests/v2")), "NAME_UNKNOWN");
  r.stop();
  r.start();
  EXPECT_EQ(as_text(r.send("GET", "/v2/a/b/manifests/v1").body), text) << "after a restart";
}

TEST_F(RegistryApi, RefusesHostileManifests) {
  const std::string good = push_image("v1");
  const Bytes config = bytes("{\"seed\":1}"), layer = pattern(3000, 1);
  const auto status = [&](const std::string& text, std::string_view type = kOciManifest) {
    return put_manifest("bad", text, type).status;
  };
  EXPECT_EQ(status("not json"), 400);
  EXPECT_EQ(status(""), 400);
  EXPECT_EQ(status("[]"), 400);
  EXPECT_EQ(status(std::string(2000, '[')), 400);
  EXPECT_EQ(status(R"({"schemaVersion":1})"), 400);
  EXPECT_EQ(status(good, kDockerManifest), 400) << "the type is not what it says";
  EXPECT_EQ(status(good, "text/plain"), 400);
  EXPECT_EQ(status(manifest_json(config, {layer}, R"(,"manifests":[])")), 400) << "manifest and index at once";
  EXPECT_EQ(status(manifest_json(config, std::vector<Bytes>(129, layer))), 400) << "too many layers";
  EXPECT_EQ(status(manifest_json(config, {layer}, R"(,"subject":{"digest":"../../x"})")), 400);
  std::string lying = good;
  lying.replace(lying.find("\"size\":3000"), 11, "\"size\":3001");
  EXPECT_EQ(status(lying), 400);
  lying.replace(lying.find("\"size\":3001"), 11, "\"size\":-200");
  EXPECT_EQ(status(lying), 400);
  const auto missing = put_manifest("bad", manifest_json(config, {pattern(10, 99)}));
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(code(missing), "MANIFEST_BLOB_UNKNOWN");
  const auto large = put_manifest("bad", std::string((4 << 20) + 1, ' '));
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(code(put_manifest(digest_of(bytes("x")), good)), "DIGEST_INVALID");
  EXPECT_EQ(code(put_manifest("sha256:totallywrong", good)), "DIGEST_INVALID");
  EXPECT_EQ(put_manifest(".bad", good).status, 400);
  EXPECT_EQ(code(put_manifest("v1", good, kOciManifest, "UPPER")), "NAME_INVALID");
  EXPECT_EQ(code(put_manifest("v1", good, kOciManifest, "a//b")), "NAME_INVALID");
  EXPECT_THAT(list(r.send("GET", "/v2/a/b/tags/list"), "tags"), ElementsAre("v1")) << "nothing of it was kept";
}

TEST_F(RegistryApi, AcceptsForeignLayersAndEmptyOnes) {
  const Bytes config = bytes("{}");
  r.push_blob("a/b", config);
  EXPECT_EQ(put_manifest("empty", manifest_json(config, {})).status, 201);
  std::string text = manifest_json(config, {pattern(10, 77)});
  text.replace(text.find("\"size\":10"), 9, "\"size\":10,\"urls\":[\"https://example.org/layer\"]");
  EXPECT_EQ(put_manifest("foreign", text).status, 201);
}

TEST_F(RegistryApi, KeepsIndexesWhoseManifestsItHas) {
  const std::string child = push_image("child");
  const auto index = [&](const std::string& digest, std::size_t size) {
    return R"({"schemaVersion":2,"mediaType":")" + std::string(kOciIndex) + R"(","manifests":[{"mediaType":")" +
           std::string(kOciManifest) + R"(","digest":")" + digest + R"(","size":)" + std::to_string(size) +
           R"(,"platform":{"architecture":"amd64","os":"linux"}}]})";
  };
  const std::string good = index(digest_of(as_bytes(child)), child.size());
  EXPECT_EQ(put_manifest("all", good, kOciIndex).status, 201);
  EXPECT_EQ(header(r.send("GET", "/v2/a/b/manifests/all"), "Content-Type"), kOciIndex);
  EXPECT_EQ(code(put_manifest("bad", index(digest_of(bytes("x")), 1), kOciIndex)), "MANIFEST_BLOB_UNKNOWN");
  std::string docker = good;
  docker.replace(docker.find(kOciIndex), kOciIndex.size(), kDockerList);
  EXPECT_EQ(put_manifest("docker", docker, kDockerList).status, 201);
}

TEST_F(RegistryApi, ListsTagsInOrderAndInPages) {
  EXPECT_EQ(code(r.send("GET", "/v2/a/b/tags/list")), "NAME_UNKNOWN");
  for (const char* tag : {"b", "a", "d", "c", "e"}) push_image(tag);
  EXPECT_THAT(list(r.send("GET", "/v2/a/b/tags/list"), "tags"), ElementsAre("a", "b", "c", "d", "e"));
  auto page = r.send("GET", "/v2/a/b/tags/list?n=2");
  EXPECT_THAT(list(page, "tags"), ElementsAre("a", "b"));
  EXPECT_EQ(header(page, "Link"), "</v2/a/b/tags/list?n=2&last=b>; rel=\"next\"");
  page = r.send("GET", "/v2/a/b/tags/list?n=2&last=b");
  EXPECT_THAT(list(page, "tags"), ElementsAre("c", "d"));
  page = r.send("GET", "/v2/a/b/tags/list?n=2&last=d");
  EXPECT_THAT(list(page, "tags"), ElementsAre("e"));
  EXPECT_EQ(header(page, "Link"), "");
  EXPECT_THAT(list(r.send("GET", "/v2/a/b/tags/list?n=0"), "tags"), ElementsAre());
  EXPECT_EQ(r.send("GET", "/v2/a/b/tags/list?n=x").status, 400);
  push_image("x", "z");
  push_image("x", "m/n");
  EXPECT_THAT(list(r.send("GET", "/v2/_catalog"), "repositories"), ElementsAre("a/b", "m/n", "z"));
  page = r.send("GET", "/v2/_catalog?n=1&last=a/b");
  EXPECT_THAT(list(page, "repositories"), ElementsAre("m/n"));
  EXPECT_EQ(header(page, "Link"), "</v2/_catalog?n=1&last=m/n>; rel=\"next\"");
}

TEST_F(RegistryApi, DeletesTagsManifestsAndBlobs) {
  const std::string text = push_image("one");
  EXPECT_EQ(put_manifest("two", text).status, 201);
  EXPECT_EQ(put_manifest("three", text).status, 201);
  EXPECT_EQ(r.send("DELETE", "/v2/a/b/manifests/one").status, 202);
  EXPECT_EQ(r.send("DELETE", "/v2/a/b/manifests/one").status, 404);
  EXPECT_THAT(list(r.send("GET", "/v2/a/b/tags/list"), "tags"), ElementsAre("three", "two"));
  const std::string by_digest = "/v2/a/b/manifests/" + digest_of(as_bytes(text));
  EXPECT_EQ(r.send("GET", by_digest).status, 200);
  EXPECT_EQ(r.send("DELETE", by_digest).status, 202);
  EXPECT_EQ(r.send("GET", by_digest).status, 404);
  EXPECT_EQ(r.send("GET", "/v2/a/b/manifests/two").status, 404);
  EXPECT_EQ(code(r.send("DELETE", by_digest)), "MANIFEST_UNKNOWN");
  const auto tags = r.send("GET", "/v2/a/b/tags/list");
  EXPECT_EQ(tags.status, 200);
  EXPECT_THAT(list(tags, "tags"), ElementsAre());

  const std::string digest = digest_of(pattern(3000, 1));
  EXPECT_EQ(r.send("POST", "/v2/c/blobs/uploads/?mount=" + digest + "&from=a/b").status, 201);
  EXPECT_EQ(r.send("DELETE", "/v2/a/b/blobs/" + digest).status, 202);
  EXPECT_EQ(code(r.send("GET", "/v2/a/b/blobs/" + digest)), "BLOB_UNKNOWN");
  EXPECT_EQ(r.send("DELETE", "/v2/a/b/blobs/" + digest).status, 404);
  EXPECT_EQ(r.send("GET", "/v2/c/blobs/" + digest).status, 200) << "another repository still has it";
  const auto before = r.store.usage().blobs;
  EXPECT_EQ(r.send("DELETE", "/v2/c/blobs/" + digest).status, 202);
  EXPECT_EQ(r.store.usage().blobs, before - 1) << "nobody refers to it any more";
}

TEST_F(RegistryApi, ListsReferrers) {
  const Bytes empty = bytes("{}");
  r.push_blob("a/b", empty);
  const std::string subject = digest_of(bytes("a manifest that comes later"));
  const auto refer = [&](const std::string& type, const std::string& note) {
    return manifest_json(empty, {},
                         R"(,"artifactType":")" + type + R"(","annotations":{"note":")" + note +
                             R"("},"subject":{"mediaType":")" + std::string(kOciManifest) + R"(","digest":")" +
                             subject + R"(","size":27})");
  };
  const std::string target = "/v2/a/b/referrers/" + subject;
  const auto count = [&](const std::string& query) {
    const auto response = r.send("GET", target + query);
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(header(response, "Content-Type"), kOciIndex);
    return boost::json::parse(boost::json::string_view(as_text(response.body))).at("manifests").as_array().size();
  };
  EXPECT_EQ(count(""), 0U);
  EXPECT_EQ(r.send("GET", "/v2/never/seen/referrers/" + subject).status, 200);
  EXPECT_EQ(r.send("GET", "/v2/a/b/referrers/nonsense").status, 400);
  const std::string first = refer("application/sbom", "1"), second = refer("application/signature+json", "2");
  const auto put = put_manifest(digest_of(as_bytes(first)), first);
  EXPECT_EQ(put.status, 201);
  EXPECT_EQ(header(put, "OCI-Subject"), subject);
  EXPECT_EQ(put_manifest("signed", second).status, 201);
  // Without artifactType the config's media type stands for it.
  const std::string third = manifest_json(
      empty, {}, R"(,"subject":{"mediaType":"x/y","digest":")" + subject + R"(","size":27})", "application/sbom");
  EXPECT_EQ(put_manifest("third", third).status, 201);
  EXPECT_EQ(count(""), 3U);
  EXPECT_EQ(count("?artifactType=application/sbom"), 2U);
  EXPECT_EQ(count("?artifactType=application/signature%2Bjson"), 1U);
  const auto filtered = r.send("GET", target + "?artifactType=application/sbom");
  EXPECT_EQ(header(filtered, "OCI-Filters-Applied"), "artifactType");
  const auto entries = boost::json::parse(
      boost::json::string_view(as_text(r.send("GET", target + "?artifactType=application/signature%2Bjson").body)));
  const auto& entry = entries.at("manifests").at(0);
  EXPECT_EQ(entry.at("digest").as_string(), digest_of(as_bytes(second)));
  EXPECT_EQ(entry.at("artifactType").as_string(), "application/signature+json");
  EXPECT_EQ(entry.at("annotations").at("note").as_string(), "2");
  EXPECT_EQ(entry.at("size").as_int64(), static_cast<std::int64_t>(second.size()));
  EXPECT_EQ(r.send("DELETE", "/v2/a/b/manifests/" + digest_of(as_bytes(first))).status, 202);
  EXPECT_EQ(count(""), 2U);
  r.stop();
  r.options.max_list = 1;
  r.start();
  const auto page = r.send("GET", target);
  const std::string link = header(page, "Link");
  ASSERT_TRUE(link.starts_with("<" + target + "?last=sha256:")) << link;
  EXPECT_EQ(r.send("GET", link.substr(1, link.find('>') - 1)).status, 200);
}

TEST_F(RegistryApi, TakesChangesOnlyWhereAllowed) {
  const std::string text = push_image("v1");
  const std::string location = begin();
  r.push_allowed = false;
  for (const auto& [method, target] :
       std::vector<std::pair<std::string, std::string>>{{"POST", "/v2/a/b/blobs/uploads/"},
                                                        {"PATCH", location},
                                                        {"PUT", location},
                                                        {"GET", location},
                                                        {"DELETE", location},
                                                        {"PUT", "/v2/a/b/manifests/v2"},
                                                        {"DELETE", "/v2/a/b/manifests/v1"},
                                                        {"DELETE", "/v2/a/b/blobs/" + digest_of(pattern(3000, 1))}}) {
    const auto response = r.send(method, target, bytes("x"));
    EXPECT_EQ(response.status, 403) << method << target;
    EXPECT_EQ(code(response), "DENIED");
  }
  EXPECT_EQ(as_text(r.send("GET", "/v2/a/b/manifests/v1").body), text);
}

TEST_F(RegistryApi, BoundsUploads) {
  r.stop();
  r.options.uploads.max_sessions = 2;
  r.options.uploads.max_session_bytes = 1000;
  r.options.uploads.max_total_bytes = 1500;
  r.start();
  const std::string first = begin(), second = begin();
  EXPECT_EQ(code(r.send("POST", "/v2/a/b/blobs/uploads/")), "TOOMANYREQUESTS");
  EXPECT_EQ(r.send("PATCH", first, pattern(1001, 1)).status, 413);
  EXPECT_EQ(r.send("PATCH", first, pattern(1000, 1)).status, 202);
  EXPECT_EQ(r.send("PATCH", second, pattern(501, 1)).status, 413);
  EXPECT_EQ(r.send("DELETE", first).status, 204);
  EXPECT_EQ(r.send("PATCH", second, pattern(501, 1)).status, 202);
  EXPECT_EQ(r.send("POST", "/v2/a/b/blobs/uploads/").status, 202);
}

TEST_F(RegistryApi, TellsWhenTheDiskLies) {
  const Bytes content = pattern(1000, 12);
  const std::string digest = r.push_blob("a/b", content);
  r.store.corrupt(crypto::sha256(content));
  const auto response = r.send("GET", "/v2/a/b/blobs/" + digest);
  EXPECT_EQ(response.status, 500);
  EXPECT_NE(as_text(response.body).find("damaged"), std::string_view::npos);
}

}  // namespace
}  // namespace bonus::compute::oci
