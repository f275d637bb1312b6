# weft_generate(TARGET <target> PROTOS <file.proto>... [IMPORT_DIRS <dir>...])
#
# Adds the messages (<name>.pb.h, .pb.cc) and the weft clients and services (<name>.weft.hpp, .weft.cpp) of each proto to
# <target>, which is linked with weft::rpc, and generates <name>.weft.fake.hpp, for tests that link weft::test. They are included by the proto's path below its import directory:
#
#   weft_generate(TARGET cards PROTOS proto/lobby/v1/cards.proto IMPORT_DIRS proto)   # <lobby/v1/cards.weft.hpp>
#
# A proto is named relative to an import directory or to the current source directory, which is the default import
# directory, or absolutely. Call it in the directory that creates <target>.
function(weft_generate)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "TARGET" "PROTOS;IMPORT_DIRS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "weft_generate: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  elseif(NOT arg_TARGET)
    message(FATAL_ERROR "weft_generate: TARGET is missing")
  elseif(NOT TARGET ${arg_TARGET})
    message(FATAL_ERROR "weft_generate: there is no target \"${arg_TARGET}\"; create it first")
  elseif(NOT arg_PROTOS)
    message(FATAL_ERROR "weft_generate(TARGET ${arg_TARGET}): PROTOS is missing")
  elseif(NOT TARGET weft::protoc-gen-weft)
    message(FATAL_ERROR "weft_generate(TARGET ${arg_TARGET}): weft was built without protoc-gen-weft")
  endif()

  # The commands below become part of targets of this directory only; elsewhere the files would just be missing.
  get_target_property(target_source_dir ${arg_TARGET} SOURCE_DIR)
  if(NOT target_source_dir STREQUAL CMAKE_CURRENT_SOURCE_DIR)
    message(FATAL_ERROR "weft_generate: call it in ${target_source_dir}, which creates \"${arg_TARGET}\"")
  endif()

  if(NOT arg_IMPORT_DIRS)
    set(arg_IMPORT_DIRS "${CMAKE_CURRENT_SOURCE_DIR}")
  endif()
  set(import_dirs "")
  set(import_flags "")
  foreach(dir IN LISTS arg_IMPORT_DIRS)
    cmake_path(ABSOLUTE_PATH dir NORMALIZE)
    string(REGEX REPLACE "(.)/$" "\\1" dir "${dir}")
    if(NOT IS_DIRECTORY "${dir}")
      message(FATAL_ERROR "weft_generate(TARGET ${arg_TARGET}): no such import directory: ${dir}")
    endif()
    list(APPEND import_dirs "${dir}")
    list(APPEND import_flags "-I${dir}")
  endforeach()

  set(out "${CMAKE_CURRENT_BINARY_DIR}/generated")
  file(MAKE_DIRECTORY "${out}")
  foreach(proto IN LISTS arg_PROTOS)
    weft_find_proto_("${proto}")
    # .pb.cc comes first as in protoc's dependency file: ninja looks there for the first output, and else always runs this.
    set(generated "${out}/${name}.pb.cc" "${out}/${name}.pb.h" "${out}/${name}.weft.cpp" "${out}/${name}.weft.hpp"
      "${out}/${name}.weft.fake.hpp")
    add_custom_command(
      OUTPUT ${generated}
      COMMAND protobuf::protoc ${import_flags}
        "--plugin=protoc-gen-weft=$<TARGET_FILE:weft::protoc-gen-weft>"
        "--cpp_out=${out}" "--weft_out=${out}" "--dependency_out=${out}/${name}.d" "${name}.proto"
      DEPENDS protobuf::protoc weft::protoc-gen-weft
      DEPFILE "${out}/${name}.d"  # the proto and what it imports
      COMMENT "Generating ${name}.pb and ${name}.weft"
      VERBATIM)
    # protoc's code is not ours to mend, and should not depend on a precompiled header of the target's.
    set_source_files_properties("${out}/${name}.pb.cc" PROPERTIES COMPILE_OPTIONS -w SKIP_PRECOMPILE_HEADERS ON)
    target_sources(${arg_TARGET} PRIVATE ${generated})
  endforeach()

  # SYSTEM, for the warnings that protoc's headers cause in those who include them.
  target_include_directories(${arg_TARGET} SYSTEM PUBLIC "$<BUILD_INTERFACE:${out}>")
  if(NOT arg_TARGET STREQUAL "weft_rpc")
    target_link_libraries(${arg_TARGET} PUBLIC weft::rpc)
  endif()
endfunction()

# Part of weft_generate: sets `name` to the path of `proto` below the import directory that holds it, without its extension.
function(weft_find_proto_ proto)
  foreach(dir IN LISTS import_dirs)
    if(EXISTS "${dir}/${proto}")
      set(file "${dir}/${proto}")
      break()
    endif()
  endforeach()
  if(NOT DEFINED file)
    cmake_path(ABSOLUTE_PATH proto NORMALIZE OUTPUT_VARIABLE file)
  endif()
  if(NOT EXISTS "${file}")
    message(FATAL_ERROR "weft_generate(TARGET ${arg_TARGET}): no such proto: ${proto}")
  endif()
  foreach(dir IN LISTS import_dirs)
    cmake_path(IS_PREFIX dir "${file}" NORMALIZE inside)
    if(inside)
      cmake_path(RELATIVE_PATH file BASE_DIRECTORY "${dir}" OUTPUT_VARIABLE relative)
      cmake_path(REMOVE_EXTENSION relative LAST_ONLY)
      set(name "${relative}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "weft_generate(TARGET ${arg_TARGET}): ${proto} is in no import directory: ${import_dirs}")
endfunction()
