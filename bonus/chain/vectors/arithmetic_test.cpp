// The arithmetic instructions against GMP: uint256, the plain forms, and both interpreters, with operands from the call
// data and as constants in the code. BONUS_ARITHMETIC_ROUNDS sets how many operands each instruction gets (1500).
#include <gmp.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "bonus/chain/evm/machine.hpp"
#include "bonus/chain/evm/plain_math.hpp"
#include "bonus/chain/vectors/random_program.hpp"

namespace bonus::chain::vectors {
namespace {

using namespace evm;  // The names of the instructions.

/// An integer of any size.
class Integer {
 public:
  Integer() { mpz_init(value_); }
  Integer(const uint256& from) : Integer() {  // NOLINT(google-explicit-constructor): exact
    const Hash32 bytes = from.to_be();
    mpz_import(value_, 32, 1, 1, 0, 0, bytes.bytes.data());
  }
  Integer(const Integer& other) { mpz_init_set(value_, other.value_); }
  Integer& operator=(const Integer& other) {
    mpz_set(value_, other.value_);
    return *this;
  }
  ~Integer() { mpz_clear(value_); }
  [[nodiscard]] mpz_ptr get() { return value_; }
  [[nodiscard]] mpz_srcptr get() const { return value_; }
  [[nodiscard]] int sign() const { return mpz_sgn(value_); }

  /// Modulo 2^256, as the EVM keeps it.
  [[nodiscard]] uint256 word() const {
    Integer low;
    mpz_fdiv_r_2exp(low.value_, value_, 256);
    std::array<std::uint8_t, 32> bytes{};
    std::size_t count = 0;
    std::array<std::uint8_t, 32> digits{};
    mpz_export(digits.data(), &count, 1, 1, 0, 0, low.value_);
    std::copy_n(digits.begin(), count, bytes.end() - static_cast<std::ptrdiff_t>(count));
    return uint256::from_be(bytes);
  }

 private:
  mpz_t value_;
};

Integer two_to(unsigned long bits) {
  Integer out;
  mpz_setbit(out.get(), bits);
  return out;
}
/// Two's complement.
Integer as_signed(const uint256& word) {
  Integer out(word);
  if (mpz_tstbit(out.get(), 255) != 0) mpz_sub(out.get(), out.get(), two_to(256).get());
  return out;
}
uint256 truth(bool value) { return value ? uint256(1) : uint256(); }
/// A shift distance; nothing when it is 256 or more.
std::optional<unsigned long> distance(const uint256& word) {
  if (word >= uint256(256)) return std::nullopt;
  return static_cast<unsigned long>(word.low64());
}

/// The result of the instruction by GMP, from its definition (Yellow Paper, appendix H; EIP-145, 7939). `a` is the top.
uint256 expected(std::uint8_t op, const uint256& a, const uint256& b, const uint256& c) {
  Integer out;
  const Integer x(a), y(b), m(c);
  const Integer sx = as_signed(a), sy = as_signed(b);
  switch (op) {
    case OP_ADD:
      mpz_add(out.get(), x.get(), y.get());
      return out.word();
    case OP_MUL:
      mpz_mul(out.get(), x.get(), y.get());
      return out.word();
    case OP_SUB:
      mpz_sub(out.get(), x.get(), y.get());
      return out.word();
    case OP_DIV:
      if (y.sign() != 0) mpz_tdiv_q(out.get(), x.get(), y.get());
      return out.word();
    case OP_SDIV:
      if (sy.sign() != 0) mpz_tdiv_q(out.get(), sx.get(), sy.get());
      return out.word();
    case OP_MOD:
      if (y.sign() != 0) mpz_tdiv_r(out.get(), x.get(), y.get());
      return out.word();
    case OP_SMOD:  // The sign is that of the dividend.
      if (sy.sign() != 0) mpz_tdiv_r(out.get(), sx.get(), sy.get());
      return out.word();
    case OP_ADDMOD:
      mpz_add(out.get(), x.get(), y.get());
      if (m.sign() == 0) return {};
      mpz_fdiv_r(out.get(), Integer(out).get(), m.get());
      return out.word();
    case OP_MULMOD:
      mpz_mul(out.get(), x.get(), y.get());
      if (m.sign() == 0) return {};
      mpz_fdiv_r(out.get(), Integer(out).get(), m.get());
      return out.word();
    case OP_EXP:
      mpz_powm(out.get(), x.get(), y.get(), two_to(256).get());
      return out.word();
    case OP_SIGNEXTEND: {
      if (a >= uint256(31)) return b;
      const auto bits = static_cast<unsigned long>(8 * (a.low64() + 1));
      mpz_fdiv_r_2exp(out.get(), y.get(), bits);
      if (mpz_tstbit(out.get(), bits - 1) != 0) mpz_sub(out.get(), Integer(out).get(), two_to(bits).get());
      return out.word();
    }
    case OP_LT:
      return truth(mpz_cmp(x.get(), y.get()) < 0);
    case OP_GT:
      return truth(mpz_cmp(x.get(), y.get()) > 0);
    case OP_SLT:
      return truth(mpz_cmp(sx.get(), sy.get()) < 0);
    case OP_SGT:
      return truth(mpz_cmp(sx.get(), sy.get()) > 0);
    case OP_EQ:
      return truth(mpz_cmp(x.get(), y.get()) == 0);
    case OP_ISZERO:
      return truth(x.sign() == 0);
    case OP_AND:
      mpz_and(out.get(), x.get(), y.get());
      return out.word();
    case OP_OR:
      mpz_ior(out.get(), x.get(), y.get());
      return out.word();
    case OP_XOR:
      mpz_xor(out.get(), x.get(), y.get());
      return out.word();
    case OP_NOT:
      mpz_com(out.get(), x.get());
      return out.word();
    case OP_BYTE:
      if (a >= uint256(32)) return {};
      mpz_fdiv_q_2exp(out.get(), y.get(), static_cast<unsigned long>(8 * (31 - a.low64())));
      mpz_fdiv_r_2exp(out.get(), Integer(out).get(), 8);
      return out.word();
    case OP_SHL:
      if (const auto bits = distance(a)) mpz_mul_2exp(out.get(), y.get(), *bits);
      return out.word();
    case OP_SHR:
      if (const auto bits = distance(a)) mpz_fdiv_q_2exp(out.get(), y.get(), *bits);
      return out.word();
    case OP_SAR:
      mpz_fdiv_q_2exp(out.get(), sy.get(), distance(a).value_or(256));
      return out.word();
    case OP_CLZ:
      return x.sign() == 0 ? uint256(256) : uint256(256 - mpz_sizeinbase(x.get(), 2));
    default:
      ADD_FAILURE() << "no definition of instruction " << int{op};
      return {};
  }
}

/// The same by the functions of bonus/base; nothing where there is none.
std::optional<uint256> by_base(std::uint8_t op, const uint256& a, const uint256& b, const uint256& c) {
  const auto bits = static_cast<unsigned>(std::min(a, uint256(256)).low64());
  switch (op) {
    case OP_ADD:
      return a + b;
    case OP_MUL:
      return a * b;
    case OP_SUB:
      return a - b;
    case OP_DIV:
      return a / b;
    case OP_MOD:
      return a % b;
    case OP_SDIV:
      return sdiv(a, b);
    case OP_SMOD:
      return smod(a, b);
    case OP_ADDMOD:
      return add_mod(a, b, c);
    case OP_MULMOD:
      return mul_mod(a, b, c);
    case OP_EXP:
      return exp(a, b);
    case OP_SIGNEXTEND:
      return sign_extend(a, b);
    case OP_LT:
      return truth(a < b);
    case OP_SLT:
      return truth(slt(a, b));
    case OP_SHL:
      return b << bits;
    case OP_SHR:
      return b >> bits;
    case OP_SAR:
      return sar(b, bits);
    case OP_CLZ:
      return uint256(256 - a.bit_length());
    default:
      return std::nullopt;
  }
}

/// Runs code that returns one word.
class Calculator {
 public:
  Calculator() : state_({}), journal_(state_) { block_.revision = Revision::kOsaka; }

  uint256 run(Bytes code, Bytes input, bool reference) {
    const Address address{{0xca}};
    const auto before = journal_.snapshot();
    // A machine keeps programs by code hash; each is another one here.
    const Hash32 hash = uint256(++count_).to_be();
    journal_.set_code(address, std::move(code), hash);
    Machine machine(journal_, block_, {.reference = reference});
    Message message;
    message.gas = 1'000'000;
    message.recipient = message.code_address = address;
    message.input = input;
    const Outcome outcome = machine.run(message);
    EXPECT_EQ(outcome.status, Status::kSuccess);
    EXPECT_EQ(outcome.output.size(), 32u);
    const uint256 result = uint256::from_be(outcome.output);
    journal_.revert(before);
    return result;
  }

 private:
  MemoryState state_;
  state::Journal journal_;
  BlockContext block_;
  std::uint64_t count_ = 0;
};

constexpr std::array<std::uint8_t, 6> kReturnTop{OP_PUSH0, OP_MSTORE, OP_PUSH1, 32, OP_PUSH0, OP_RETURN};

Bytes code_with_constants(std::uint8_t op, std::span<const uint256> operands) {
  Bytes code;
  for (std::size_t i = operands.size(); i-- > 0;) {
    code.push_back(OP_PUSH32);
    append(code, operands[i].to_be());
  }
  code.push_back(op);
  append(code, kReturnTop);
  return code;
}
Bytes code_with_call_data(std::uint8_t op, std::size_t count) {
  Bytes code;
  for (std::size_t i = count; i-- > 0;) {
    code.push_back(OP_PUSH1);
    code.push_back(static_cast<std::uint8_t>(32 * i));
    code.push_back(OP_CALLDATALOAD);
  }
  code.push_back(op);
  append(code, kReturnTop);
  return code;
}

/// Small, near a power of two, or related to the other operand, so that carries, quotient estimates and early exits are
/// met.
uint256 related(Choices& choices, const uint256& other) {
  switch (choices.below(8)) {
    case 0:
      return other;
    case 1:
      return other + uint256(1);
    case 2:
      return uint256() - other;
    case 3:
      return other >> static_cast<unsigned>(choices.below(256));
    case 4:
      return uint256(choices.below(270));
    default:
      return random_word(choices);
  }
}

class Arithmetic : public ::testing::TestWithParam<std::uint8_t> {};

TEST_P(Arithmetic, AgreesWithGmp) {
  const std::uint8_t op = GetParam();
  const char* text = std::getenv("BONUS_ARITHMETIC_ROUNDS");
  const std::uint64_t rounds = text == nullptr ? 1500 : std::strtoull(text, nullptr, 10);
  Calculator calculator;
  Choices choices(op);
  const unsigned pops = op_infos()[op].pops;
  for (std::uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
    const uint256 a = random_word(choices);
    const uint256 b = related(choices, a);
    const uint256 c = related(choices, b);
    const std::array<uint256, 3> all{a, b, c};
    const std::span<const uint256> operands = std::span(all).first(pops);
    const uint256 want = expected(op, a, b, c);
    SCOPED_TRACE(std::string(op_infos()[op].name) + " of " + a.to_quantity() + ", " + b.to_quantity() + ", " +
                 c.to_quantity() + ", expected " + want.to_quantity());
    EXPECT_EQ(plain::compute(op, a, b, c).to_quantity(), want.to_quantity()) << "plain";
    if (const auto got = by_base(op, a, b, c)) EXPECT_EQ(got->to_quantity(), want.to_quantity()) << "uint256";
    Bytes input;
    for (const uint256& operand : operands) append(input, operand.to_be());
    for (const bool reference : {false, true}) {
      EXPECT_EQ(calculator.run(code_with_call_data(op, pops), input, reference).to_quantity(), want.to_quantity())
          << (reference ? "reference" : "fast") << ", operands from the call data";
      EXPECT_EQ(calculator.run(code_with_constants(op, operands), {}, reference).to_quantity(), want.to_quantity())
          << (reference ? "reference" : "fast") << ", constant operands";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Arithmetic,
                         ::testing::Values(OP_ADD, OP_MUL, OP_SUB, OP_DIV, OP_SDIV, OP_MOD, OP_SMOD, OP_ADDMOD,
                                           OP_MULMOD, OP_EXP, OP_SIGNEXTEND, OP_LT, OP_GT, OP_SLT, OP_SGT, OP_EQ,
                                           OP_ISZERO, OP_AND, OP_OR, OP_XOR, OP_NOT, OP_BYTE, OP_SHL, OP_SHR, OP_SAR,
                                           OP_CLZ),
                         [](const auto& item) { return std::string(op_infos()[item.param].name); });

}  // namespace
}  // namespace bonus::chain::vectors
