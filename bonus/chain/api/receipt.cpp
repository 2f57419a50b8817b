// Receipts, logs and bloom filters (Yellow Paper, 4.3.1; EIP-658, EIP-2718).
#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/types.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain {
namespace {

/// The three bits of a value: the low 11 bits of each of the first three 16-bit words of its hash.
std::array<unsigned, 3> bloom_bits(BytesView value) {
  const Hash32 hash = crypto::keccak256(value);
  std::array<unsigned, 3> out{};
  for (unsigned i = 0; i < 3; ++i) out[i] = ((unsigned{hash.bytes[2 * i]} << 8) | hash.bytes[2 * i + 1]) & 2047;
  return out;
}

void add_value(Bloom& bloom, BytesView value) {
  for (const unsigned bit : bloom_bits(value))
    bloom.bytes[255 - bit / 8] = static_cast<std::uint8_t>(bloom.bytes[255 - bit / 8] | 1u << (bit % 8));
}

void encode_log_list(rlp::Encoder& e, const std::vector<Log>& logs) {
  e.begin_list();
  for (const Log& log : logs) {
    e.begin_list().bytes(log.address).begin_list();
    for (const Hash32& topic : log.topics) e.bytes(topic);
    e.end_list().bytes(log.data).end_list();
  }
  e.end_list();
}

}  // namespace

void add_to_bloom(Bloom& bloom, const Log& log) {
  add_value(bloom, log.address);
  for (const Hash32& topic : log.topics) add_value(bloom, topic);
}

bool bloom_may_contain(const Bloom& bloom, BytesView value) {
  for (const unsigned bit : bloom_bits(value))
    if ((bloom.bytes[255 - bit / 8] >> (bit % 8) & 1) == 0) return false;
  return true;
}

Bytes encode_logs(const std::vector<Log>& logs) {
  rlp::Encoder e;
  encode_log_list(e, logs);
  return e.take();
}

Bloom Receipt::bloom() const {
  Bloom out;
  for (const Log& log : logs) add_to_bloom(out, log);
  return out;
}

Bytes Receipt::encode() const {
  rlp::Encoder e;
  e.begin_list();
  if (state_root) {
    e.bytes(*state_root);
  } else {
    e.number(std::uint64_t{success ? 1u : 0u});
  }
  e.number(cumulative_gas).bytes(bloom());
  encode_log_list(e, logs);
  e.end_list();
  if (type == 0) return e.take();
  Bytes out{type};
  append(out, e.take());
  return out;
}

}  // namespace bonus::chain
