// The precompiles from outside: addresses, prices, answers.
#include "bonus/chain/precompiles/precompiles.hpp"

#include <gtest/gtest.h>

#include "bonus/base/uint256.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::chain::precompiles {
namespace {

constexpr std::uint64_t kPlenty = 100'000'000;

Address at(unsigned number) {
  Address out;
  out.bytes[18] = static_cast<std::uint8_t>(number >> 8);
  out.bytes[19] = static_cast<std::uint8_t>(number);
  return out;
}

/// The answer in hexadecimal, or "failed".
std::string answer(unsigned number, std::string_view input, Revision revision = Revision::kOsaka) {
  Bytes output{1, 2, 3};
  const Reply reply = run(at(number), revision, from_hex(input).value(), kPlenty, output);
  if (reply.success) return to_hex(output);
  EXPECT_EQ(reply.gas_used, kPlenty);
  EXPECT_TRUE(output.empty());
  return "failed";
}

std::uint64_t price(unsigned number, std::string_view input, Revision revision) {
  Bytes output;
  const Bytes bytes = from_hex(input).value();
  const Reply reply = run(at(number), revision, bytes, kPlenty, output);
  if (!reply.success) return 0;
  // One unit less is not enough.
  if (reply.gas_used > 0) {
    const Reply poor = run(at(number), revision, bytes, reply.gas_used - 1, output);
    EXPECT_FALSE(poor.success);
    EXPECT_EQ(poor.gas_used, reply.gas_used - 1);
  }
  return reply.gas_used;
}

std::string word(std::string_view digits) { return std::string(64 - digits.size(), '0') + std::string(digits); }
std::string repeat(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Precompiles, AppearWithTheirForks) {
  const auto count = [](Revision revision) {
    const auto all = addresses(revision);
    EXPECT_TRUE(std::ranges::is_sorted(all));
    std::size_t found = 0;
    for (unsigned number = 0; number < 0x1000; ++number) found += is_precompile(at(number), revision) ? 1U : 0U;
    EXPECT_EQ(found, all.size());
    for (const Address& address : all) EXPECT_TRUE(is_precompile(address, revision));
    return found;
  };
  EXPECT_EQ(count(Revision::kFrontier), 4U);
  EXPECT_EQ(count(Revision::kSpuriousDragon), 4U);
  EXPECT_EQ(count(Revision::kByzantium), 8U);
  EXPECT_EQ(count(Revision::kIstanbul), 9U);
  EXPECT_EQ(count(Revision::kShanghai), 9U);
  EXPECT_EQ(count(Revision::kCancun), 10U);
  EXPECT_EQ(count(Revision::kPrague), 17U);
  EXPECT_EQ(count(Revision::kOsaka), 18U);
  Address far = at(1);
  far.bytes[0] = 1;
  EXPECT_FALSE(is_precompile(far, Revision::kOsaka));
  EXPECT_FALSE(is_precompile(Address{}, Revision::kOsaka));
}

TEST(Precompiles, EcrecoverFindsTheSignerAndTakesHighS) {
  crypto::SecretKey256 key;
  key.bytes[31] = 42;
  Hash32 digest;
  digest.bytes[0] = 7;
  const auto signature = crypto::secp256k1_sign(key, digest).value();
  const std::string signer = word(to_hex(crypto::address_of(key).value()));
  const std::string d = to_hex(digest);
  const std::string r = to_hex(signature.r);
  const std::string s = to_hex(signature.s);
  const std::string v = word(signature.recovery == 0 ? "1b" : "1c");
  const std::string other_v = word(signature.recovery == 0 ? "1c" : "1b");
  EXPECT_EQ(answer(1, d + v + r + s), signer);
  EXPECT_EQ(answer(1, d + v + r + s + "ffff"), signer);
  EXPECT_NE(answer(1, d + other_v + r + s), signer);
  // n - s with the other parity is the same signature.
  Hash32 high;
  const auto order = from_hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").value();
  int borrow = 0;
  for (std::size_t i = 32; i-- > 0;) {
    const int difference = order[i] - signature.s.bytes[i] - borrow;
    borrow = difference < 0 ? 1 : 0;
    high.bytes[i] = static_cast<std::uint8_t>(difference + 256 * borrow);
  }
  EXPECT_EQ(answer(1, d + other_v + r + to_hex(high)), signer);
  // Refusals succeed and say nothing.
  EXPECT_EQ(answer(1, d + word("1d") + r + s), "");
  EXPECT_EQ(answer(1, d + word("0") + r + s), "");
  EXPECT_EQ(answer(1, d + "01" + v.substr(2) + r + s), "");
  EXPECT_EQ(answer(1, d + v + word("0") + s), "");
  EXPECT_EQ(answer(1, d + v + r + to_hex(order)), "");
  EXPECT_EQ(answer(1, ""), "");
  EXPECT_EQ(price(1, "", Revision::kOsaka), 3000U);
}

// RIPEMD-160: test values of the authors' page (homes.esat.kuleuven.be/~bosselae/ripemd160.html).
TEST(Precompiles, Hashes) {
  EXPECT_EQ(answer(2, "616263"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(answer(3, ""), word("9c1185a5c5e9fc54612808977ee8f548b2258d31"));
  EXPECT_EQ(answer(3, "616263"), word("8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"));
  EXPECT_EQ(answer(3, repeat("61", 1'000'000)), word("52783243c1697bdbe16d37f97f68f08325dc1528"));
  EXPECT_EQ(answer(3, repeat("31323334353637383930", 8)), word("9b752e45573d4b39f4dbd3323cab82bf63326bfb"));
  EXPECT_EQ(answer(4, "0102"), "0102");
  EXPECT_EQ(price(2, repeat("00", 33), Revision::kFrontier), 60U + 24);
  EXPECT_EQ(price(3, repeat("00", 32), Revision::kFrontier), 600U + 120);
  EXPECT_EQ(price(4, "", Revision::kFrontier), 15U);
  EXPECT_EQ(price(4, "00", Revision::kFrontier), 18U);
}

std::string modexp_input(std::string_view base, std::string_view exponent, std::string_view modulus) {
  const auto length = [](std::string_view digits) {
    return word(
        to_hex(Bytes{static_cast<std::uint8_t>(digits.size() / 512), static_cast<std::uint8_t>(digits.size() / 2)}));
  };
  return length(base) + length(exponent) + length(modulus) + std::string(base) + std::string(exponent) +
         std::string(modulus);
}

TEST(Precompiles, Modexp) {
  // EIP-198's examples: Fermat's little theorem modulo secp256k1's p, with and without the leading base.
  const std::string p_minus_1 = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2e";
  const std::string p = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";
  EXPECT_EQ(answer(5, modexp_input("03", p_minus_1, p)), word("1"));
  EXPECT_EQ(answer(5, modexp_input("", p_minus_1, p)), word("0"));
  EXPECT_EQ(price(5, modexp_input("03", p_minus_1, p), Revision::kByzantium), 13056U);
  EXPECT_EQ(price(5, modexp_input("03", p_minus_1, p), Revision::kBerlin), 1360U);
  EXPECT_EQ(price(5, modexp_input("03", p_minus_1, p), Revision::kOsaka), 4080U);
  // EIP-198: 3^0xffff mod 2^255, call data cut after the 0x80 of the modulus.
  EXPECT_EQ(answer(5, word("1") + word("2") + word("20") + "03ffff80"),
            "3b01b01ac41f2d6e917c6d6a221ce793802469026d9ab7578fa2e79e4da6aaab");
  // EIP-198: an exponent of 2^256 - 1 bytes is too expensive, not too large for us.
  EXPECT_EQ(answer(5, word("0") + word("20") + repeat("f", 64) + p_minus_1 + p, Revision::kByzantium), "failed");
  EXPECT_EQ(answer(5, word("1") + repeat("f", 64) + word("1") + "0302", Revision::kBerlin), "failed");
  // But free when nothing is multiplied.
  EXPECT_EQ(answer(5, word("0") + repeat("f", 64) + word("0"), Revision::kByzantium), "");
  EXPECT_EQ(price(5, word("0") + repeat("f", 64) + word("0"), Revision::kBerlin), 200U);
  // The conventions of EIP-198: 0^0 = 1, modulo 0 is 0.
  EXPECT_EQ(answer(5, modexp_input("00", "00", "05")), "01");
  EXPECT_EQ(answer(5, modexp_input("", "", "05")), "01");
  EXPECT_EQ(answer(5, modexp_input("00", "00", "01")), "00");
  EXPECT_EQ(answer(5, modexp_input("02", "02", "0000")), "0000");
  EXPECT_EQ(answer(5, modexp_input("02", "02", "")), "");
  EXPECT_EQ(answer(5, ""), "");
  EXPECT_EQ(answer(5, modexp_input("0102", "0003", "00000100")), word("8").substr(56));
}

TEST(Precompiles, ModexpAgreesWithRepeatedMultiplication) {
  std::uint64_t seed = 5;
  const auto random = [&](unsigned bits) {
    uint256 out;
    for (auto& limb : out.limb) limb = seed = seed * 6364136223846793005 + 1442695040888963407;
    return out >> (256 - bits);
  };
  for (unsigned i = 0; i < 300; ++i) {
    const uint256 base = random(1 + i * 7 % 256);
    const uint256 exponent = random(1 + i * 11 % 64);
    const uint256 modulus = random(1 + i * 13 % 256);
    uint256 expected = modulus.is_zero() ? uint256() : uint256(1) % modulus;
    for (unsigned bit = 64; bit-- > 0;) {
      expected = mul_mod(expected, expected, modulus);
      if (!((exponent >> bit) & uint256(1)).is_zero()) expected = mul_mod(expected, base, modulus);
    }
    EXPECT_EQ(answer(5, modexp_input(to_hex(base.to_be()), to_hex(exponent.to_be()), to_hex(modulus.to_be()))),
              to_hex(expected.to_be()));
  }
}

TEST(Precompiles, ModexpContinuesWithZeros) {
  // Lengths of 2 bytes, of which the last operand is cut: what is missing is zero.
  const std::string lengths = word("2") + word("2") + word("2");
  for (const std::string_view full : {"0305011704d3", "030501170400", "030501000000", "030500000000", "ff00ff00fb00"}) {
    const std::string expected = answer(5, lengths + std::string(full), Revision::kBerlin);
    std::string cut(full);
    while (cut.ends_with("00")) {
      cut.resize(cut.size() - 2);
      EXPECT_EQ(answer(5, lengths + cut, Revision::kBerlin), expected) << cut;
    }
  }
  // An exponent that runs past the call data; the modulus is then zero.
  EXPECT_EQ(answer(5, word("1") + word("10") + word("2") + "03ff", Revision::kBerlin), "0000");
}

TEST(Precompiles, ModexpBoundsOfOsaka) {
  EXPECT_EQ(answer(5, word("401") + word("1") + word("1")), "failed");
  EXPECT_EQ(answer(5, word("0") + word("401") + word("0")), "failed");
  EXPECT_EQ(answer(5, word("0") + word("0") + word("401")), "failed");
  EXPECT_EQ(answer(5, word("400") + word("1") + word("400")), repeat("00", 1024));
  EXPECT_EQ(price(5, word("401") + word("1") + word("1"), Revision::kPrague), 129U * 129 / 3);
  // EIP-7883: at least 500; beyond 32 bytes complexity doubles, and exponents count 16 per byte.
  EXPECT_EQ(price(5, "", Revision::kOsaka), 500U);
  EXPECT_EQ(price(5, word("21") + word("21") + word("21"), Revision::kOsaka), 2U * 25 * 16);
  EXPECT_EQ(price(5, word("1") + word("60") + word("1"), Revision::kOsaka), 16U * 64 * 16);
  EXPECT_EQ(price(5, word("1") + word("60") + word("1"), Revision::kBerlin), 200U);
  EXPECT_EQ(price(5, word("800") + word("20") + word("1") + "", Revision::kByzantium),
            (2048U * 2048 / 16 + 480 * 2048 - 199680) / 20);
}

// EIP-196: the generator (1, 2) and its multiples.
constexpr std::string_view kTwoG =
    "030644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd3"
    "15ed738c0e0a7c92e7845f96b2ae9c0a68a6a449e3538fc7ff3ebf7a5a18a2c4";

TEST(Precompiles, Bn254Addition) {
  const std::string g = word("1") + word("2");
  const std::string minus_g = word("1") + "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45";
  EXPECT_EQ(answer(6, g + g), kTwoG);
  EXPECT_EQ(answer(7, g + word("2")), kTwoG);
  EXPECT_EQ(answer(6, g), g);
  EXPECT_EQ(answer(6, ""), repeat("00", 64));
  EXPECT_EQ(answer(6, g + minus_g), repeat("00", 64));
  EXPECT_EQ(answer(6, g + g + "ff"), kTwoG);
  EXPECT_EQ(answer(6, word("1") + word("1")), "failed");
  // p itself is not zero.
  EXPECT_EQ(answer(6, "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47" + word("0")), "failed");
  const std::string order = "30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001";
  EXPECT_EQ(answer(7, g + order), repeat("00", 64));
  EXPECT_EQ(answer(7, g), repeat("00", 64));
  // 2^256 - 1 = 5 r + a: scalars are not reduced by the caller.
  EXPECT_EQ(answer(7, g + repeat("f", 64)),
            answer(7, g + "0e0a77c19a07df2f666ea36f7879462e36fc76959f60cd29ac96341c4ffffffa"));
  EXPECT_EQ(price(6, "", Revision::kByzantium), 500U);
  EXPECT_EQ(price(6, "", Revision::kIstanbul), 150U);
  EXPECT_EQ(price(7, "", Revision::kByzantium), 40'000U);
  EXPECT_EQ(price(7, "", Revision::kIstanbul), 6000U);
}

TEST(Precompiles, Bn254Pairing) {
  const std::string g1 = word("1") + word("2");
  const std::string minus_g1 = word("1") + "30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd45";
  const std::string g2 =
      "198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2"
      "1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"
      "090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b"
      "12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa";
  EXPECT_EQ(answer(8, ""), word("1"));
  EXPECT_EQ(answer(8, g1 + g2), word("0"));
  EXPECT_EQ(answer(8, g1 + g2 + minus_g1 + g2), word("1"));
  EXPECT_EQ(answer(8, repeat("00", 64) + g2), word("1"));
  EXPECT_EQ(answer(8, g1 + repeat("00", 128)), word("1"));
  EXPECT_EQ(answer(8, g1 + g2 + "00"), "failed");
  // The real part first is another point, off the curve.
  EXPECT_EQ(answer(8, g1 + g2.substr(64, 64) + g2.substr(0, 64) + g2.substr(192, 64) + g2.substr(128, 64)), "failed");
  // More pairs than one group of the Miller loop.
  EXPECT_EQ(answer(8, repeat(g1 + g2 + minus_g1 + g2, 17)), word("1"));
  EXPECT_EQ(answer(8, repeat(g1 + g2 + minus_g1 + g2, 17) + g1 + g2), word("0"));
  EXPECT_EQ(price(8, g1 + g2, Revision::kByzantium), 180'000U);
  EXPECT_EQ(price(8, g1 + g2, Revision::kIstanbul), 79'000U);
}

// RFC 7693, appendix A: BLAKE2b-512 of "abc"; the input is EIP-152's test vector 5.
constexpr std::string_view kBlakeState =
    "48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5"
    "d182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b";

TEST(Precompiles, Blake2) {
  const std::string rest = std::string(kBlakeState) + "616263" + repeat("00", 125) + "03" + repeat("00", 15);
  EXPECT_EQ(answer(9, "0000000c" + rest + "01"),
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
  EXPECT_EQ(answer(9, "0000000c" + rest + "00"),
            "75ab69d3190a562c51aef8d88f1c2775876944407270c42c9844252c26d28752"
            "98743e7f6d5ea2f2d3e8d226039cd31b4e426ac4f2d3d666a610c2116fde4735");
  EXPECT_EQ(answer(9, "00000000" + rest + "01"),
            "08c9bcf367e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5"
            "d282e6ad7f520e511f6c3e2b8c68059b9442be0454267ce079217e1319cde05b");
  EXPECT_EQ(answer(9, "0000000c" + rest + "02"), "failed");
  EXPECT_EQ(answer(9, "0000000c" + rest), "failed");
  EXPECT_EQ(answer(9, "0000000c" + rest + "0100"), "failed");
  EXPECT_EQ(answer(9, ""), "failed");
  EXPECT_EQ(price(9, "00bc614e" + rest + "01", Revision::kIstanbul), 0xbc614eU);
}

// EIP-4844's example of a true statement, as in the consensus specification's point evaluation tests.
TEST(Precompiles, KzgPointEvaluation) {
  const std::string hash = "01e798154708fe7789429634053cbf9f99b619f9f084048927333fce637f549b";
  const std::string z = "564c0a11a0f704f4fc3e8acfe0f8245f0ad1347b378fbf96e206da11a5d36306";
  const std::string y = "24d25032e67a7e6a4910df5834b8fe70e6bcfeeac0352434196bdf4b2485d5a1";
  const std::string commitment =
      "8f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857bc3a7c2539ea8ec3a952b7";
  const std::string proof =
      "873033e038326e87ed3e1276fd140253fa08e9fc25fb2d9a98527fc22a2c9612fbeafdad446cbc7bcdbdcd780af2c16a";
  const std::string order = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
  EXPECT_EQ(answer(0x0a, hash + z + y + commitment + proof), word("1000") + order);
  EXPECT_EQ(price(0x0a, hash + z + y + commitment + proof, Revision::kCancun), 50'000U);
  EXPECT_EQ(answer(0x0a, hash + y + z + commitment + proof), "failed");
  EXPECT_EQ(answer(0x0a, hash + z + order + commitment + proof), "failed");
  EXPECT_EQ(answer(0x0a, hash + order + y + commitment + proof), "failed");
  EXPECT_EQ(answer(0x0a, hash + z + y + commitment + commitment), "failed");
  EXPECT_EQ(answer(0x0a, hash + z + y + proof + commitment), "failed");  // Not the hash's.
  EXPECT_EQ(answer(0x0a, hash + z + y + commitment + "a7" + proof.substr(2)), "failed");
  EXPECT_EQ(answer(0x0a, hash + z + y + commitment + "07" + proof.substr(2)), "failed");
  EXPECT_EQ(answer(0x0a, hash + z + y + commitment + proof + "00"), "failed");
  EXPECT_EQ(answer(0x0a, ""), "failed");
  // The zero polynomial: commitment and proof are infinity (its hash is well known from empty blobs).
  const std::string infinity = "c0" + repeat("00", 47);
  const std::string infinity_hash = "010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014";
  EXPECT_EQ(answer(0x0a, infinity_hash + z + word("0") + infinity + infinity), word("1000") + order);
  EXPECT_EQ(answer(0x0a, infinity_hash + z + word("1") + infinity + infinity), "failed");
  EXPECT_EQ(answer(0x0a, infinity_hash + z + word("0") + infinity + "e0" + repeat("00", 47)), "failed");
  EXPECT_EQ(answer(0x0a, infinity_hash + z + word("0") + infinity + "c0" + repeat("00", 46) + "01"), "failed");
}

/// 48 bytes as EIP-2537 writes them.
std::string fp(std::string_view digits) { return std::string(128 - digits.size(), '0') + std::string(digits); }

const std::string kBlsG1 =
    fp("17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb") +
    fp("08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1");
const std::string kBlsMinusG1 =
    fp("17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb") +
    fp("114d1d6855d545a8aa7d76c8cf2e21f267816aef1db507c96655b9d5caac42364e6f38ba0ecb751bad54dcd6b939c2ca");
const std::string kBlsTwoG1 =
    fp("0572cbea904d67468808c8eb50a9450c9721db309128012543902d0ac358a62ae28f75bb8f1c7c42c39a8c5529bf0f4e") +
    fp("166a9d8cabc673a322fda673779d8e3822ba3ecb8670e461f73bb9021d5fd76a4c56d9d4cd16bd1bba86881979749d28");
const std::string kBlsG2 =
    fp("024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8") +
    fp("13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e") +
    fp("0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801") +
    fp("0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be");
const std::string kBlsOrder = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001";
/// (0, 2): on the curve, of order 3.
const std::string kBlsStray = fp("0") + fp("2");

TEST(Precompiles, BlsAddition) {
  const std::string none = repeat("00", 128);
  EXPECT_EQ(answer(0x0b, kBlsG1 + kBlsG1), kBlsTwoG1);
  EXPECT_EQ(answer(0x0b, kBlsTwoG1 + kBlsMinusG1), kBlsG1);
  EXPECT_EQ(answer(0x0b, kBlsG1 + kBlsMinusG1), none);
  EXPECT_EQ(answer(0x0b, none + none), none);
  EXPECT_EQ(answer(0x0b, none + kBlsG1), kBlsG1);
  EXPECT_EQ(answer(0x0b, kBlsStray + none), kBlsStray);  // Addition needs no subgroup.
  EXPECT_EQ(answer(0x0b, kBlsG1), "failed");
  EXPECT_EQ(answer(0x0b, kBlsG1 + kBlsG1 + "00"), "failed");
  EXPECT_EQ(answer(0x0b, kBlsG1 + fp("1") + fp("1")), "failed");
  EXPECT_EQ(answer(0x0b, kBlsG1 + "01" + kBlsG1.substr(2)), "failed");  // The padding must be zero.
  const std::string p =
      "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";
  EXPECT_EQ(answer(0x0b, kBlsG1 + fp(p) + fp("2")), "failed");
  EXPECT_EQ(answer(0x0d, kBlsG2 + repeat("00", 256)), kBlsG2);
  EXPECT_EQ(answer(0x0d, kBlsG2 + kBlsG2), answer(0x0e, kBlsG2 + word("2")));
  EXPECT_EQ(answer(0x0d, kBlsG2), "failed");
  EXPECT_EQ(price(0x0b, kBlsG1 + kBlsG1, Revision::kPrague), 375U);
  EXPECT_EQ(price(0x0d, kBlsG2 + kBlsG2, Revision::kPrague), 600U);
}

TEST(Precompiles, BlsMultiplication) {
  const std::string g1 = kBlsG1 + word("2");
  const std::string g2 = kBlsG2 + word("2");
  EXPECT_EQ(answer(0x0c, g1), kBlsTwoG1);
  EXPECT_EQ(answer(0x0c, kBlsG1 + kBlsOrder), repeat("00", 128));
  EXPECT_EQ(answer(0x0e, kBlsG2 + kBlsOrder), repeat("00", 256));
  EXPECT_EQ(answer(0x0c, kBlsMinusG1 + word("1") + kBlsG1 + word("3") + repeat("00", 128) + word("7")), kBlsTwoG1);
  EXPECT_EQ(answer(0x0c, kBlsStray + word("0")), "failed");
  EXPECT_EQ(answer(0x0c, ""), "failed");
  EXPECT_EQ(answer(0x0e, ""), "failed");
  EXPECT_EQ(answer(0x0c, g1 + "00"), "failed");
  // EIP-2537's discounts: 1000, 949, ... 519 and 1000, 1000, ... 524 thousandths.
  EXPECT_EQ(price(0x0c, g1, Revision::kPrague), 12'000U);
  EXPECT_EQ(price(0x0c, repeat(g1, 2), Revision::kPrague), 22'776U);
  EXPECT_EQ(price(0x0c, repeat(g1, 129), Revision::kPrague), 129U * 12 * 519);
  EXPECT_EQ(price(0x0e, g2, Revision::kPrague), 22'500U);
  EXPECT_EQ(price(0x0e, repeat(g2, 2), Revision::kPrague), 45'000U);
  EXPECT_EQ(price(0x0e, repeat(g2, 129), Revision::kPrague), 129U * 22'500 * 524 / 1000);
}

TEST(Precompiles, BlsPairing) {
  EXPECT_EQ(answer(0x0f, kBlsG1 + kBlsG2), word("0"));
  EXPECT_EQ(answer(0x0f, kBlsG1 + kBlsG2 + kBlsMinusG1 + kBlsG2), word("1"));
  EXPECT_EQ(answer(0x0f, repeat(kBlsG1 + kBlsG2, 2) + kBlsTwoG1 + kBlsG2), word("0"));
  EXPECT_EQ(answer(0x0f, repeat(kBlsMinusG1 + kBlsG2, 2) + kBlsTwoG1 + kBlsG2), word("1"));
  EXPECT_EQ(answer(0x0f, repeat("00", 128) + kBlsG2), word("1"));
  EXPECT_EQ(answer(0x0f, kBlsG1 + repeat("00", 256)), word("1"));
  EXPECT_EQ(answer(0x0f, ""), "failed");
  EXPECT_EQ(answer(0x0f, kBlsStray + kBlsG2), "failed");
  EXPECT_EQ(answer(0x0f, kBlsStray + repeat("00", 256)), "failed");
  EXPECT_EQ(price(0x0f, kBlsG1 + kBlsG2, Revision::kPrague), 70'300U);
}

TEST(Precompiles, BlsMaps) {
  // RFC 9380, J.9.1, empty message: the maps of both field elements add up to the point P.
  const std::string a = answer(
      0x10, fp("0ba14bd907ad64a016293ee7c2d276b8eae71f25a4b941eece7b0d89f17f75cb3ae5438a614fb61d6835ad59f29c564f"));
  const std::string b = answer(
      0x10, fp("019b9bd7979f12657976de2884c7cce192b82c177c80e0ec604436a7f538d231552f0d96d9f7babe5fa3b19b3ff25ac9"));
  EXPECT_EQ(answer(0x0b, a + b),
            fp("052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1") +
                fp("08ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265"));
  EXPECT_EQ(answer(0x10, ""), "failed");
  EXPECT_EQ(answer(0x11, fp("1")), "failed");
  EXPECT_EQ(answer(0x11, fp("1") + fp("2")).size(), 512U);
  EXPECT_EQ(answer(0x10, repeat("ff", 64)), "failed");
  EXPECT_EQ(price(0x10, fp("0"), Revision::kPrague), 5500U);
  EXPECT_EQ(price(0x11, fp("0") + fp("0"), Revision::kPrague), 23'800U);
}

TEST(Precompiles, P256) {
  // RFC 6979, A.2.5: key of P-256, message "sample" with SHA-256.
  const std::string digest = "af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf";
  const std::string r = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
  const std::string s = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
  const std::string x = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
  const std::string y = "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
  EXPECT_EQ(answer(0x100, digest + r + s + x + y), word("1"));
  EXPECT_EQ(answer(0x100, digest + s + r + x + y), "");
  EXPECT_EQ(answer(0x100, word("1") + r + s + x + y), "");
  EXPECT_EQ(answer(0x100, digest + r + s + x + y + "00"), "");
  EXPECT_EQ(answer(0x100, digest + word("0") + s + x + y), "");
  EXPECT_EQ(answer(0x100, digest + r + s + word("0") + word("0")), "");
  EXPECT_EQ(answer(0x100, digest + r + s + y + x), "");
  EXPECT_EQ(answer(0x100, ""), "");
  EXPECT_EQ(price(0x100, "", Revision::kOsaka), 6900U);
}

}  // namespace
}  // namespace bonus::chain::precompiles
