// Decompression of layers with zlib and libzstd under a bound on size and ratio.
#include "bonus/compute/vm/layer_stream.hpp"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "bonus/crypto/hash.hpp"

namespace bonus::compute::vm {
namespace {

constexpr std::size_t kInputBytes = 128 << 10;
constexpr std::size_t kOutputBytes = 256 << 10;
constexpr int kZstdWindowLog = 27;  // 128 MiB: what `zstd --long` needs; more would be our memory, not the sender's

enum class Kind : std::uint8_t { kUnknown, kPlain, kGzip, kZstd };

Kind detect(BytesView head) {
  if (head.size() >= 2 && head[0] == 0x1f && head[1] == 0x8b) return Kind::kGzip;
  if (head.size() >= 4 && head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd) return Kind::kZstd;
  return Kind::kPlain;
}

}  // namespace

struct LayerStream::Impl {
  Impl(BlobReader r, StreamLimits l) : reader(std::move(r)), limits(l) {}
  ~Impl() {
    if (inflating) inflateEnd(&gzip);
    ZSTD_freeDStream(zstd);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  BlobReader reader;
  StreamLimits limits;
  Kind kind = Kind::kUnknown;
  z_stream gzip{};
  bool inflating = false;
  ZSTD_DStream* zstd = nullptr;
  bool frame_open = false;  // inside a gzip member or a zstd frame: the end of input is an error
  bool ended = false;
  std::array<std::uint8_t, kInputBytes> input{};
  std::array<std::uint8_t, kOutputBytes> output{};
  BytesView pending;  // of input, not yet decompressed
  std::uint64_t offset = 0;
  std::uint64_t unpacked = 0;
  crypto::Sha256 hash;

  Result<bool> refill() {
    if (!pending.empty()) return true;
    std::size_t have = 0;
    while (have < (kind == Kind::kUnknown ? std::size_t{4} : std::size_t{1})) {
      TRY_ASSIGN(const std::size_t n, reader(offset, std::span(input).subspan(have)));
      if (n == 0) break;
      have += n;
      offset += n;
    }
    pending = BytesView(input).first(have);
    return have != 0;
  }

  Result<> begin() {
    TRY(refill());
    kind = detect(pending);
    if (kind == Kind::kGzip) {
      if (inflateInit2(&gzip, 16 + MAX_WBITS) != Z_OK) return fail(ErrorCode::kExhausted, "no memory to decompress");
      inflating = true;
    }
    if (kind == Kind::kZstd) {
      zstd = ZSTD_createDStream();
      if (zstd == nullptr) return fail(ErrorCode::kExhausted, "no memory to decompress");
      ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, kZstdWindowLog);
    }
    return {};
  }

  // Consumes some of `pending`, returns what was produced (perhaps nothing).
  Result<std::size_t> inflate_some() {
    if (!frame_open) {
      // The first member, or one more of a multi-member file.
      if (inflateReset(&gzip) != Z_OK) return fail(ErrorCode::kInternal, "gzip: reset failed");
      frame_open = true;
    }
    gzip.next_in = const_cast<Bytef*>(pending.data());
    gzip.avail_in = static_cast<uInt>(pending.size());
    gzip.next_out = output.data();
    gzip.avail_out = static_cast<uInt>(output.size());
    const int code = inflate(&gzip, Z_NO_FLUSH);
    pending = pending.last(gzip.avail_in);
    if (code == Z_STREAM_END) {
      frame_open = false;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return fail(ErrorCode::kCorrupt, fmt::format("the gzip data is damaged near byte {}", offset - pending.size()));
    }
    return output.size() - gzip.avail_out;
  }

  Result<std::size_t> unzstd_some() {
    ZSTD_inBuffer in{pending.data(), pending.size(), 0};
    ZSTD_outBuffer out{output.data(), output.size(), 0};
    const std::size_t code = ZSTD_decompressStream(zstd, &out, &in);
    if (ZSTD_isError(code) != 0)
      return fail(ErrorCode::kCorrupt, fmt::format("the zstd data is damaged: {}", ZSTD_getErrorName(code)));
    pending = pending.subspan(in.pos);
    frame_open = code != 0;
    return out.pos;
  }

  // A decompressor may hold output back although its input is used up: it is asked again before the end is believed.
  Result<std::optional<std::size_t>> step() {
    TRY_ASSIGN(const bool more, refill());
    if (!more && !frame_open) return std::nullopt;
    TRY_ASSIGN(const std::size_t n, kind == Kind::kGzip ? inflate_some() : unzstd_some());
    if (!more && n == 0 && frame_open) return fail(ErrorCode::kCorrupt, "the compressed data is cut short");
    return n;
  }

  Result<BytesView> account(BytesView piece) {
    unpacked += piece.size();
    if (unpacked > limits.unpacked_bytes)
      return fail(ErrorCode::kExhausted, fmt::format("unpacks to more than {} bytes", limits.unpacked_bytes));
    const std::uint64_t used = std::max<std::uint64_t>(offset - pending.size(), 1);
    if (unpacked > limits.ratio_free_bytes && unpacked / used >= limits.ratio)
      return fail(ErrorCode::kExhausted, fmt::format("unpacks to more than {} times its size", limits.ratio));
    hash.update(piece);
    return piece;
  }

  Result<BytesView> next() {
    if (kind == Kind::kUnknown) TRY(begin());
    if (kind == Kind::kPlain) {
      TRY(refill());
      return account(std::exchange(pending, BytesView()));
    }
    while (true) {
      TRY_ASSIGN(const auto n, step());
      if (!n) return BytesView();
      if (*n > 0) return account(BytesView(output).first(*n));
    }
  }
};

LayerStream::LayerStream(BlobReader reader, StreamLimits limits)
    : impl_(std::make_unique<Impl>(std::move(reader), limits)) {}
LayerStream::~LayerStream() = default;

Result<BytesView> LayerStream::next() { return impl_->next(); }
std::uint64_t LayerStream::unpacked_bytes() const { return impl_->unpacked; }

Result<Hash32> LayerStream::finish() {
  while (true) {
    TRY_ASSIGN(const BytesView piece, impl_->next());
    if (piece.empty()) return impl_->hash.finish();
  }
}

}  // namespace bonus::compute::vm
