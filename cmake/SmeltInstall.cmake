# The library for programs outside: one archive of all folders below apps/, the public headers, and the files by which
# find_package(smelt) gives them smelt::smelt. Included after all folders were added.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

get_property(folders GLOBAL PROPERTY SMELT_LIBRARY_FOLDERS)
list(TRANSFORM folders REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")
add_library(smelt_library STATIC ${folders})
add_library(smelt::smelt ALIAS smelt_library)
set_target_properties(smelt_library PROPERTIES OUTPUT_NAME smelt EXPORT_NAME smelt)
target_compile_features(smelt_library INTERFACE cxx_std_20)
target_include_directories(smelt_library INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# What the archive's objects call; cmake/smeltConfig.cmake.in finds the same for users. Headers need none of it.
target_link_libraries(smelt_library PRIVATE
  Threads::Threads fmt::fmt PkgConfig::UTF8PROC PkgConfig::PCRE2 PkgConfig::ZSTD)

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/smelt)
configure_package_config_file(cmake/smeltConfig.cmake.in ${CMAKE_BINARY_DIR}/smeltConfig.cmake INSTALL_DESTINATION ${config_dir})
# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/smeltConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(TARGETS smelt_library EXPORT smeltTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT smeltTargets NAMESPACE smelt:: DESTINATION ${config_dir})
install(FILES ${CMAKE_BINARY_DIR}/smeltConfig.cmake ${CMAKE_BINARY_DIR}/smeltConfigVersion.cmake DESTINATION ${config_dir})
install(DIRECTORY include/smelt DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
