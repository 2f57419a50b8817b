// What bonusd must remember of a container to find it again after kill -9 (docs/formats/vm-state.md).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bonus/compute/api/containers.hpp"
#include "bonus/compute/vm/oci_spec.hpp"

namespace bonus::compute::vm {

struct Record {
  Workload workload;
  ImageConfig image;
  std::vector<Hash32> layers;                                ///< diff_ids, bottom first.
  ContainerStatus status;                                    ///< status.id is the container's.
  bool prepared = false;                                     ///< Its folder is complete: it can be started (again).
  std::uint64_t cpu_ns_before = 0, throttled_ns_before = 0;  ///< Of runs before the present one.
  bool stopping = false;  ///< stop() was asked for: after a restart of bonusd it is only cleaned up.
};

/// One log record: "this is the container now", or "it is gone".
[[nodiscard]] Bytes encode_put(const Record& record);
[[nodiscard]] Bytes encode_remove(const std::string& id);
struct Change {
  std::string id;
  std::optional<Record> record;  ///< None: removed.
};
[[nodiscard]] Result<Change> decode_change(BytesView bytes);

/// [a-z0-9-], 1 to 64, begins with a letter or a digit.
[[nodiscard]] bool is_valid_id(std::string_view id);

}  // namespace bonus::compute::vm
