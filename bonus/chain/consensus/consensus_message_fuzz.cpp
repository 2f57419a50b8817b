// Fuzzes every decoder of consensus: messages, certificates, evidence, WAL records; what decodes must encode to the
// same bytes.
#include <cstdlib>

#include "bonus/chain/consensus/evidence.hpp"
#include "bonus/chain/consensus/wal.hpp"

namespace {

using namespace bonus;
using namespace bonus::chain::consensus;

struct NoApplication final : Application {
  Result<Built> build(std::uint64_t, std::uint32_t) override { return fail(ErrorCode::kUnavailable, "no blocks here"); }
  Result<Hash32> validate(std::uint64_t, BytesView, bool) override { return Hash32{}; }
};
// Accepts every signature, so that the rules behind the check are reached as well.
struct AllSignatures final : Signatures {
  Ed25519Signature sign(BytesView) const override { return {}; }
  bool verify(std::size_t, BytesView, const Ed25519Signature&) const override { return true; }
};

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView in(data, size);
  if (const auto message = decode_message(in)) require(std::ranges::equal(encode(*message), in));
  if (const auto cert = CommitCert::decode(in)) require(std::ranges::equal(cert->encode(), in));
  if (const auto record = wal::decode(in)) require(std::ranges::equal(wal::encode(*record), in));
  if (const auto state = SignerState::decode(in)) require(std::ranges::equal(state->encode(), in));
  Config config;
  config.validators.resize(4);
  config.self = 0;
  (void)verify_evidence(config, in);

  // One message, and as a WAL record, at a core that believes all signatures.
  static const AllSignatures signatures;
  static NoApplication application;
  Options options;
  options.signatures = &signatures;
  BonusBft core(config, application, {Bytes(in.begin(), in.end())}, options);
  (void)core.advance(Instant{}, 1, Hash32{}, Instant{});
  for (std::size_t from = 1; from < 4; ++from) (void)core.on_message(Instant{}, from, in);
  (void)core.on_tick(Instant{} + std::chrono::seconds(30));
  (void)core.next_deadline();
  return 0;
}
