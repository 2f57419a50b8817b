// What a test does when the published vectors that it checks are not beside the checkout (docs/testing.md).
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

/// Skips the test and says how many vectors stay unchecked; fails instead when BONUS_REQUIRE_VECTORS is set, as CI sets
/// it.
#define BONUS_NEED_VECTORS(path, count)                                                        \
  do {                                                                                         \
    if (!std::filesystem::exists(path)) {                                                      \
      std::printf("skipped %d vectors: %s absent\n", static_cast<int>(count), (path));         \
      if (std::getenv("BONUS_REQUIRE_VECTORS") != nullptr) FAIL() << (path) << " is required"; \
      GTEST_SKIP();                                                                            \
    }                                                                                          \
  } while (false)
