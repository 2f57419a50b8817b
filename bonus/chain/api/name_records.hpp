// The records of a .bonus name as its owner keeps them in the Names contract: one versioned, canonical byte string of
// at most 1 KiB (docs/formats/names.md).
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::chain::names {

inline constexpr std::size_t kMaxRecordsBytes = 1024;
inline constexpr std::size_t kMaxRecords = 32;
inline constexpr std::uint32_t kMaxTtlSeconds = 604'800;  ///< A week.
inline constexpr std::size_t kMaxTextBytes = 255;         ///< One character-string of RFC 1035, section 3.3.14.
inline constexpr std::size_t kMaxLabelBytes = 63;
inline constexpr std::size_t kMaxRelativeBytes = 100;  ///< Of the name below, "_http._tcp".
inline constexpr std::size_t kMaxTargetBytes = 128;    ///< Of what SRV and ALIAS point to.

enum class RecordType : std::uint8_t { kAaaa = 1, kTxt = 2, kSrv = 3, kAlias = 4, kNodeKey = 5 };

/// An address of the overlay (fd00::/8) or of the Internet (2000::/3).
struct Aaaa {
  net::Ipv6 address;
  friend auto operator<=>(const Aaaa&, const Aaaa&) = default;
};
struct Txt {
  Bytes text;  ///< 1 to 255 bytes of anything.
  friend auto operator<=>(const Txt&, const Txt&) = default;
};
/// RFC 2782.
struct Srv {
  std::uint16_t priority = 0, weight = 0, port = 0;  ///< Port 1..65535.
  std::string target;  ///< "web.alice.bonus": under .bonus, lower case, no dot at the end.
  friend auto operator<=>(const Srv&, const Srv&) = default;
};
/// Answers with the addresses of another name, as CNAME does, but may stand at the name itself.
struct Alias {
  std::string target;  ///< As in Srv: "lease-42.bonus", "<node id>.bonus", "bob.bonus".
  friend auto operator<=>(const Alias&, const Alias&) = default;
};
/// The name stands for this node: it answers with the overlay address of the key (net::overlay_address of its node id).
struct NodeKey {
  Ed25519PublicKey key;
  friend auto operator<=>(const NodeKey&, const NodeKey&) = default;
};

struct Record {
  std::string name;  ///< Below the registered name: "" is the name itself, "www", "_http._tcp".
  std::uint32_t ttl_s = 300;
  std::variant<Aaaa, Txt, Srv, Alias, NodeKey> data;
  [[nodiscard]] RecordType type() const { return static_cast<RecordType>(data.index() + 1); }
  friend bool operator==(const Record&, const Record&) = default;
};
using NameRecords = std::vector<Record>;

/// Sorted by (name, type, value); no two may be equal but for their TTL; at a name with an ALIAS there is no other
/// ALIAS, no AAAA and no NODEKEY. kInvalid names the record and what is wrong; kExhausted above kMaxRecords or
/// kMaxRecordsBytes. No records at all are no bytes at all.
[[nodiscard]] Result<Bytes> encode_records(NameRecords records);
/// Accepts exactly what encode_records() makes. kInvalid.
[[nodiscard]] Result<NameRecords> decode_records(BytesView encoded);

/// "AAAA", "TXT", "SRV", "ALIAS", "NODEKEY".
[[nodiscard]] std::string_view to_string(RecordType type);
/// Both cases. kInvalid lists what there is.
[[nodiscard]] Result<RecordType> parse_record_type(std::string_view text);
/// The value as a zone file would have it: "fd00::1", "\"text\"", "0 5 80 web.alice.bonus", hexadecimal of a key.
[[nodiscard]] std::string value_text(const Record& record);
/// The inverse, from the words of a command line ("0", "5", "80", "web.alice.bonus"); text stands for itself. kInvalid.
[[nodiscard]] Result<Record> parse_record(std::string_view name, RecordType type, std::uint32_t ttl_s,
                                          const std::vector<std::string>& words);

}  // namespace bonus::chain::names
