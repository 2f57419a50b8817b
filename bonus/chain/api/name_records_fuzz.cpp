// Any bytes as the records of a name: what is accepted has one form, is bounded, and every value reads back from its
// text.
#include <cstdlib>

#include "bonus/chain/api/name_records.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace names = bonus::chain::names;
  const auto records = names::decode_records({data, size});
  if (!records) return 0;
  if (records->size() > names::kMaxRecords || size > names::kMaxRecordsBytes) std::abort();
  const auto again = names::encode_records(*records);
  if (!again || !std::equal(again->begin(), again->end(), data, data + size)) std::abort();
  for (const names::Record& record : *records) {
    const std::string text = names::value_text(record);
    if (text.empty()) std::abort();
    if (record.type() != names::RecordType::kAaaa && record.type() != names::RecordType::kAlias) continue;
    const auto parsed = names::parse_record(record.name, record.type(), record.ttl_s, {text});
    if (!parsed || *parsed != record) std::abort();
  }
  return 0;
}
