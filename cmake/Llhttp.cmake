# llhttp as the target perigee_llhttp, always in strict mode: the tests' second opinion on HTTP/1.
#
# Debian 12 ships only its C sources (package node-llhttp). Newer distributions have a library, but
# a library that was built loose accepts requests that smuggle others, so the sources are preferred.

find_path(LLHTTP_SOURCE_DIR llhttp.c PATHS /usr/share/llhttp)
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS /usr/share/include/llhttp /usr/include)
if(NOT LLHTTP_SOURCE_DIR OR NOT LLHTTP_INCLUDE_DIR)
  message(FATAL_ERROR "llhttp's C sources were not found: run tools/bootstrap")
endif()
add_library(perigee_llhttp STATIC
  ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c)
target_include_directories(perigee_llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
target_compile_definitions(perigee_llhttp PUBLIC LLHTTP_STRICT_MODE=1)
