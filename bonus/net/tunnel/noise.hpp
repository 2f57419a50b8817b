// The handshake Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s and the macs and cookies around it, as functions of their inputs
// (WireGuard whitepaper, section 5.4; Noise Protocol Framework, revision 34).
#pragma once

#include <optional>
#include <span>

#include "bonus/crypto/keys.hpp"
#include "bonus/net/tunnel/transport.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::tunnel {

/// TAI64N label (section 5.4.2), ordered as bytes. The nanoseconds are rounded down to 2^24 (16.8 ms), so that the
/// clock is not given away finer than needed.
using Tai64n = FixedBytes<12, struct Tai64nTag>;
[[nodiscard]] Tai64n tai64n(Duration since_unix_epoch);

using Mac16 = FixedBytes<16, struct Mac16Tag>;  ///< Keyed BLAKE2s of 16 bytes: mac1, mac2, cookie.

/// Our own static key and what follows from it.
struct Identity {
  explicit Identity(const crypto::X25519Secret& secret_key);
  ~Identity();
  Identity(const Identity&) = default;
  Identity& operator=(const Identity&) = default;
  crypto::X25519Secret secret;
  crypto::X25519Public public_key;
  Hash32 initial_hash;  ///< Of the transcript when we are the responder.
  Hash32 mac1_key, cookie_key;
};

/// A peer's static key and what follows from it and ours: no key agreement of two static keys during a handshake.
struct Remote {
  ~Remote();
  crypto::X25519Public public_key;
  Hash32 preshared_key;
  Hash32 static_static;
  Hash32 initial_hash;  ///< Of the transcript when the peer is the responder.
  Hash32 mac1_key, cookie_key;
};
/// kInvalid: a low-order point.
[[nodiscard]] Result<Remote> make_remote(const Identity& identity, const crypto::X25519Public& key,
                                         const Hash32& preshared_key);

// The functions below return nothing for a message that is not authentic: strangers cause that, and it must be cheap.

struct InitiatorState {
  ~InitiatorState();
  Hash32 hash, chaining;
  crypto::X25519Secret ephemeral;
  std::uint32_t local_index = 0;
};
using InitiationBytes = std::array<std::uint8_t, kInitiationSize>;
using ResponseBytes = std::array<std::uint8_t, kResponseSize>;
using CookieReplyBytes = std::array<std::uint8_t, kCookieReplySize>;

/// Macs are zero until add_macs(). `ephemeral`: 32 random bytes.
[[nodiscard]] std::optional<InitiatorState> create_initiation(const Identity& identity, const Remote& remote,
                                                              std::uint32_t local_index, const Tai64n& timestamp,
                                                              const crypto::X25519Secret& ephemeral,
                                                              InitiationBytes& out);

struct ReceivedInitiation {
  ~ReceivedInitiation();
  crypto::X25519Public peer;  ///< Claimed, and proven by open_timestamp only.
  std::uint32_t remote_index = 0;
  Hash32 hash, chaining;
  crypto::X25519Public ephemeral;
  std::array<std::uint8_t, 28> sealed_timestamp{};
};
/// One key agreement. `message` has kInitiationSize bytes; macs are checked by the caller before.
[[nodiscard]] std::optional<ReceivedInitiation> open_initiation(const Identity& identity, BytesView message);
/// No key agreement: proves that the sender has the peer's static key. Mixes the timestamp into the transcript.
[[nodiscard]] std::optional<Tai64n> open_timestamp(ReceivedInitiation& received, const Remote& remote);

struct SessionKeys {
  ~SessionKeys();
  Hash32 from_initiator, from_responder;
  std::uint32_t remote_index = 0;
};
/// Two key agreements. After open_timestamp.
[[nodiscard]] std::optional<SessionKeys> create_response(const ReceivedInitiation& received, const Remote& remote,
                                                         std::uint32_t local_index,
                                                         const crypto::X25519Secret& ephemeral, ResponseBytes& out);
/// Two key agreements. `message` has kResponseSize bytes and names state.local_index.
[[nodiscard]] std::optional<SessionKeys> open_response(const Identity& identity, const Remote& remote,
                                                       const InitiatorState& state, BytesView message);

// mac1, mac2 and cookies (section 5.4.4 and 5.4.7). Messages are those of type 1 or 2.

/// Writes both macs; mac2 is zero without a cookie. Returns mac1.
Mac16 add_macs(std::span<std::uint8_t> message, const Hash32& mac1_key, const std::optional<Mac16>& cookie);
[[nodiscard]] bool check_mac1(BytesView message, const Hash32& mac1_key);
[[nodiscard]] Mac16 mac1_of(BytesView message);

/// Makes and checks cookies; its secret changes every two minutes, one old one is honoured. Not thread-safe.
class CookieJar {
 public:
  explicit CookieJar(runtime::Random& random) : random_(random) {}
  ~CookieJar();
  CookieJar(const CookieJar&) = delete;
  CookieJar& operator=(const CookieJar&) = delete;
  [[nodiscard]] bool check_mac2(BytesView message, const Endpoint& from, Instant now);
  [[nodiscard]] CookieReplyBytes reply(BytesView message, const Endpoint& from, const Hash32& cookie_key, Instant now);

 private:
  void rotate(Instant now);
  [[nodiscard]] static Mac16 cookie(const Hash32& secret, const Endpoint& from);
  runtime::Random& random_;
  Hash32 secret_, before_;
  std::optional<Instant> made_;
};
/// The cookie in a reply to the message whose mac1 this was. `message` has kCookieReplySize bytes.
[[nodiscard]] std::optional<Mac16> open_cookie_reply(BytesView message, const Hash32& cookie_key, const Mac16& mac1);

}  // namespace bonus::net::tunnel
