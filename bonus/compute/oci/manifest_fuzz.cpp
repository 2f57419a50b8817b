// Everything of this folder that parses foreign bytes: manifests, configurations, names, ranges, catalogue records.
#include "bonus/compute/oci/catalog.hpp"
#include "bonus/compute/oci/manifest.hpp"
#include "bonus/compute/oci/names.hpp"
#include "bonus/compute/oci/route.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus;
  using namespace bonus::compute::oci;
  if (size == 0) return 0;
  const BytesView in(data + 1, size - 1);
  const auto text = as_text(in);
  switch (data[0]) {
    case 'm': {
      const auto manifest = parse_manifest(in, {});
      if (!manifest) break;
      if (manifest->layers.size() > kMaxLayers || manifest->manifests.size() > kMaxIndexEntries) __builtin_trap();
      if (manifest->is_index)
        (void)pick_platform(*manifest, this_platform());
      else
        (void)make_image({}, *manifest,
                         {.platform = this_platform(),
                          .entrypoint = {},
                          .cmd = {},
                          .env = {},
                          .working_directory = {},
                          .user = {},
                          .exposed_ports = {},
                          .diff_ids = std::vector<Hash32>(manifest->layers.size())},
                         this_platform());
      break;
    }
    case 'c': {
      const auto config = parse_config(in);
      if (config && config->diff_ids.size() > kMaxLayers) __builtin_trap();
      break;
    }
    case 'n': {
      if (const auto digest = parse_digest(text); digest && digest_text(*digest) != text) __builtin_trap();
      if (const auto reference = parse_reference(text); reference && !valid_repository(reference->repository))
        __builtin_trap();
      break;
    }
    case 'r': {
      const auto route = parse_route(text);
      if (route && !route->repository.empty() && !valid_repository(route->repository)) __builtin_trap();
      for (const std::uint64_t length : {0ULL, 1ULL, 1000ULL}) {
        const auto range = parse_range(text, length);
        if (range && *range && ((*range)->first > (*range)->last || (*range)->last >= length)) __builtin_trap();
      }
      (void)parse_content_range(text);
      break;
    }
    case 'k': {
      const auto record = decode_catalog_record(in);
      if (!record) break;
      // What was understood is written again such that it reads the same.
      const auto again = decode_catalog_record(encode(*record));
      if (!again || *again != *record) __builtin_trap();
      break;
    }
    default:
      break;
  }
  return 0;
}
