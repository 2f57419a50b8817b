// pcap: a header of 24 bytes, then 16 bytes before each packet.
#include "bonus/net/topology/capture.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

namespace bonus::net::topology {
namespace {

constexpr std::size_t kBuffer = 256 << 10;
constexpr std::uint32_t kMagic = 0xa1b2c3d4, kSnap = 262144, kLinkRaw = 101;

void append32(Bytes& out, std::uint32_t value) {
  const std::size_t at = out.size();
  out.resize(at + 4);
  std::memcpy(out.data() + at, &value, 4);
}

}  // namespace

Result<std::unique_ptr<Capture>> Capture::create(const std::string& path) {
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file) return fail(os_error("the capture " + path));
  auto out = std::make_unique<Capture>(std::move(file));
  for (const std::uint32_t word : {kMagic, 2u | 4u << 16, 0u, 0u, kSnap, kLinkRaw}) append32(out->buffer_, word);
  out->flush();
  return out;
}

Capture::~Capture() { flush(); }

void Capture::add(BytesView packet, UnixMillis now) {
  if (written_ > kMaxBytes) return;
  append32(buffer_, static_cast<std::uint32_t>(now / 1000));
  append32(buffer_, static_cast<std::uint32_t>(now % 1000 * 1000));
  append32(buffer_, static_cast<std::uint32_t>(packet.size()));
  append32(buffer_, static_cast<std::uint32_t>(packet.size()));
  buffer_.insert(buffer_.end(), packet.begin(), packet.end());
  if (buffer_.size() > kBuffer) flush();
}

void Capture::flush() {
  std::size_t at = 0;
  while (at < buffer_.size()) {
    const ssize_t n = ::write(file_.get(), buffer_.data() + at, buffer_.size() - at);
    if (n <= 0) break;  // a full disk ends the capture, not the network
    at += static_cast<std::size_t>(n);
  }
  written_ += buffer_.size();
  buffer_.clear();
}

}  // namespace bonus::net::topology
