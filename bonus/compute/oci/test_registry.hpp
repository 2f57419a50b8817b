// A registry behind a real HTTP server on the loopback, and a client for it. For tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <thread>

#include "bonus/compute/oci/names.hpp"
#include "bonus/compute/oci/registry.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/runtime/http/http.hpp"
#include "bonus/storage/api/memory_blob_store.hpp"

namespace bonus::compute::oci::test {

namespace http = runtime::http;

inline Bytes bytes(std::string_view text) { return {as_bytes(text).begin(), as_bytes(text).end()}; }
inline std::string digest_of(BytesView content) { return digest_text(crypto::sha256(content)); }
inline Bytes pattern(std::size_t size, std::uint64_t seed) {
  Bytes out(size);
  for (auto& b : out) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    b = static_cast<std::uint8_t>(seed >> 56);
  }
  return out;
}

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "bonus-oci-XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Threads that run an io_context until the end of the scope.
class IoThreads {
 public:
  explicit IoThreads(int count = 2) : guard_(boost::asio::make_work_guard(context_)) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this] { context_.run(); });
  }
  ~IoThreads() { halt(); }
  /// No handler runs after this; the context itself stays for those who still post to it.
  void halt() {
    guard_.reset();
    context_.stop();
    threads_.clear();
  }
  boost::asio::io_context& context() { return context_; }

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_;
  std::vector<std::jthread> threads_;
};

/// start() and stop() may be repeated: the state folder and the store live on, as over a restart of the node.
class TestRegistry {
 public:
  TestRegistry() {
    options.state_dir = folder.path() + "/registry";
    options.allow_push = [this](const http::Request&) { return push_allowed.load(); };
  }
  ~TestRegistry() { stop(); }

  void start() {
    io_ = std::make_unique<IoThreads>();
    pool_ = std::make_unique<runtime::BlockingPool>(4, 256);
    auto opened = Registry::open(store, *pool_, options);
    ASSERT_TRUE(opened) << opened.error().to_string();
    registry = *std::move(opened);
    auto listening = http::Server::listen(io_->context().get_executor(), {.name = "registry"},
                                          [this](http::Exchange& exchange) { return handle(exchange); });
    ASSERT_TRUE(listening) << listening.error().to_string();
    server_ = *std::move(listening);
  }
  void stop() {
    if (server_) server_->stop();
    if (io_) io_->halt();
    pool_.reset();  // its jobs end by posting to the context
    server_.reset();
    io_.reset();
    registry.reset();
  }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }

  http::SimpleResponse send(const std::string& method, const std::string& target, Bytes body = {},
                            const std::vector<std::pair<std::string, std::string>>& headers = {}) const {
    http::ClientRequest request;
    request.method = method;
    request.url = target.starts_with("http") ? target : url() + target;
    request.body = std::move(body);
    for (const auto& [name, value] : headers) request.headers.set(name, value);
    auto response = http::send_blocking(std::move(request));
    EXPECT_TRUE(response) << method << " " << target << ": " << response.error().to_string();
    return response ? *std::move(response) : http::SimpleResponse{};
  }
  /// POST then PUT; gives the digest.
  std::string push_blob(const std::string& repository, const Bytes& content) const {
    const std::string digest = digest_of(content);
    const auto begun = send("POST", "/v2/" + repository + "/blobs/uploads/");
    EXPECT_EQ(begun.status, 202);
    const auto put = send("PUT", begun.headers.get("Location").value_or("") + "?digest=" + digest, content);
    EXPECT_EQ(put.status, 201) << as_text(put.body);
    return digest;
  }

  TempFolder folder;
  storage::MemoryBlobStore store;
  RegistryOptions options;
  std::atomic<bool> push_allowed = true;
  std::atomic<int> chunks_until_break =
      -1;  ///< So many PATCH requests are served, then every connection of one breaks; -1: never.
  std::atomic<int> breaks = 0;
  std::unique_ptr<Registry> registry;

 private:
  runtime::Task<> handle(http::Exchange& exchange) {
    if (exchange.request().method == "PATCH" && chunks_until_break >= 0 && chunks_until_break-- == 0) {
      chunks_until_break = 0;
      ++breaks;
      exchange.take_stream()->close();
      co_return;
    }
    co_await registry->handle(exchange);
  }

  std::unique_ptr<IoThreads> io_;
  std::unique_ptr<runtime::BlockingPool> pool_;
  std::unique_ptr<http::Server> server_;
};

/// A minimal image manifest over blobs that were pushed before.
inline std::string manifest_json(const Bytes& config, const std::vector<Bytes>& layers, const std::string& extra = "",
                                 std::string_view config_type = "application/vnd.oci.image.config.v1+json") {
  std::string out =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":")" +
      std::string(config_type) + R"(","digest":")" + digest_of(config) + R"(","size":)" +
      std::to_string(config.size()) + R"(},"layers":[)";
  for (std::size_t i = 0; i < layers.size(); ++i)
    out += (i > 0 ? "," : "") +
           std::string(R"({"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":")") +
           digest_of(layers[i]) + R"(","size":)" + std::to_string(layers[i].size()) + "}";
  return out + "]" + extra + "}";
}

}  // namespace bonus::compute::oci::test
