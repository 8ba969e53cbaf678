# How every target of Perigee is compiled: warnings, sanitizers, one library per folder.

add_library(perigee_options INTERFACE)
target_include_directories(perigee_options INTERFACE ${CMAKE_SOURCE_DIR})
# Warnings stop those who change the code, and nobody who only builds it: another compiler, or
# another level of optimisation, has other warnings.
target_compile_options(perigee_options INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers
  $<$<BOOL:${PERIGEE_TESTS}>:-Werror> -fno-omit-frame-pointer)
# Each lock that is taken is checked against the order of all (base/lock_rank.h), but not in the
# binary that is installed.
if(PERIGEE_TESTS OR CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(perigee_options INTERFACE PERIGEE_CHECK_LOCK_ORDER)
endif()
find_program(PERIGEE_CCACHE ccache)
if(PERIGEE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${PERIGEE_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${PERIGEE_CCACHE})
endif()

if(PERIGEE_SANITIZE STREQUAL "address")
  set(sanitizer_flags -fsanitize=address,undefined -fno-sanitize-recover=undefined)
elseif(PERIGEE_SANITIZE STREQUAL "thread")
  set(sanitizer_flags -fsanitize=thread)
elseif(PERIGEE_SANITIZE)
  message(FATAL_ERROR "PERIGEE_SANITIZE is 'address' or 'thread', not '${PERIGEE_SANITIZE}'")
endif()
if(PERIGEE_FUZZ)
  # Coverage in everything; the engine itself is linked into the targets alone.
  set(sanitizer_flags -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined)
endif()
if(sanitizer_flags)
  list(APPEND sanitizer_flags -O1)
  # GCC's analysis of uninitialised memory is wrong about what the sanitizers insert.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    list(APPEND sanitizer_flags -Wno-maybe-uninitialized)
  endif()
  target_compile_options(perigee_options INTERFACE ${sanitizer_flags})
  target_link_options(perigee_options INTERFACE ${sanitizer_flags})
endif()

# perigee_library(NAME [DIRECTORY dir] [LINKS ...]): all sources of one folder (main.cc apart) as a
# static library perigee_NAME.
function(perigee_library name)
  cmake_parse_arguments(arg "" "DIRECTORY" "LINKS" ${ARGN})
  if(NOT arg_DIRECTORY)
    set(arg_DIRECTORY ${name})
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${arg_DIRECTORY}/*.cc)
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  if(NOT sources)
    add_library(perigee_${name} INTERFACE)
    target_link_libraries(perigee_${name} INTERFACE perigee_options Threads::Threads ${arg_LINKS})
    return()
  endif()
  add_library(perigee_${name} STATIC ${sources})
  target_link_libraries(perigee_${name} PUBLIC perigee_options Threads::Threads ${arg_LINKS})
endfunction()
