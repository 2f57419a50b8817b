// The version of this build, from the project's CMakeLists.txt.
#pragma once

#include <string_view>

namespace bonus::node {

#ifndef BONUS_VERSION
#error "BONUS_VERSION comes from CMake"
#endif
inline constexpr std::string_view kVersion = BONUS_VERSION;

}  // namespace bonus::node
