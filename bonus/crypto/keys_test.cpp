// Known answers and refusals of the signature, key agreement and VRF functions.
#include "bonus/crypto/keys.hpp"

#include <gtest/gtest.h>

#include "bonus/base/uint256.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::crypto {
namespace {

template <class Fixed>
Fixed hex(std::string_view text) {
  return fixed_from_hex<Fixed>(text).value();
}
Bytes raw(std::string_view text) { return from_hex(text).value(); }

struct Ed25519Case {
  const char *seed, *public_key, *message, *signature;
};

TEST(Ed25519, Rfc8032Vectors) {
  const Ed25519Case cases[] = {
      {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
       "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
       "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
       "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
      {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
       "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
       "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
       "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
  };
  for (const auto& c : cases) {
    const auto pair = Ed25519KeyPair::from_seed(hex<Ed25519Seed>(c.seed));
    EXPECT_EQ(to_hex(pair.public_key()), c.public_key);
    const Bytes message = raw(c.message);
    const auto signature = pair.sign(message);
    EXPECT_EQ(to_hex(signature), c.signature);
    EXPECT_TRUE(ed25519_verify(pair.public_key(), message, signature));
    for (std::size_t i = 0; i < signature.bytes.size(); i += 7) {
      auto changed = signature;
      changed.bytes[i] ^= 1;
      EXPECT_FALSE(ed25519_verify(pair.public_key(), message, changed)) << i;
    }
    EXPECT_FALSE(ed25519_verify(pair.public_key(), as_bytes("other"), signature));
    EXPECT_FALSE(ed25519_verify(Ed25519PublicKey{}, message, signature));
  }
}

TEST(X25519, Rfc7748Vector) {
  const auto secret = hex<X25519Secret>("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
  const auto point = hex<X25519Public>("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
  EXPECT_EQ(to_hex(x25519(secret, point).value()), "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
}

TEST(X25519, BothSidesAgreeAndLowOrderIsRefused) {
  const X25519Secret a{random_secret().bytes};
  const X25519Secret b{random_secret().bytes};
  EXPECT_EQ(x25519(a, x25519_public(b)).value(), x25519(b, x25519_public(a)).value());
  EXPECT_EQ(x25519(a, X25519Public{}).error().code, ErrorCode::kInvalid);
  X25519Public one;
  one.bytes[0] = 1;
  EXPECT_FALSE(x25519(a, one));
}

struct VrfCase {
  const char *seed, *alpha, *proof, *output;
};

const VrfCase kVrfCases[] = {
    // RFC 9381, appendix B.3, examples 16 to 18.
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "",
     "8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d97"
     "27d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805",
     "90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff"
     "66b71dda49d2de59d03450451af026798e8f81cd2e333de5cdf4f3e140fdd8ae"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72",
     "f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed5933bf0864a62558b3ed7f2fea45c92a465"
     "301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02",
     "eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb"
     "5e33821bc613efb94db5e5b54c70a848a0bef4553a41befc57663b56373a5031"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82",
     "9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf8096bb474e53895c362d8628ee9f9ea3c0"
     "e52c7a5c691b6c18c9979866568add7a2d41b00b05081ed0f58ee5e31b3a970e",
     "645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c45"
     "2118fec1219202a0edcf038bb6373241578be7217ba85a2687f7a0310b2df19f"},
};

TEST(Vrf, Rfc9381Vectors) {
  for (const auto& c : kVrfCases) {
    const auto pair = Ed25519KeyPair::from_seed(hex<Ed25519Seed>(c.seed));
    const Bytes alpha = raw(c.alpha);
    const VrfProof proof = pair.vrf_prove(alpha);
    EXPECT_EQ(to_hex(proof), c.proof);
    const auto output = vrf_verify(pair.public_key(), alpha, proof);
    ASSERT_TRUE(output);
    EXPECT_EQ(to_hex(*output), c.output);
  }
}

TEST(Vrf, RefusesEveryChange) {
  const auto pair = Ed25519KeyPair::from_seed(hex<Ed25519Seed>(kVrfCases[2].seed));
  const Bytes alpha = raw(kVrfCases[2].alpha);
  const VrfProof proof = pair.vrf_prove(alpha);
  for (std::size_t bit = 0; bit < 8 * proof.bytes.size(); bit += 3) {
    VrfProof changed = proof;
    changed.bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(vrf_verify(pair.public_key(), alpha, changed)) << bit;
  }
  EXPECT_FALSE(vrf_verify(pair.public_key(), as_bytes("other"), proof));
  EXPECT_FALSE(vrf_verify(Ed25519KeyPair::from_seed(Ed25519Seed{}).public_key(), alpha, proof));
}

TEST(Vrf, RefusesUnreducedScalarsAndWeakPoints) {
  const auto pair = Ed25519KeyPair::from_seed(hex<Ed25519Seed>(kVrfCases[0].seed));
  const VrfProof proof = pair.vrf_prove({});
  // s + L is the same scalar in another encoding: accepting it would make proofs malleable.
  const Bytes order = raw("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  VrfProof changed = proof;
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += static_cast<unsigned>(changed.bytes[48 + i]) + order[i];
    changed.bytes[48 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  EXPECT_FALSE(vrf_verify(pair.public_key(), {}, changed));

  for (const char* point : {"0100000000000000000000000000000000000000000000000000000000000000",
                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                            "0000000000000000000000000000000000000000000000000000000000000000",
                            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
                            "0200000000000000000000000000000000000000000000000000000000000000"}) {
    EXPECT_FALSE(vrf_verify(hex<Ed25519PublicKey>(point), {}, proof)) << point;
    VrfProof other = proof;
    std::ranges::copy(raw(point), other.bytes.begin());
    EXPECT_FALSE(vrf_verify(pair.public_key(), {}, other)) << point;
  }
}

TEST(NodeIdentity, IsTheHashOfDomainAndKey) {
  const auto pair = Ed25519KeyPair::from_seed(Ed25519Seed{});
  Bytes input(as_bytes("bonus/node/v1").begin(), as_bytes("bonus/node/v1").end());
  append(input, pair.public_key());
  EXPECT_EQ(NodeId{sha256(input).bytes}, node_id(pair.public_key()));
}

TEST(Secp256k1, Eip155Example) {
  SecretKey256 key;
  key.bytes.fill(0x46);
  EXPECT_EQ(to_checksum(address_of(key).value()), "0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F");
  const auto digest = hex<Hash32>("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
  const auto signature = secp256k1_sign(key, digest).value();
  EXPECT_EQ(to_hex(signature.r), "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276");
  EXPECT_EQ(to_hex(signature.s), "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83");
  EXPECT_EQ(signature.recovery, 0);
  EXPECT_EQ(secp256k1_recover(digest, signature).value(), address_of(key).value());
}

TEST(Secp256k1, RecoversItsOwnSignatures) {
  for (std::uint8_t i = 1; i < 40; ++i) {
    const SecretKey256 key{keccak256(Bytes{i}).bytes};
    const Hash32 digest = sha256(Bytes{i, 1});
    const auto signature = secp256k1_sign(key, digest).value();
    EXPECT_EQ(secp256k1_recover(digest, signature).value(), address_of(key).value());
    auto other = signature;
    other.recovery ^= 1;
    const auto recovered = secp256k1_recover(digest, other);
    EXPECT_TRUE(!recovered || *recovered != address_of(key).value());
  }
}

TEST(Secp256k1, RefusesBadKeysAndSignatures) {
  const auto order = hex<Hash32>("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
  EXPECT_EQ(address_of(SecretKey256{}).error().code, ErrorCode::kInvalid);
  EXPECT_FALSE(address_of(SecretKey256{order.bytes}));
  EXPECT_FALSE(secp256k1_sign(SecretKey256{order.bytes}, Hash32{}));

  const SecretKey256 key{keccak256({}).bytes};
  const Hash32 digest = sha256({});
  const auto good = secp256k1_sign(key, digest).value();
  auto bad = good;
  bad.s = (uint256::from_be(order) - uint256::from_be(good.s)).to_be();  // The other, high s.
  bad.recovery ^= 1;
  EXPECT_NE(secp256k1_recover(digest, bad).error().message.find("EIP-2"), std::string::npos);
  bad = good;
  bad.r = order;
  EXPECT_FALSE(secp256k1_recover(digest, bad));
  bad.r = Hash32{};
  EXPECT_FALSE(secp256k1_recover(digest, bad));
  bad = good;
  bad.s = Hash32{};
  EXPECT_FALSE(secp256k1_recover(digest, bad));
  bad = good;
  bad.recovery = 2;
  EXPECT_FALSE(secp256k1_recover(digest, bad));
}

TEST(Address, Eip55Examples) {
  for (const char* text :
       {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        "0x52908400098527886E0F7030069857D2E4169EE7", "0xde709f2102306220921060314715629080e2fb77"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(to_checksum(*address), text);
    std::string lower = text;
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(parse_address(lower).value(), *address);
  }
}

TEST(Address, RefusesTyposWithAReason) {
  EXPECT_NE(parse_address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD").error().message.find("EIP-55"),
            std::string::npos);
  EXPECT_NE(parse_address("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed").error().message.find("0x"), std::string::npos);
  EXPECT_NE(parse_address("0x5aAe").error().message.find("40"), std::string::npos);
  EXPECT_FALSE(parse_address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg"));
  EXPECT_FALSE(parse_address(""));
  EXPECT_FALSE(parse_address("0x0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeA"));
}

TEST(PersonalMessage, KnownAnswer) {
  EXPECT_EQ(to_hex(personal_message_hash(as_bytes("hello world"))),
            "d9eba16ed0ecae432b71fe008c98cc872bb4cc214d3220a36f365326cf807d68");
}

}  // namespace
}  // namespace bonus::crypto
