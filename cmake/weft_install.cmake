# The package: find_package(weft) gives weft::runtime, weft::link, weft::rpc, weft::test, weft::protoc-gen-weft and weft_generate(), and
# weft::prometheus where prometheus-cpp is, here and there.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/weft")
if(TARGET weft_rpc OR TARGET protoc-gen-weft)
  set(WEFT_NEEDS_GRPC ON)
else()
  set(WEFT_NEEDS_GRPC OFF)
endif()

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/weftConfig.cmake.in" "${PROJECT_BINARY_DIR}/weftConfig.cmake"
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/weftConfigVersion.cmake" COMPATIBILITY SameMinorVersion)

install(EXPORT weft NAMESPACE weft:: FILE weftTargets.cmake DESTINATION "${package_dir}")
if(TARGET weft_prometheus)
  install(EXPORT weft_prometheus NAMESPACE weft:: FILE weftPrometheusTargets.cmake DESTINATION "${package_dir}")
endif()
install(FILES
  "${PROJECT_BINARY_DIR}/weftConfig.cmake"
  "${PROJECT_BINARY_DIR}/weftConfigVersion.cmake"
  "${PROJECT_SOURCE_DIR}/cmake/weft_generate.cmake"
  DESTINATION "${package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" "${PROJECT_SOURCE_DIR}/README.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
