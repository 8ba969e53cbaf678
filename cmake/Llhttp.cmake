# llhttp as the target perigee_llhttp, always strict: it parses HTTP/1.
#
# A system library of version 9 or later is strict unless a program asks otherwise. Debian 12 has
# only the C sources of 8.1 (package node-llhttp), which must be compiled strict: a loose one
# accepts requests that smuggle others.

pkg_check_modules(llhttp QUIET IMPORTED_TARGET libllhttp>=9)
if(llhttp_FOUND)
  message(STATUS "llhttp ${llhttp_VERSION} of the system")
  add_library(perigee_llhttp INTERFACE)
  target_link_libraries(perigee_llhttp INTERFACE PkgConfig::llhttp)
  return()
endif()

find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp)
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/share/include/llhttp)
if(NOT LLHTTP_SOURCE_DIR OR NOT LLHTTP_INCLUDE_DIR)
  message(FATAL_ERROR "llhttp was not found: run tools/bootstrap")
endif()
add_library(perigee_llhttp STATIC
  ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c)
target_include_directories(perigee_llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
target_compile_definitions(perigee_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
target_compile_options(perigee_llhttp PRIVATE ${sanitizer_flags})
