// The two AEAD libraries behind one interface. OpenSSL 3 spends half of the time of a 1420-byte packet in calls and in
// the set-up of Poly1305 (bench/results.md), which is why there is a second one.
#include "bonus/net/device/cipher.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <cassert>
#include <optional>

#if BONUS_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

namespace bonus::net::device {
namespace {

std::array<std::uint8_t, 12> nonce_of(std::uint64_t counter) {
  std::array<std::uint8_t, 12> nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(counter >> (8 * i));
  return nonce;
}

}  // namespace

// A context keeps the key of its last packet, as packets come in runs of one session; then only the nonce is set.
struct PacketCipher::OpenSsl {
  struct Direction {
    EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
    std::optional<Hash32> key;
    ~Direction() {
      forget();
      EVP_CIPHER_CTX_free(context);
    }
    void forget() {
      if (!key) return;
      OPENSSL_cleanse(key->bytes.data(), key->bytes.size());
      key.reset();
      EVP_CIPHER_CTX_reset(context);  // and wipes its own copy
    }
    void prepare(const Hash32& wanted, std::uint64_t counter, int encrypt) {
      const auto nonce = nonce_of(counter);
      const bool same = key == wanted;
      const int done = EVP_CipherInit_ex(context, key ? nullptr : EVP_chacha20_poly1305(), nullptr,
                                         same ? nullptr : wanted.bytes.data(), nonce.data(), encrypt);
      assert(done == 1);
      if (!same) key = wanted;
    }
  };
  Direction sealing, opening;
};

#if BONUS_IPSEC_MB
struct PacketCipher::MultiBuffer {
  IMB_MGR* manager = nullptr;
  ~MultiBuffer() {
    if (manager != nullptr) free_mb_mgr(manager);
  }
  static std::unique_ptr<MultiBuffer> make() {
    auto out = std::make_unique<MultiBuffer>();
    out->manager = alloc_mb_mgr(0);
    if (out->manager == nullptr) return nullptr;
    IMB_ARCH architecture = IMB_ARCH_NONE;
    init_mb_mgr_auto(out->manager, &architecture);
    // Below AVX-512 its Poly1305 is scalar and OpenSSL's is not.
    if (imb_get_errno(out->manager) != 0 || architecture != IMB_ARCH_AVX512) return nullptr;
    return out;
  }
  // ChaCha20-Poly1305 is done when the job is submitted; nothing is ever left to flush.
  void run(const Hash32& key, std::uint64_t counter, std::uint8_t* data, std::size_t size, std::uint8_t* tag,
           bool encrypt) {
    const auto nonce = nonce_of(counter);
    IMB_JOB* job = IMB_GET_NEXT_JOB(manager);
    *job = IMB_JOB{};
    job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    job->cipher_direction = encrypt ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
    job->chain_order = encrypt ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    job->enc_keys = job->dec_keys = key.bytes.data();
    job->key_len_in_bytes = 32;
    job->src = job->dst = data;
    job->iv = nonce.data();
    job->iv_len_in_bytes = nonce.size();
    job->msg_len_to_cipher_in_bytes = job->msg_len_to_hash_in_bytes = size;
    job->auth_tag_output = tag;
    job->auth_tag_output_len_in_bytes = kTag;
    job->u.CHACHA20_POLY1305.aad = nonce.data();  // of length zero
    job->u.CHACHA20_POLY1305.aad_len_in_bytes = 0;
    job = IMB_SUBMIT_JOB_NOCHECK(manager);
    assert(job != nullptr && job->status == IMB_STATUS_COMPLETED);
  }
};
#else
struct PacketCipher::MultiBuffer {
  static std::unique_ptr<MultiBuffer> make() { return nullptr; }
  void run(const Hash32&, std::uint64_t, std::uint8_t*, std::size_t, std::uint8_t*, bool) {}
};
#endif

PacketCipher::PacketCipher(Backend backend) : openssl_(std::make_unique<OpenSsl>()) {
  if (backend != Backend::kOpenSsl) multi_buffer_ = MultiBuffer::make();
}
PacketCipher::~PacketCipher() = default;

void PacketCipher::forget() {
  openssl_->sealing.forget();
  openssl_->opening.forget();
}

std::string_view PacketCipher::name() const { return multi_buffer_ ? "ipsec-mb" : "openssl"; }

void PacketCipher::seal(const Hash32& key, std::uint64_t counter, std::uint8_t* data, std::size_t size) {
  if (multi_buffer_ && size != 0) {
    multi_buffer_->run(key, counter, data, size, data + size, true);
    return;
  }
  auto& way = openssl_->sealing;
  way.prepare(key, counter, 1);
  int length = 0;
  bool good = size == 0 || EVP_EncryptUpdate(way.context, data, &length, data, static_cast<int>(size)) == 1;
  good = good && EVP_EncryptFinal_ex(way.context, data + size, &length) == 1;
  good = good && EVP_CIPHER_CTX_ctrl(way.context, EVP_CTRL_AEAD_GET_TAG, kTag, data + size) == 1;
  assert(good);
}

bool PacketCipher::open(const Hash32& key, std::uint64_t counter, std::uint8_t* data, std::size_t size) {
  if (multi_buffer_ && size != 0) {
    std::uint8_t tag[kTag];
    multi_buffer_->run(key, counter, data, size, tag, false);
    return CRYPTO_memcmp(tag, data + size, kTag) == 0;
  }
  auto& way = openssl_->opening;
  way.prepare(key, counter, 0);
  int length = 0;
  return EVP_CIPHER_CTX_ctrl(way.context, EVP_CTRL_AEAD_SET_TAG, kTag, data + size) == 1 &&
         (size == 0 || EVP_DecryptUpdate(way.context, data, &length, data, static_cast<int>(size)) == 1) &&
         EVP_DecryptFinal_ex(way.context, data + size, &length) == 1;
}

}  // namespace bonus::net::device
