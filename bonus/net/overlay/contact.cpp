// Messages of first contact and their retries.
#include "bonus/net/overlay/contact.hpp"

#include <sodium.h>

#include <algorithm>

#include "bonus/net/record/sealed.hpp"

namespace bonus::net::overlay {

namespace {

constexpr std::uint8_t kVersion = 1, kRequest = 1, kReply = 2, kFind = 3, kFound = 4, kPointed = 5;
constexpr std::size_t kHead = 10;  // version, what, request id
/// Requests are padded to this, so that no answer is longer than what was asked with.
constexpr std::size_t kRequestBytes = kHead + 2 + kMaxRecordBytes;
static_assert(kRequestBytes + kSealOverhead <= kMaxDatagram);
constexpr Duration kFirstPause = std::chrono::milliseconds(500), kLastPause = std::chrono::seconds(30);

void put_u64(Bytes& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}
std::uint64_t get_u64(BytesView in) {
  std::uint64_t out = 0;
  for (const std::uint8_t byte : in.first(8)) out = out << 8 | byte;
  return out;
}
Error malformed() { return {ErrorCode::kInvalid, "contact: malformed datagram"}; }

}  // namespace

Result<crypto::X25519Public> contact_key(const Ed25519PublicKey& root) {
  crypto::X25519Public out;
  if (sodium_init() < 0 || crypto_sign_ed25519_pk_to_curve25519(out.bytes.data(), root.bytes.data()) != 0)
    return fail(ErrorCode::kInvalid, "the root key is no point of the curve");
  return out;
}

crypto::X25519Secret contact_secret(const crypto::Ed25519KeyPair& root) {
  std::array<std::uint8_t, crypto_sign_ed25519_SECRETKEYBYTES> secret{};
  std::ranges::copy(root.seed().bytes, secret.begin());
  std::ranges::copy(root.public_key().bytes, secret.begin() + 32);
  crypto::X25519Secret out;
  crypto_sign_ed25519_sk_to_curve25519(out.bytes.data(), secret.data());
  sodium_memzero(secret.data(), secret.size());
  return out;
}

ContactFinder::ContactFinder(runtime::Random& random, std::size_t max_targets) : random_(random), limit_(max_targets) {}

Result<> ContactFinder::want(const Ed25519PublicKey& root, const UdpEndpoint& endpoint, Instant now) {
  auto found = targets_.find(root);
  if (found != targets_.end() && found->second.endpoint == endpoint) return {};
  if (found == targets_.end()) {
    if (targets_.size() >= limit_) return fail(ErrorCode::kExhausted, "contact: too many nodes are being looked for");
    TRY_ASSIGN(const auto key, contact_key(root));
    found = targets_.emplace(root, Target{}).first;
    found->second.key = key;
    by_key_[key] = root;
  }
  Target& target = found->second;
  target.endpoint = endpoint;
  target.answered = false;
  target.pause = kFirstPause;
  target.next = now;
  return {};
}

void ContactFinder::forget(const Ed25519PublicKey& root) {
  const auto found = targets_.find(root);
  if (found == targets_.end()) return;
  by_key_.erase(found->second.key);
  targets_.erase(found);
}

void ContactFinder::again(const Ed25519PublicKey& root, Instant now) {
  const auto found = targets_.find(root);
  if (found == targets_.end() || !found->second.answered) return;
  found->second.answered = false;
  found->second.pause = kFirstPause;
  found->second.next = now;
}

Bytes ContactFinder::encode_request(std::uint64_t id) const {
  Bytes payload{kVersion, kRequest};
  put_u64(payload, id);
  payload.push_back(static_cast<std::uint8_t>(self_.size() >> 8));
  payload.push_back(static_cast<std::uint8_t>(self_.size()));
  append(payload, self_);
  payload.resize(std::max(payload.size(), kRequestBytes));
  return payload;
}

ContactSend ContactFinder::ask(Target& target) {
  target.request = random_.next_u64();
  return {target.key, target.endpoint, encode_request(target.request)};
}

std::vector<ContactSend> ContactFinder::on_timer(Instant now) {
  std::vector<ContactSend> out;
  for (auto& [root, target] : targets_) {
    if (target.answered || target.next > now) continue;
    out.push_back(ask(target));
    target.next = now + target.pause + Duration(random_.below(static_cast<std::uint64_t>(target.pause.count()) / 4));
    target.pause = std::min(target.pause * 2, kLastPause);
  }
  return out;
}

std::optional<ContactSend> ContactFinder::request(const Ed25519PublicKey& root) {
  const auto found = targets_.find(root);
  if (found == targets_.end() || found->second.answered) return std::nullopt;
  return ask(found->second);
}

std::optional<Instant> ContactFinder::next_timer() const {
  std::optional<Instant> out;
  for (const auto& [root, target] : targets_)
    if (!target.answered && (!out || target.next < *out)) out = target.next;
  return out;
}

std::optional<Ed25519PublicKey> ContactFinder::root_of(const crypto::X25519Public& contact) const {
  const auto found = by_key_.find(contact);
  if (found == by_key_.end()) return std::nullopt;
  return found->second;
}

Result<ContactFinder::Answer> ContactFinder::on_reply(const crypto::X25519Public& from, const UdpEndpoint& endpoint,
                                                      BytesView payload, Instant /*now*/) {
  const auto root = by_key_.find(from);
  if (root == by_key_.end()) return fail(ErrorCode::kDenied, "contact: an answer of somebody who was not asked");
  if (payload.size() <= kHead || payload.size() > kHead + kMaxRecordBytes || payload[0] != kVersion ||
      payload[1] != kReply)
    return fail(malformed());
  Target& target = targets_.at(root->second);
  if (target.answered || get_u64(payload.subspan(2)) != target.request)
    return fail(ErrorCode::kDenied, "contact: an answer to an old question");
  target.answered = true;
  const BytesView record = payload.subspan(kHead);
  return Answer{Bytes(record.begin(), record.end()), endpoint};
}

Result<ContactFinder::Request> ContactFinder::on_request(BytesView payload) const {
  if (payload.size() < kRequestBytes || payload[0] != kVersion || payload[1] != kRequest) return fail(malformed());
  const std::size_t size = static_cast<std::size_t>(payload[kHead]) << 8 | payload[kHead + 1];
  if (size > payload.size() - kHead - 2) return fail(malformed());
  Request out;
  const BytesView record = payload.subspan(kHead + 2, size);
  out.record.assign(record.begin(), record.end());
  out.reply = {kVersion, kReply};
  append(out.reply, payload.subspan(2, 8));
  append(out.reply, self_);
  return out;
}

Bytes encode_find(const FindQuestion& question) {
  Bytes out{kVersion, kFind};
  put_u64(out, question.id);
  append(out, question.address);
  out.resize(kRequestBytes);  // never shorter than its answer
  return out;
}

std::optional<FindQuestion> decode_find(BytesView payload) {
  if (payload.size() < kRequestBytes || payload[0] != kVersion || payload[1] != kFind) return std::nullopt;
  FindQuestion out;
  out.id = get_u64(payload.subspan(2));
  std::ranges::copy(payload.subspan(kHead, 16), out.address.bytes.begin());
  return out;
}

Bytes encode_found(const FindAnswer& answer) {
  Bytes out{kVersion, answer.container.empty() ? kFound : kPointed};
  put_u64(out, answer.id);
  if (!answer.container.empty()) {
    // Never longer than the question: a record without room for the id is not sent.
    if (kHead + 1 + answer.container.size() + answer.record.size() > kRequestBytes)
      return encode_found({answer.id, {}, {}});
    out.push_back(static_cast<std::uint8_t>(answer.container.size()));
    append(out, answer.container);
  }
  append(out, answer.record);
  return out;
}

std::optional<FindAnswer> decode_found(BytesView payload) {
  if (payload.size() < kHead || payload[0] != kVersion || (payload[1] != kFound && payload[1] != kPointed))
    return std::nullopt;
  BytesView record = payload.subspan(kHead), container;
  if (payload[1] == kPointed) {
    if (record.empty() || record[0] == 0 || record[0] > kMaxContainerId || record.size() <= record[0])
      return std::nullopt;
    container = record.subspan(1, record[0]);
    record = record.subspan(1u + record[0]);
  }
  if (record.size() > kMaxRecordBytes) return std::nullopt;
  return FindAnswer{get_u64(payload.subspan(2)), Bytes(record.begin(), record.end()),
                    Bytes(container.begin(), container.end())};
}

}  // namespace bonus::net::overlay
