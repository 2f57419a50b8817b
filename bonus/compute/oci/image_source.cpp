// Pulling images: local first, then chunks of each missing blob from all its holders at once.
#include "bonus/compute/oci/image_source.hpp"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "bonus/base/log.hpp"
#include "bonus/compute/oci/names.hpp"
#include "bonus/compute/oci/partial_file.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::compute::oci {

using runtime::offload;
using runtime::Task;
using storage::BlobInfo;

namespace {

constexpr std::size_t kPeerReadBytes = 1 << 20;  // BlobPeers::read

// One round of chunks: each runs for itself, so a slow holder delays only its own.
struct Round {
  std::vector<Result<Bytes>> pieces;
};

}  // namespace

/// One blob on its way. Used by one coroutine and the chunk readers it awaits, all on one strand.
struct OciImageSource::Fetch {
  Hash32 sha256;
  std::uint64_t size = 0;
  std::vector<NodeId> holders;        // those still believed
  std::vector<std::size_t> failures;  // per holder, in a row
  std::unique_ptr<PartialFile> file;
  std::size_t turn = 0;  // spreads chunks over the holders
};

OciImageSource::OciImageSource(storage::BlobStore& store, BlobPeers& peers, runtime::BlockingPool& pool,
                               ImageSourceOptions options)
    : store_(store), peers_(peers), pool_(pool), options_([&options] {
        options.chunk_bytes = std::clamp<std::size_t>(options.chunk_bytes, 1, kPeerReadBytes);
        options.parallel_chunks = std::clamp<std::size_t>(options.parallel_chunks, 1, 16);
        return std::move(options);
      }()) {}

Task<Result<BlobInfo>> OciImageSource::find(Hash32 sha256) {
  std::function<Result<BlobInfo>()> job = [this, sha256] { return store_.find_sha256(sha256); };
  return offload(pool_, std::move(job));
}

Task<Result<Bytes>> OciImageSource::load(Hash32 sha256, std::size_t limit) {
  std::function<Result<Bytes>()> job = [this, sha256, limit]() -> Result<Bytes> {
    TRY_ASSIGN(const auto info, store_.find_sha256(sha256));
    if (info.size_bytes > limit)
      return fail(ErrorCode::kExhausted,
                  fmt::format("{} has {} bytes, more than {}", digest_text(sha256), info.size_bytes, limit));
    Bytes out(static_cast<std::size_t>(info.size_bytes));
    TRY_ASSIGN(const auto n, store_.read(info.id, 0, out));
    if (n != out.size())
      return fail(ErrorCode::kCorrupt, fmt::format("{} is shorter than its size", digest_text(sha256)));
    return out;
  };
  return offload(pool_, std::move(job));
}

bool OciImageSource::begin_fetch(const Hash32& sha256) {
  const std::scoped_lock lock(mutex_);
  return fetching_.insert(sha256).second;
}
void OciImageSource::end_fetch(const Hash32& sha256) {
  const std::scoped_lock lock(mutex_);
  fetching_.erase(sha256);
}

Task<Result<Bytes>> OciImageSource::fetch_small(Hash32 sha256, std::size_t limit_bytes) {
  CO_TRY(co_await ensure(sha256, std::nullopt, limit_bytes, nullptr));
  co_return co_await load(sha256, limit_bytes);
}

Result<std::size_t> OciImageSource::read_layer(const Hash32& digest, std::uint64_t offset,
                                               std::span<std::uint8_t> out) {
  TRY_ASSIGN(const auto info, store_.find_sha256(digest));
  return store_.read(info.id, offset, out);
}

Task<Result<Image>> OciImageSource::pull(Hash32 manifest_digest, std::function<void(PullProgress)> progress) {
  CO_TRY(co_await ensure(manifest_digest, std::nullopt, kMaxManifestBytes, nullptr));
  CO_TRY_ASSIGN(auto text, co_await load(manifest_digest, kMaxManifestBytes));
  CO_TRY_ASSIGN(auto manifest, parse_manifest(text, {}));
  if (manifest.is_index) {
    CO_TRY_ASSIGN(const auto entry, pick_platform(manifest, options_.platform));
    if (entry.size_bytes > kMaxManifestBytes)
      co_return fail(ErrorCode::kInvalid, "the index names a manifest that is too large");
    CO_TRY(co_await ensure(entry.digest, entry.size_bytes, kMaxManifestBytes, nullptr));
    CO_TRY_ASSIGN(text, co_await load(entry.digest, kMaxManifestBytes));
    CO_TRY_ASSIGN(manifest, parse_manifest(text, entry.media_type));
    if (manifest.is_index) co_return fail(ErrorCode::kInvalid, "the index names another index for this platform");
  }
  // Checked before anything large is fetched: the configuration says what the image is for.
  if (manifest.config.size_bytes > kMaxConfigBytes)
    co_return fail(ErrorCode::kInvalid, "the image configuration is too large");
  CO_TRY(co_await ensure(manifest.config.digest, manifest.config.size_bytes, kMaxConfigBytes, nullptr));
  CO_TRY_ASSIGN(const auto config_text, co_await load(manifest.config.digest, kMaxConfigBytes));
  CO_TRY_ASSIGN(const auto config, parse_config(config_text));
  CO_TRY_ASSIGN(auto image, make_image(manifest_digest, manifest, config, options_.platform));

  PullProgress state;
  for (const auto& layer : image.layers) {
    state.total_bytes += layer.size_bytes;  // each is at most 64 GiB and there are 128: no overflow
    if (state.total_bytes > options_.max_image_bytes)
      co_return fail(ErrorCode::kExhausted, fmt::format("the image has more than {} bytes", options_.max_image_bytes));
  }
  std::uint64_t before = 0;
  for (const auto& layer : image.layers) {
    const auto report = [&progress, &state, before](std::uint64_t bytes) {
      state.done_bytes = before + bytes;
      if (progress) progress(state);
    };
    OnBytes on_bytes = report;
    CO_TRY(co_await ensure(layer.digest, layer.size_bytes, layer.size_bytes, std::move(on_bytes)));
    before += layer.size_bytes;
    state.done_bytes = before;
    if (progress) progress(state);
  }
  co_return image;
}

Task<Result<>> OciImageSource::ensure(Hash32 sha256, std::optional<std::uint64_t> size, std::uint64_t limit,
                                      OnBytes on_bytes) {
  while (true) {
    auto local = co_await find(sha256);
    if (local) {
      if (size && local->size_bytes != *size)
        co_return fail(ErrorCode::kInvalid, fmt::format("{} has {} bytes, the manifest says {}", digest_text(sha256),
                                                        local->size_bytes, *size));
      if (local->size_bytes > limit)
        co_return fail(ErrorCode::kExhausted,
                       fmt::format("{} has {} bytes, more than {}", digest_text(sha256), local->size_bytes, limit));
      co_return Result<>();
    }
    if (local.error().code != ErrorCode::kNotFound) co_return fail(std::move(local).error());
    if (begin_fetch(sha256)) break;
    CO_TRY(co_await runtime::sleep_for(std::chrono::milliseconds(20)));  // another task is at it
  }
  struct Release {
    OciImageSource* source;
    Hash32 sha256;
    ~Release() { source->end_fetch(sha256); }
  };
  const Release release{this, sha256};
  auto done = co_await fetch(sha256, size, limit, std::move(on_bytes));
  if (!done) co_return fail(std::move(done).error().wrap(fmt::format("fetching {}", digest_text(sha256))));
  co_return done;
}

Task<Result<>> OciImageSource::fetch(Hash32 sha256, std::optional<std::uint64_t> size, std::uint64_t limit,
                                     OnBytes on_bytes) {
  const auto offers = co_await peers_.holders(sha256);
  auto work = std::make_shared<Fetch>();  // shared with chunk readers
  work->sha256 = sha256;
  bool too_large = false;
  std::map<std::uint64_t, std::vector<NodeId>> by_size;
  std::vector<std::uint64_t> order;
  for (const auto& offer : offers) {
    if (size && offer.size_bytes != *size) continue;
    if (offer.size_bytes > limit) {
      too_large = true;
      continue;
    }
    auto& list = by_size[offer.size_bytes];
    if (list.empty()) order.push_back(offer.size_bytes);
    if (list.size() < options_.max_holders) list.push_back(offer.node);
  }
  if (order.empty() && too_large)
    co_return fail(ErrorCode::kExhausted, fmt::format("it has more than {} bytes", limit));
  if (order.empty()) co_return fail(ErrorCode::kNotFound, "no node holds it");

  std::function<Result<std::unique_ptr<PartialFile>>()> open_job = [this, sha256] {
    return PartialFile::open(options_.partial_dir, sha256);
  };
  CO_TRY_ASSIGN(work->file, co_await offload(pool_, std::move(open_job)));
  Result<> last = fail(ErrorCode::kUnavailable, "no holder answered");
  // Without a size from a manifest, holders may disagree about it: at most four opinions are tried, nearest holder
  // first.
  if (order.size() > 4) order.resize(4);
  for (const std::uint64_t claimed : order) {
    const auto& holders = by_size[claimed];
    work->size = claimed;
    work->holders = holders;
    last = co_await fetch_from(work, on_bytes);
    if (last) co_return last;
    if (last.error().code != ErrorCode::kCorrupt || holders.size() == 1) continue;
    // Somebody lied and the bytes do not say who: now each holder alone.
    for (const NodeId& holder : holders) {
      work->holders.assign(1, holder);
      last = co_await fetch_from(work, on_bytes);
      if (last) co_return last;
      if (last.error().code == ErrorCode::kCorrupt)
        log::warn("images", "holder_sent_wrong_bytes", {{"node", to_hex(holder)}, {"digest", digest_text(sha256)}});
    }
  }
  co_return last;
}

namespace {

// Runs the readers of one round together. Asio's && ends a group by cancelling it when one throws, which only a stop
// does.
Task<> run_pair(Task<> a, Task<> b) {
  using boost::asio::experimental::awaitable_operators::operator&&;
  co_await (std::move(a) && std::move(b));
}

Task<> run_all(std::vector<Task<>> tasks) {
  while (tasks.size() > 1) {
    std::vector<Task<>> next;
    for (std::size_t i = 0; i + 1 < tasks.size(); i += 2)
      next.push_back(run_pair(std::move(tasks[i]), std::move(tasks[i + 1])));
    if (tasks.size() % 2 != 0) next.push_back(std::move(tasks.back()));
    tasks = std::move(next);
  }
  if (!tasks.empty()) co_await std::move(tasks.front());
}

Task<> keep(Task<Result<Bytes>> from, std::shared_ptr<Round> round, std::size_t index) {
  round->pieces[index] = co_await std::move(from);
}

}  // namespace

Task<Result<>> OciImageSource::fetch_from(std::shared_ptr<Fetch> work, OnBytes on_bytes) {
  work->failures.assign(work->holders.size(), 0);
  if (work->file->size() > work->size) CO_TRY(work->file->clear());
  while (work->file->size() < work->size) {
    if (on_bytes) on_bytes(work->file->size());
    auto round = std::make_shared<Round>();  // shared with the readers, which may be cancelled after this frame is gone
    std::vector<Task<>> readers;
    for (std::uint64_t at = work->file->size(); at < work->size && readers.size() < options_.parallel_chunks;) {
      const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(options_.chunk_bytes, work->size - at));
      readers.push_back(keep(fetch_chunk(work, at, length), round, readers.size()));
      at += length;
    }
    round->pieces.resize(readers.size(), fail(ErrorCode::kCancelled, "not fetched"));
    co_await run_all(std::move(readers));
    // What came in order is kept even when a later chunk failed: the next attempt goes on from there.
    std::function<Result<>()> job = [work, round]() -> Result<> {
      for (auto& piece : round->pieces) {
        if (!piece) return fail(std::move(piece).error());
        TRY(work->file->append(*piece));
      }
      return {};
    };
    CO_TRY(co_await offload(pool_, std::move(job)));
  }
  std::function<Result<>()> job = [this, work]() -> Result<> {
    auto stored = work->file->store(store_);
    if (stored) {
      work->file->remove();
      return stored;
    }
    if (stored.error().code != ErrorCode::kInvalid) return stored;
    TRY(work->file->clear());
    return fail(ErrorCode::kCorrupt, "what the holders sent does not have this digest");
  };
  CO_TRY(co_await offload(pool_, std::move(job)));
  if (on_bytes) on_bytes(work->size);
  co_return Result<>();
}

Task<Result<Bytes>> OciImageSource::fetch_chunk(std::shared_ptr<Fetch> work, std::uint64_t offset, std::size_t length) {
  Result<Bytes> last = fail(ErrorCode::kUnavailable, "no holder answered");
  const std::size_t count = work->holders.size();
  const std::size_t first = work->turn++;
  for (std::size_t i = 0; i < 2 * count; ++i) {  // every holder twice
    const std::size_t which = (first + i) % count;
    // One that keeps failing is left out while others work.
    if (work->failures[which] >= 3 && i < count && count > 1) continue;
    last = co_await peers_.read(work->holders[which], work->sha256, offset, length);
    if (last && last->size() == length) {
      work->failures[which] = 0;
      co_return last;
    }
    if (last) last = fail(ErrorCode::kCorrupt, "a holder sent another number of bytes");
    if (!last && last.error().code == ErrorCode::kCancelled) co_return last;
    ++work->failures[which];
  }
  // A holder that sends too little is as useless as one that is gone; only a whole blob can be proven wrong.
  co_return fail(ErrorCode::kUnavailable, last.error().message);
}

}  // namespace bonus::compute::oci
