// Importing blocks.
#include "bonus/chain/eth/import.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/ethereum_block.hpp"

namespace bonus::chain::eth {
namespace {

constexpr std::uint64_t kSyncEvery = 256;

/// "block 7 (at byte 4711)", as far as the block can be read at all.
std::string name_of(BytesView raw, std::uint64_t position) {
  const auto bare = decode_ethereum_block(raw);
  if (!bare) return fmt::format("the block at byte {}", position);
  return fmt::format("block {} (at byte {})", bare->block.header.number, position);
}

}  // namespace

Result<std::optional<Bytes>> BlockStream::next() {
  const int first = in_.get();
  if (first == std::istream::traits_type::eof()) return std::nullopt;
  const auto broken = [&](const char* why) {
    return fail(ErrorCode::kInvalid, fmt::format("not a file of blocks: {} at byte {}", why, position_));
  };
  if (first < 0xc0) return broken("no RLP list");
  Bytes out{static_cast<std::uint8_t>(first)};
  std::uint64_t length = static_cast<std::uint64_t>(first - 0xc0);
  if (first > 0xf7) {
    const int size = first - 0xf7;
    length = 0;
    for (int i = 0; i < size; ++i) {
      const int byte = in_.get();
      if (byte == std::istream::traits_type::eof()) return broken("the file is cut off in a block");
      if (length > kMaxBlockBytes) return broken("a block above 64 MiB");
      length = length << 8 | static_cast<std::uint64_t>(byte);
      out.push_back(static_cast<std::uint8_t>(byte));
    }
  }
  if (length > kMaxBlockBytes) return broken("a block above 64 MiB");
  const std::size_t head = out.size();
  out.resize(head + length);
  if (!in_.read(reinterpret_cast<char*>(out.data() + head), static_cast<std::streamsize>(length)))
    return broken("the file is cut off in a block");
  position_ += out.size();
  return out;
}

Result<Imported> import_blocks(EthLedger& ledger, std::istream& in,
                               const std::function<void(const Imported&)>& progress) {
  BlockStream stream(in);
  Imported out;
  const auto append_all = [&]() -> Result<> {
    while (true) {
      const std::uint64_t at = stream.position();
      TRY_ASSIGN(const auto raw, stream.next());
      if (!raw) return {};
      const auto appended = ledger.append(*raw);
      if (!appended) {
        Error error = appended.error();
        return fail(std::move(error).wrap(name_of(*raw, at)));
      }
      ++(*appended == EthLedger::Appended::kNew ? out.blocks : out.skipped);
      if (*appended == EthLedger::Appended::kNew && out.blocks % kSyncEvery == 0) TRY(ledger.sync());
      if (progress) progress(out);
    }
  };
  const auto done = append_all();
  TRY(ledger.sync());
  if (!done) return fail(done.error());
  return out;
}

}  // namespace bonus::chain::eth
