// Official vectors of BIP-39, BIP-32 and the Web3 Secret Storage definition, and what must be refused.
#include "bonus/crypto/keystore.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "bonus/crypto/bip39_english.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::crypto {
namespace {

Bytes raw(std::string_view text) { return from_hex(text).value(); }

constexpr std::string_view kDevPhrase = "test test test test test test test test test test test junk";

TEST(Bip39, WordListIsTheOfficialOne) {
  std::string lines(kBip39English);
  std::ranges::replace(lines, ' ', '\n');
  lines.push_back('\n');
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2048);
  EXPECT_EQ(to_hex(sha256(as_bytes(lines))), "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
}

TEST(Bip39, OfficialVectors) {
  struct Case {
    const char *entropy, *phrase, *seed;
  };
  const Case cases[] = {
      {"00000000000000000000000000000000",
       "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
       "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e5349553"
       "1f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04"},
      {"7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f",
       "legal winner thank year wave sausage worth useful legal winner thank yellow",
       "2e8905819b8723fe2c1d161860e5ee1830318dbf49a83bd451cfb8440c28bd6f"
       "a457fe1296106559a3c80937a1c1069be3a3a5bd381ee6260e8d9739fce1f607"},
      {"9e885d952ad362caeb4efe34a8e91bd2",
       "ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic",
       "274ddc525802f7c828d8ef7ddbcdc5304e87ac3535913611fbbfa986d0c9e547"
       "6c91689f9c8a54fd55bd38606aa6a8595ad213d4c9c9f9aca3fb217069a41028"},
      {"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
       "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote",
       "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e16"
       "13912f0a5b694407be899ffd31ed3992c456cdf60f5d4564b8ba3f05a69890ad"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(mnemonic_from_entropy(raw(c.entropy)).value(), c.phrase);
    EXPECT_EQ(to_hex(mnemonic_to_seed(c.phrase, "TREZOR").value()), c.seed);
  }
}

TEST(Bip39, EveryLengthRoundTrips) {
  for (const std::size_t size : {16U, 20U, 24U, 28U, 32U}) {
    const Hash32 secret = random_secret();
    const auto phrase = mnemonic_from_entropy(secret.view().first(size)).value();
    EXPECT_EQ(std::ranges::count_if(phrase, [](char c) { return c == ' '; }) + 1,
              static_cast<std::ptrdiff_t>(size / 4 * 3));
    EXPECT_TRUE(mnemonic_to_seed(phrase));
  }
  for (const std::size_t size : {0U, 15U, 17U, 18U, 33U, 64U}) EXPECT_FALSE(mnemonic_from_entropy(Bytes(size)));
}

TEST(Bip39, NamesWhatIsWrong) {
  EXPECT_NE(
      mnemonic_to_seed("test test test test test test test test test test test tezt").error().message.find("'tezt'"),
      std::string::npos);
  EXPECT_NE(
      mnemonic_to_seed("test test test test test test test test test test test test").error().message.find("checksum"),
      std::string::npos);
  EXPECT_NE(mnemonic_to_seed("test junk").error().message.find("2 words"), std::string::npos);
  EXPECT_FALSE(mnemonic_to_seed(""));
  EXPECT_FALSE(mnemonic_to_seed(std::string(100'000, 'a')));
  EXPECT_EQ(mnemonic_to_seed("  test test test test test test\ttest test test test test junk\n").value(),
            mnemonic_to_seed(kDevPhrase).value());
}

TEST(Bip32, OfficialVectorOne) {
  const Bytes seed = raw("000102030405060708090a0b0c0d0e0f");
  const std::pair<const char*, const char*> steps[] = {
      {"m", "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"},
      {"m/0'", "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"},
      {"m/0'/1", "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368"},
      {"m/0h/1/2h", "cbce0d719ecf7431d88e6a89fa1483e02e35092af60c042b1df2ff59fa424dca"},
      {"m/0'/1/2'/2", "0f479245fb19a38a1954c5c7c0ebab2f9bdfd96a17563ef28a6a4b1a2a764ef4"},
      {"m/0'/1/2'/2/1000000000", "471b76e389e528d6de6d816857e012c5455051cad6660850e58372a6c3e6e7c8"},
  };
  for (const auto& [path, key] : steps) EXPECT_EQ(to_hex(derive_key(seed, path).value()), key) << path;
}

TEST(Bip32, RefusesBadPathsAndSeeds) {
  const Bytes seed(32, 7);
  for (const char* path : {"", "44'/60'", "m/", "m//0", "m/-1", "m/2147483648", "m/a", "m/0''", "m/0x1", "mm",
                           "m/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0"}) {
    EXPECT_EQ(derive_key(seed, path).error().code, ErrorCode::kInvalid) << path;
  }
  EXPECT_FALSE(derive_key(Bytes(15), "m"));
  EXPECT_FALSE(derive_key(Bytes(65), "m"));
}

TEST(AccountKey, PublicDevelopmentPhrase) {
  const auto first = account_key(kDevPhrase, 0).value();
  EXPECT_EQ(to_hex(first), "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
  EXPECT_EQ(to_checksum(address_of(first).value()), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  EXPECT_EQ(to_checksum(address_of(account_key(kDevPhrase, 1).value()).value()),
            "0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
}

constexpr std::string_view kSecret = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

std::string pbkdf2_file(std::string_view rounds = "262144") {
  return R"({"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},)"
         R"("ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2",)"
         R"("kdfparams":{"c":)" +
         std::string(rounds) +
         R"(,"dklen":32,"prf":"hmac-sha256",)"
         R"("salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},)"
         R"("mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},)"
         R"("id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3})";
}

std::string scrypt_file(std::string_view n = "262144", std::string_view p = "8") {
  return R"({"Crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},)"
         R"("ciphertext":"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c","kdf":"scrypt",)"
         R"("kdfparams":{"dklen":32,"n":)" +
         std::string(n) + R"(,"r":1,"p":)" + std::string(p) +
         R"(,"salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},)"
         R"("mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},)"
         R"("id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3})";
}

TEST(Keystore, Web3SecretStorageVectors) {
  EXPECT_EQ(to_hex(keystore_decrypt(pbkdf2_file(), "testpassword").value()), kSecret);
  EXPECT_EQ(to_hex(keystore_decrypt(scrypt_file(), "testpassword").value()), kSecret);
  EXPECT_EQ(keystore_decrypt(pbkdf2_file(), "wrong").error().code, ErrorCode::kDenied);
}

TEST(Keystore, RoundTripsAndChecksThePassword) {
  const ScryptCost cheap{.log2_n = 4, .r = 8, .p = 1};
  const SecretKey256 key{random_secret().bytes};
  const std::string file = keystore_encrypt(key, "correct horse", cheap).value();
  EXPECT_EQ(keystore_decrypt(file, "correct horse").value(), key);
  EXPECT_EQ(keystore_decrypt(file, "correct horses").error().code, ErrorCode::kDenied);
  EXPECT_NE(file.find(to_hex(address_of(key).value())), std::string::npos);
  EXPECT_EQ(file.find(to_hex(key)), std::string::npos);
  EXPECT_NE(keystore_encrypt(key, "correct horse", cheap).value(), file) << "salt and iv must be fresh";
  EXPECT_EQ(keystore_decrypt(keystore_encrypt(key, "", cheap).value(), "").value(), key);
  EXPECT_FALSE(keystore_encrypt(SecretKey256{}, "x", cheap));
  EXPECT_FALSE(keystore_encrypt(key, "x", {.log2_n = 31, .r = 8, .p = 1}));
}

TEST(Keystore, BoundsTheCostThatAFileMayAskFor) {
  for (const char* n : {"0", "1", "3", "8388609", "16777216", "18446744073709551615", "-1", "1.5", "\"4\""}) {
    EXPECT_EQ(keystore_decrypt(scrypt_file(n), "testpassword").error().code, ErrorCode::kInvalid) << n;
  }
  for (const char* p : {"0", "4294967296", "1073741824"}) {
    EXPECT_EQ(keystore_decrypt(scrypt_file("262144", p), "testpassword").error().code, ErrorCode::kInvalid) << p;
  }
  for (const char* c : {"0", "10000001", "4294967297"})
    EXPECT_FALSE(keystore_decrypt(pbkdf2_file(c), "testpassword")) << c;
}

TEST(Keystore, RefusesMalformedFiles) {
  const std::string good = pbkdf2_file("1");
  const auto replaced = [&](std::string_view from, std::string_view to) {
    std::string out = good;
    out.replace(out.find(from), from.size(), to);
    return out;
  };
  for (const std::string& file :
       {std::string(), std::string("{"), std::string("[]"), std::string("null"), std::string(100'000, ' '),
        std::string(10'000, '['), replaced("\"version\":3", "\"version\":1"),
        replaced("\"version\":3", "\"version\":\"3\""), replaced("aes-128-ctr", "aes-128-cbc"), replaced("6087", "60"),
        replaced("5318", ""), replaced("517e", "51zz"), replaced("hmac-sha256", "hmac-sha1"),
        replaced("\"dklen\":32", "\"dklen\":16"), replaced("pbkdf2", "none"), replaced("\"salt\"", "\"pepper\""),
        replaced("\"mac\"", "\"tag\"")}) {
    EXPECT_FALSE(keystore_decrypt(file, "testpassword")) << file.substr(0, 400);
  }
  for (std::size_t cut = 0; cut < good.size(); cut += 13) EXPECT_FALSE(keystore_decrypt(good.substr(0, cut), "x"));
}

}  // namespace
}  // namespace bonus::crypto
