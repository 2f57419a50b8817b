// Pushing and listing over the distribution API: HEAD before upload, chunks, resume after a broken connection.
#include "bonus/compute/oci/image_pusher.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bonus/compute/oci/json_reader.hpp"
#include "bonus/compute/oci/local_image.hpp"
#include "bonus/compute/oci/manifest.hpp"
#include "bonus/compute/oci/names.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::compute::oci {
namespace {

namespace http = runtime::http;
using http::SimpleResponse;

std::string base_url(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url.contains("://") ? url : "http://" + url;
}

// The message of the specification's error document, or the status.
std::string reason(const SimpleResponse& response) {
  if (auto document = json::parse_object(response.body, 1 << 20, "the answer")) {
    const auto* errors = json::find(*document, "errors");
    if (errors != nullptr && errors->is_array() && !errors->get_array().empty() && errors->get_array()[0].is_object()) {
      const auto& first = errors->get_array()[0].get_object();
      const auto code = json::text(first, "code", 256, false), message = json::text(first, "message", 4096, false);
      if (code && message) return fmt::format("{} ({}, HTTP {})", *message, *code, response.status);
    }
  }
  return fmt::format("HTTP status {}", response.status);
}

Error refused(const SimpleResponse& response, std::string_view what) {
  ErrorCode code = ErrorCode::kConflict;
  if (response.status == 401 || response.status == 403) code = ErrorCode::kDenied;
  if (response.status == 404) code = ErrorCode::kNotFound;
  if (response.status == 413 || response.status == 507) code = ErrorCode::kExhausted;
  if (response.status == 429 || response.status >= 500) code = ErrorCode::kUnavailable;
  return {code, fmt::format("{}: the registry refused: {}", what, reason(response))};
}

// "0-<last>" of an upload; "0-0" may mean nothing or one byte.
std::uint64_t received(const SimpleResponse& response) {
  const auto range = response.headers.get("Range").value_or("0-0");
  const auto dash = range.find('-');
  std::uint64_t last = 0;
  if (dash == std::string::npos) return 0;
  const auto [end, error] = std::from_chars(range.data() + dash + 1, range.data() + range.size(), last);
  if (error != std::errc() || end != range.data() + range.size()) return 0;
  return last == 0 ? 0 : last + 1;
}

class Client {
 public:
  explicit Client(std::string url) : url_(base_url(std::move(url))) {}

  Result<SimpleResponse> send(const std::string& method, const std::string& target, Bytes body = {},
                              const std::vector<std::pair<std::string, std::string>>& headers = {}) const {
    http::ClientRequest request;
    request.method = method;
    request.url = target.contains("://") ? target : url_ + target;
    request.body = std::move(body);
    request.timeout = std::chrono::minutes(10);  // the last PUT copies and syncs the whole blob
    for (const auto& [name, value] : headers) request.headers.set(name, value);
    return http::send_blocking(std::move(request));
  }
  [[nodiscard]] const std::string& url() const { return url_; }

 private:
  std::string url_;
};

// Other registries answer in older forms unless told what is understood.
const std::vector<std::pair<std::string, std::string>>& accepted() {
  static const std::vector<std::pair<std::string, std::string>> kHeaders = {
      {"Accept", fmt::format("{}, {}, {}, {}", kOciManifest, kOciIndex, kDockerManifest, kDockerList)}};
  return kHeaders;
}

std::string next_link(const SimpleResponse& response) {
  const auto link = response.headers.get("Link").value_or("");
  const auto end = link.find('>');
  return link.starts_with('<') && end != std::string::npos && link.contains("next") ? link.substr(1, end - 1)
                                                                                    : std::string();
}

class Pusher {
 public:
  Pusher(Client client, Reference name, const std::function<void(PushProgress)>& progress, const PushOptions& options)
      : client_(std::move(client)), name_(std::move(name)), progress_(progress), options_(options) {}

  Result<PushResult> push(const LocalImage& image) {
    for (const auto& blob : image.blobs()) state_.total_bytes += blob.size_bytes;
    report();
    for (const auto& blob : image.blobs()) {
      state_.digest = digest_text(blob.digest);
      const std::uint64_t before = state_.done_bytes;
      const auto head = TRY(client_.send("HEAD", blob_target(blob.digest)));
      if (head.status == 200) {
        result_.skipped_bytes += blob.size_bytes;
      } else {
        TRY(upload(blob, before));
        result_.uploaded_bytes += blob.size_bytes;
      }
      state_.done_bytes = before + blob.size_bytes;
      report();
    }
    for (const auto& manifest : image.manifests()) {
      const bool last = &manifest == &image.manifests().back();
      const std::string reference = last ? name_.reference : digest_text(manifest.digest);
      TRY_ASSIGN(const auto put, client_.send("PUT", fmt::format("/v2/{}/manifests/{}", name_.repository, reference),
                                              manifest.text, {{"Content-Type", manifest.media_type}}));
      if (put.status != 201) return fail(refused(put, "pushing the manifest"));
      result_.manifest_digest = manifest.digest;
    }
    result_.repository = name_.repository;
    result_.tag = name_.reference;
    return result_;
  }

 private:
  void report() {
    if (progress_) progress_(state_);
  }
  std::string blob_target(const Hash32& digest) const {
    return fmt::format("/v2/{}/blobs/{}", name_.repository, digest_text(digest));
  }

  // Where the upload of a blob is remembered between two runs.
  std::string memory_path(const LocalBlob& blob) const {
    if (options_.state_dir.empty()) return {};
    const auto key = crypto::sha256(as_bytes(client_.url() + "/" + name_.repository + "/" + digest_text(blob.digest)));
    return options_.state_dir + "/" + to_hex(key) + ".upload";
  }

  struct Session {
    std::string location;
    std::uint64_t offset = 0;
  };
  Result<Session> begin(const LocalBlob& blob, const std::string& known) {
    if (!known.empty()) {
      auto status = client_.send("GET", known);
      if (status && status->status == 204)
        return Session{status->headers.get("Location").value_or(known), std::min(received(*status), blob.size_bytes)};
      if (!status) return fail(std::move(status).error());
    }
    TRY_ASSIGN(const auto begun, client_.send("POST", fmt::format("/v2/{}/blobs/uploads/", name_.repository)));
    if (begun.status != 202) return fail(refused(begun, "beginning an upload"));
    const auto location = begun.headers.get("Location");
    if (!location) return fail(ErrorCode::kConflict, "the registry named no place for the upload");
    if (const auto path = memory_path(blob); !path.empty()) {
      std::error_code ignored;  // only a convenience: without it the next run begins anew
      std::filesystem::create_directories(options_.state_dir, ignored);
      std::ofstream(path) << *location << '\n';
    }
    return Session{*location, 0};
  }

  static bool worth_repeating(const Error& error) {
    return error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kTimeout || error.code == ErrorCode::kIo;
  }

  Result<> upload(const LocalBlob& blob, std::uint64_t before) {
    const std::string memory = memory_path(blob);
    std::string known;
    if (!memory.empty()) std::getline(std::ifstream(memory), known);
    std::uint64_t best = 0;
    auto pause = options_.first_pause;
    for (int attempt = 1;; ++attempt) {
      std::uint64_t reached = 0;
      auto done = attempt_upload(blob, before, known, reached);
      if (done) break;
      if (reached > best) {  // it moves: begin counting again
        best = reached;
        attempt = 1;
        pause = options_.first_pause;
      }
      if (!worth_repeating(done.error()) || attempt >= options_.attempts) return done;
      std::this_thread::sleep_for(pause);
      pause *= 2;
      // The answer to the last PUT may be what was lost.
      const auto head = client_.send("HEAD", blob_target(blob.digest));
      if (head && head->status == 200) break;
    }
    std::error_code ignored;
    if (!memory.empty()) std::filesystem::remove(memory, ignored);
    return {};
  }

  // `known` is the session to go on with; it is replaced by the one that was used.
  Result<> attempt_upload(const LocalBlob& blob, std::uint64_t before, std::string& known, std::uint64_t& reached) {
    TRY_ASSIGN(auto session, begin(blob, known));
    known = session.location;
    std::ifstream file(blob.path, std::ios::binary);
    int refusals = 0;
    while (session.offset < blob.size_bytes) {
      reached = session.offset;
      state_.done_bytes = before + session.offset;
      report();
      Bytes piece(
          static_cast<std::size_t>(std::min<std::uint64_t>(options_.chunk_bytes, blob.size_bytes - session.offset)));
      file.seekg(static_cast<std::streamoff>(session.offset));
      file.read(reinterpret_cast<char*>(piece.data()), static_cast<std::streamsize>(piece.size()));
      if (!file) return fail(ErrorCode::kCorrupt, fmt::format("{} became shorter", blob.path));
      const std::uint64_t end = session.offset + piece.size();
      TRY_ASSIGN(const auto patch, client_.send("PATCH", session.location, std::move(piece),
                                                {{"Content-Type", "application/octet-stream"},
                                                 {"Content-Range", fmt::format("{}-{}", session.offset, end - 1)}}));
      if (patch.status == 416 && ++refusals <= 3) {
        session.offset = received(patch);
        continue;
      }
      if (patch.status != 202) return fail(refused(patch, "uploading a blob"));
      session.location = patch.headers.get("Location").value_or(session.location);
      session.offset = end;
    }
    reached = session.offset;
    const std::string target =
        session.location + (session.location.contains('?') ? "&" : "?") + "digest=" + digest_text(blob.digest);
    TRY_ASSIGN(const auto put, client_.send("PUT", target));
    if (put.status == 201) return {};
    known.clear();  // a session that was refused here is of no more use
    return fail(refused(put, fmt::format("finishing {}", digest_text(blob.digest))));
  }

  const Client client_;
  const Reference name_;
  const std::function<void(PushProgress)>& progress_;
  const PushOptions options_;
  PushProgress state_;
  PushResult result_;
};

Result<std::vector<std::string>> list_names(const Client& client, std::string target, std::string_view key,
                                            std::size_t limit) {
  std::vector<std::string> out;
  while (!target.empty() && out.size() < limit) {
    TRY_ASSIGN(const auto response, client.send("GET", target));
    if (response.status == 404) break;
    if (response.status != 200) return fail(refused(response, "listing images"));
    TRY_ASSIGN(const auto document, json::parse_object(response.body, 16 << 20, "the answer"));
    TRY_ASSIGN(auto names, json::texts(document, key, 100'000, 1024));
    if (names.empty()) break;
    for (auto& name : names) out.push_back(std::move(name));
    target = next_link(response);
  }
  return out;
}

}  // namespace

Result<PushResult> push_image(const std::string& source, const std::string& registry_url, const std::string& name,
                              const std::function<void(PushProgress)>& progress, const PushOptions& options) {
  TRY_ASSIGN(auto reference, parse_reference(name));
  if (reference.reference.contains(':'))
    return fail(ErrorCode::kInvalid, fmt::format("{}: an image is pushed under a tag, not a digest", name));
  TRY_ASSIGN(const auto image, LocalImage::open(source, reference.reference));
  Pusher pusher(Client(registry_url), std::move(reference), progress, options);
  return pusher.push(*image);
}

Result<std::vector<ImageListing>> list_images(const std::string& registry_url, std::size_t limit) {
  const Client client(registry_url);
  std::vector<ImageListing> out;
  TRY_ASSIGN(const auto repositories, list_names(client, "/v2/_catalog?n=1000", "repositories", limit));
  for (const auto& repository : repositories) {
    if (!valid_repository(repository)) return fail(ErrorCode::kInvalid, "the registry sent a name that is none");
    TRY_ASSIGN(const auto tags, list_names(client, fmt::format("/v2/{}/tags/list?n=1000", repository), "tags", limit));
    for (const auto& tag : tags) {
      if (out.size() >= limit) return out;
      if (!valid_tag(tag)) return fail(ErrorCode::kInvalid, "the registry sent a tag that is none");
      TRY_ASSIGN(const auto got,
                 client.send("GET", fmt::format("/v2/{}/manifests/{}", repository, tag), {}, accepted()));
      if (got.status == 404) continue;  // it went away meanwhile
      if (got.status != 200) return fail(refused(got, "reading a manifest"));
      ImageListing listing{repository, tag, crypto::sha256(got.body), 0};
      TRY_ASSIGN(const auto manifest, parse_manifest(got.body, {}));
      listing.size_bytes = manifest.config.size_bytes;
      for (const auto& part : manifest.is_index ? manifest.manifests : manifest.layers)
        listing.size_bytes += part.size_bytes;
      out.push_back(std::move(listing));
    }
  }
  return out;
}

Result<Hash32> resolve_image(const std::string& registry_url, const std::string& name) {
  TRY_ASSIGN(const auto reference, parse_reference(name));
  const Client client(registry_url);
  TRY_ASSIGN(const auto got,
             client.send("GET", fmt::format("/v2/{}/manifests/{}", reference.repository, reference.reference), {},
                         accepted()));
  if (got.status == 404) return fail(ErrorCode::kNotFound, fmt::format("the registry has no image {}", name));
  if (got.status != 200) return fail(refused(got, name));
  return crypto::sha256(got.body);  // computed, not believed
}

}  // namespace bonus::compute::oci
