// Requests to the beacon chain.
#include "bonus/chain/eth/requests.hpp"

#include "bonus/crypto/hash.hpp"

namespace bonus::chain::eth {
namespace {

/// DepositEvent(bytes pubkey, bytes withdrawal_credentials, bytes amount, bytes signature, bytes index) as the ABI lays
/// it out: where each part's length stands, and what it must be.
struct Part {
  std::size_t offset, size;
};
constexpr std::array kParts{Part{160, 48}, Part{256, 32}, Part{320, 8}, Part{384, 96}, Part{512, 8}};
constexpr std::size_t kEventBytes = 576;

uint256 word(const Bytes& data, std::size_t at) { return uint256::from_be(BytesView(data).subspan(at, 32)); }

Result<> append_deposit(Bytes& out, const Bytes& data) {
  if (data.size() != kEventBytes) return fail(ErrorCode::kInvalid, "deposit event: not 576 bytes");
  for (std::size_t i = 0; i < kParts.size(); ++i) {
    const Part& part = kParts[i];
    if (word(data, 32 * i) != uint256(part.offset) || word(data, part.offset) != uint256(part.size))
      return fail(ErrorCode::kInvalid, "deposit event: not laid out as the deposit contract does it");
    append(out, BytesView(data).subspan(part.offset + 32, part.size));
  }
  return {};
}

}  // namespace

Result<Bytes> deposits_of(const std::vector<Receipt>& receipts, const Address& deposit_contract) {
  static const Hash32 topic = crypto::keccak256(as_bytes("DepositEvent(bytes,bytes,bytes,bytes,bytes)"));
  Bytes out;
  for (const Receipt& receipt : receipts) {
    for (const Log& log : receipt.logs) {
      if (log.address == deposit_contract && !log.topics.empty() && log.topics[0] == topic)
        TRY(append_deposit(out, log.data));
    }
  }
  return out;
}

Hash32 requests_hash(const std::vector<Bytes>& requests) {
  crypto::Sha256 all;
  for (const Bytes& request : requests)
    if (request.size() > 1) all.update(crypto::sha256(request));
  return all.finish();
}

}  // namespace bonus::chain::eth
