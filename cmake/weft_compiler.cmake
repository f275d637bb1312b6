# How weft itself is compiled. What its users must share (C++20, WEFT_DEBUG) is on the targets instead.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)  # an engine may load weft inside a shared library

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  message(WARNING
    "g++ ${CMAKE_CXX_COMPILER_VERSION} miscompiles coroutines: some never finish (co_await in the condition of an "
    "if, while or switch, in a body without local variables), others destroy temporaries of a co_await expression "
    "twice. weft itself avoids these patterns, your code may not. The project's compiler is clang++-19: "
    "-DCMAKE_CXX_COMPILER=clang++-19")
endif()

add_compile_options(
  "$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Woverloaded-virtual>"
  "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wshadow;-Wimplicit-fallthrough>"
  # False positives of g++ 12: in optimised code (GCC PR 105562, PR 105651), and for a coroutine's frame that holds a lambda.
  "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-maybe-uninitialized;-Wno-restrict;-Wno-subobject-linkage>")
# A hot function that begins within a cache line takes one more of them: where it happens to lie moved calls over a session by 5%.
add_compile_options("$<$<CONFIG:Release>:-falign-functions=64>")
if(WEFT_WERROR)
  add_compile_options(-Werror)
endif()

if(WEFT_SANITIZE)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    # A co_await that finishes at once would grow the stack, and a long loop of them overflow it.
    message(FATAL_ERROR "WEFT_SANITIZE needs clang: under sanitizers g++ makes no tail call of symmetric transfer")
  endif()
  # Without vptr: it opens a pipe to see whether an object can be read, and so reports any without descriptors left.
  add_compile_options(-fsanitize=${WEFT_SANITIZE} -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${WEFT_SANITIZE})
endif()

if(WEFT_HARDENING)
  add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -D_GLIBCXX_ASSERTIONS -fstack-protector-strong)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_compile_options(-fcf-protection)
  endif()
  add_link_options(-Wl,-z,relro,-z,now)
endif()

# The rest is a matter of taste, which a project that includes this one decides for itself.
if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()

find_program(WEFT_CCACHE ccache)
if(WEFT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Without these ccache refuses whatever uses a precompiled header.
  set(launcher "${CMAKE_COMMAND}" -E env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${WEFT_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  add_compile_options(
    "$<$<COMPILE_LANG_AND_ID:CXX,Clang>:SHELL:-Xclang -fno-pch-timestamp>"
    "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>")
endif()

find_program(WEFT_MOLD mold)
if(WEFT_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
