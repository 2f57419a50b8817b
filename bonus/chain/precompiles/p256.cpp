// Precompile 0x100: verification of ECDSA over NIST P-256 (EIP-7951, FIPS 186-5), by OpenSSL's curve arithmetic.
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include <memory>

#include "bonus/chain/precompiles/internal.hpp"

namespace bonus::chain::precompiles {
namespace {

constexpr std::size_t kInputSize = 160;  // digest, r, s, x, y

template <auto kFree>
struct Freer {
  template <class T>
  void operator()(T* value) const {
    kFree(value);
  }
};
using ContextPtr = std::unique_ptr<BN_CTX, Freer<BN_CTX_free>>;
using PointPtr = std::unique_ptr<EC_POINT, Freer<EC_POINT_free>>;

/// Immutable after it was made; shared by all threads and never freed.
const EC_GROUP* group() {
  static const EC_GROUP* const instance = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  return instance;
}

/// BN_CTX_start() .. BN_CTX_end() as a scope.
class Frame {
 public:
  explicit Frame(BN_CTX* context) : context_(context) { BN_CTX_start(context_); }
  ~Frame() { BN_CTX_end(context_); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  BIGNUM* number() { return BN_CTX_get(context_); }
  BIGNUM* number(BytesView from) {
    BIGNUM* out = BN_CTX_get(context_);
    return out == nullptr ? nullptr : BN_bin2bn(from.data(), static_cast<int>(from.size()), out);
  }

 private:
  BN_CTX* context_;
};

bool verify(BytesView input) {
  const ContextPtr context(BN_CTX_new());
  if (context == nullptr || group() == nullptr) return false;
  BN_CTX* c = context.get();
  Frame frame(c);
  BIGNUM* digest = frame.number(input.first(32));
  BIGNUM* r = frame.number(input.subspan(32, 32));
  BIGNUM* s = frame.number(input.subspan(64, 32));
  BIGNUM* x = frame.number(input.subspan(96, 32));
  BIGNUM* y = frame.number(input.subspan(128, 32));
  BIGNUM* field = frame.number();
  BIGNUM* inverse = frame.number();
  BIGNUM* u1 = frame.number();
  BIGNUM* u2 = frame.number();
  if (u2 == nullptr || y == nullptr) return false;
  const BIGNUM* order = EC_GROUP_get0_order(group());
  if (EC_GROUP_get_curve(group(), field, nullptr, nullptr, c) != 1) return false;
  if (BN_is_zero(r) || BN_is_zero(s) || BN_cmp(r, order) >= 0 || BN_cmp(s, order) >= 0) return false;
  if (BN_cmp(x, field) >= 0 || BN_cmp(y, field) >= 0) return false;

  const PointPtr key(EC_POINT_new(group()));
  const PointPtr sum(EC_POINT_new(group()));
  if (key == nullptr || sum == nullptr) return false;
  // Fails off the curve, and (0, 0) is off the curve: infinity has no affine coordinates.
  if (EC_POINT_set_affine_coordinates(group(), key.get(), x, y, c) != 1) return false;
  if (BN_mod_inverse(inverse, s, order, c) == nullptr) return false;
  if (BN_mod_mul(u1, digest, inverse, order, c) != 1 || BN_mod_mul(u2, r, inverse, order, c) != 1) return false;
  if (EC_POINT_mul(group(), sum.get(), u1, key.get(), u2, c) != 1) return false;
  if (EC_POINT_is_at_infinity(group(), sum.get()) == 1) return false;
  if (EC_POINT_get_affine_coordinates(group(), sum.get(), x, nullptr, c) != 1) return false;
  if (BN_nnmod(y, x, order, c) != 1) return false;
  return BN_cmp(y, r) == 0;
}

}  // namespace

bool p256_verify(BytesView input, Bytes& output) {
  if (input.size() == kInputSize && verify(input)) append_bool(output, true);
  return true;  // A wrong signature is an empty answer, not a failed call.
}

}  // namespace bonus::chain::precompiles
