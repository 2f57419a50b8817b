// Cheap signatures for simulations: a keyed 64-bit hash. Unforgeable only because nobody in the simulation tries to.
#pragma once

#include <vector>

#include "bonus/chain/consensus/certificates.hpp"

namespace bonus::chain::consensus::sim {

class KeyedHashSignatures final : public Signatures {
 public:
  KeyedHashSignatures(std::vector<std::uint64_t> keys, std::size_t self) : keys_(std::move(keys)), self_(self) {}
  [[nodiscard]] Ed25519Signature sign(BytesView statement) const override { return mark(self_, statement); }
  [[nodiscard]] bool verify(std::size_t validator, BytesView statement,
                            const Ed25519Signature& signature) const override {
    return validator < keys_.size() && mark(validator, statement) == signature;
  }

 private:
  [[nodiscard]] Ed25519Signature mark(std::size_t signer, BytesView statement) const {
    std::uint64_t h = keys_[signer] ^ (statement.size() * 0x9E3779B97F4A7C15ULL);
    std::size_t at = 0;
    for (; at + 8 <= statement.size(); at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, statement.data() + at, 8);
      h = (h ^ word) * 0xFF51AFD7ED558CCDULL;
      h ^= h >> 32;
    }
    for (; at < statement.size(); ++at) h = (h ^ statement[at]) * 0x100000001B3ULL;
    h = (h ^ (h >> 29)) * 0xC4CEB9FE1A85EC53ULL;
    h ^= h >> 32;
    Ed25519Signature out;
    std::memcpy(out.bytes.data(), &h, 8);
    return out;
  }
  std::vector<std::uint64_t> keys_;
  std::size_t self_;
};

}  // namespace bonus::chain::consensus::sim
