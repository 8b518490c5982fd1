# llhttp: the system's library where there is one (Debian 13: libllhttp-dev); else the C sources that Debian 12 ships
# in node-llhttp, compiled strict. Strict mode is what refuses bare CRs and odd chunk lines (see README.md).
find_package(llhttp QUIET)
if(TARGET llhttp::llhttp_shared)
  add_library(llhttp::llhttp ALIAS llhttp::llhttp_shared)
elseif(TARGET llhttp::llhttp_static)
  add_library(llhttp::llhttp ALIAS llhttp::llhttp_static)
elseif(NOT TARGET llhttp::llhttp)
  find_path(WHERRY_LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp REQUIRED)
  find_path(WHERRY_LLHTTP_HEADERS llhttp.h PATHS /usr/share/include/llhttp REQUIRED)
  add_library(llhttp_strict STATIC ${WHERRY_LLHTTP_SOURCES}/api.c ${WHERRY_LLHTTP_SOURCES}/http.c
                                   ${WHERRY_LLHTTP_SOURCES}/llhttp.c)
  target_include_directories(llhttp_strict SYSTEM PUBLIC ${WHERRY_LLHTTP_HEADERS})
  target_compile_definitions(llhttp_strict PUBLIC LLHTTP_STRICT_MODE=1)
  # Its header values in steps of 16 bytes: a token is one of some hundred. Any x86-64 since 2009 has it (common/daemon).
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(llhttp_strict PRIVATE -msse4.2)
    target_compile_definitions(llhttp_strict PUBLIC WHERRY_NEEDS_SSE42=1)
  endif()
  set_target_properties(llhttp_strict PROPERTIES UNITY_BUILD OFF)  # its files declare the same functions differently
  add_library(llhttp::llhttp ALIAS llhttp_strict)
endif()
