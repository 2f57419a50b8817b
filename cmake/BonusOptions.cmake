# Language level, warnings and sanitizers, applied to every target of the project through bonus_flags.
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

option(BONUS_PCH "Precompile the standard headers that most files include" ON)
option(BONUS_FUZZ "Build libFuzzer targets instead of corpus replays" OFF)
set(BONUS_SANITIZE "" CACHE STRING "Value for -fsanitize=, or empty")

if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(WARNING "The reference compiler is clang-19; GCC 12 miscompiles aggregate temporaries in co_await statements.")
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

add_library(bonus_flags INTERFACE)
target_include_directories(bonus_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/gen)
target_compile_options(bonus_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wthread-safety -Werror -fno-omit-frame-pointer)
# Asserts guard our own invariants and stay on in release builds.
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELWITHDEBINFO "${CMAKE_CXX_FLAGS_RELWITHDEBINFO}")
if(BONUS_SANITIZE)
  target_compile_options(bonus_flags INTERFACE -fsanitize=${BONUS_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(bonus_flags INTERFACE -fsanitize=${BONUS_SANITIZE})
endif()
if(BONUS_FUZZ)
  target_compile_options(bonus_flags INTERFACE -fsanitize=fuzzer-no-link,address,undefined)
  target_link_options(bonus_flags INTERFACE -fsanitize=address,undefined)
endif()
