// BonusBFT: the agreement core of one bookkeeper (design chain.md, rules 1-10). A synchronous state machine without
// I/O.
#pragma once

#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/time.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::chain::consensus {

/// What the chain does for consensus. Called synchronously; must be deterministic in (committed state, arguments).
class Application {
 public:
  virtual ~Application() = default;
  struct Built {
    Hash32 hash;  ///< Block hash: keccak of the header.
    Bytes body;   ///< The whole block, encoded.
  };
  /// A fresh block for `height` created in `round` by this node. The VRF proof is of (seed_{h-1}, h).
  [[nodiscard]] virtual Result<Built> build(std::uint64_t height, std::uint32_t round) = 0;
  /// Decodes and executes fully against the committed parent; returns the block's hash. kInvalid: never vote for it.
  /// `fresh`: also check the timestamp against the clock (not for a re-proposal, rule 3). `proposer` is the header's
  /// creator.
  [[nodiscard]] virtual Result<Hash32> validate(std::uint64_t height, BytesView body, bool fresh) = 0;
};

struct Timing {
  Duration d0 = std::chrono::milliseconds(150);       ///< Assumed message delay, grows by rule 9.
  Duration build = std::chrono::milliseconds(200);    ///< B
  Duration execute = std::chrono::milliseconds(300);  ///< E
};

struct Config {
  std::uint64_t chain_id = 0;
  std::uint64_t epoch = 0;
  std::vector<Ed25519PublicKey>
      validators;  ///< At most 1024, in registration order; the order within a cycle is drawn from the seed.
  std::optional<std::size_t> self;            ///< Nothing: follow only.
  std::optional<crypto::Ed25519KeyPair> key;  ///< Set iff self is.
  Timing timing;
};

/// One Commit quorum: proof that `hash` is final at `height`. docs/formats/consensus.md.
struct CommitCert {
  std::uint64_t height = 0;
  std::uint32_t round = 0;
  Hash32 hash;
  struct Seal {
    std::uint16_t validator = 0;
    Ed25519Signature signature;
  };
  std::vector<Seal> seals;
  [[nodiscard]] Bytes encode() const;
  [[nodiscard]] static Result<CommitCert> decode(BytesView in);
};
/// kInvalid unless Q distinct validators signed Commit(height, round, hash).
[[nodiscard]] Result<> verify_commit_cert(const Config& config, const CommitCert& cert);

/// Actions must be carried out in order; a Persist is durable before anything behind it is done (rule 10).
/// `signer_state` is set when the record holds something signed: a careful shell replaces a file apart from the log by
/// it after the record is durable, and gives it back through Options (rule 10: a node whose log was lost or set back
/// must not sign).
struct Persist {
  Bytes record;
  Bytes signer_state;
};
struct Broadcast {
  Bytes message;
};  ///< To all other validators; the core delivers to itself.
struct Send {
  std::size_t to = 0;
  Bytes message;
};
/// Block `hash` is final. Given again after a restart whose chain misses it. The shell executes and stores body + cert
/// durably, then calls `advance`.
struct Decided {
  std::uint64_t height = 0;
  Hash32 hash;
  Bytes body;
  CommitCert cert;
};
/// A peer showed that it is ahead: fetch blocks from `from` on (by the sync module), then call `advance`.
struct Behind {
  std::size_t peer = 0;
  std::uint64_t from = 0;
};
/// Misbehaviour that two signed messages prove (E1..E4); encoded as docs/formats/consensus.md says.
struct Evidence {
  std::size_t offender = 0;
  Bytes proof;
};
using Action = std::variant<Persist, Broadcast, Send, Decided, Behind, Evidence>;
using Actions = std::vector<Action>;

struct Options;  // options.hpp: what the simulator and careful shells add

/// Not thread-safe. Message size is bounded by kMaxMessageBytes; messages for heights beyond the current + 1 are not
/// kept.
inline constexpr std::size_t kMaxMessageBytes = 8 << 20;

class BonusBft {
 public:
  /// `wal` are the records that earlier Persist actions wrote, in order; `app` must outlive the core.
  BonusBft(Config config, Application& app, const std::vector<Bytes>& wal);
  BonusBft(Config config, Application& app, const std::vector<Bytes>& wal, const Options& options);
  ~BonusBft();
  BonusBft(BonusBft&&) noexcept;

  /// The chain stands at `height` - 1 with this VRF seed: begin to agree on `height`. `work` = transactions wait.
  /// `not_before`: earliest time at which a fresh block may be proposed (1 s after the parent with work, 5 s without).
  [[nodiscard]] Actions advance(Instant now, std::uint64_t height, const Hash32& seed, Instant not_before);
  /// A message from validator `from` (its transport identity is checked by the shell; the signature is checked here).
  [[nodiscard]] Actions on_message(Instant now, std::size_t from, BytesView message);
  /// Moves the earliest proposal time forward or back, e.g. when the first transaction arrives.
  [[nodiscard]] Actions set_not_before(Instant now, Instant not_before);
  /// Call when next_deadline() has come.
  [[nodiscard]] Actions on_tick(Instant now);
  [[nodiscard]] Instant next_deadline() const;

  struct Status {
    std::uint64_t height = 0;
    std::uint32_t round = 0;
    bool waiting = false;
    bool locked = false;
    std::optional<std::size_t> primary;
    bool muted = false;  ///< A validator that must not sign at this height, because its WAL is behind (rule 10).
  };
  [[nodiscard]] Status status() const;

  /// The WAL records that a restart would still need; the shell rewrites the log with them when it has grown.
  [[nodiscard]] std::vector<Bytes> live_records() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::chain::consensus
