# The command with its completions, and the library for programs outside: one archive of all folders below apps/, the public
# headers, and the files by which find_package(smelt) gives them smelt::smelt. Included after all folders were added.
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
  Threads::Threads fmt::fmt PkgConfig::UTF8PROC PkgConfig::PCRE2 PkgConfig::ZSTD PkgConfig::CRYPTO)

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/smelt)
configure_package_config_file(cmake/smeltConfig.cmake.in ${CMAKE_BINARY_DIR}/smeltConfig.cmake INSTALL_DESTINATION ${config_dir})
# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/smeltConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(TARGETS smelt_library EXPORT smeltTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT smeltTargets NAMESPACE smelt:: DESTINATION ${config_dir})
install(FILES ${CMAKE_BINARY_DIR}/smeltConfig.cmake ${CMAKE_BINARY_DIR}/smeltConfigVersion.cmake DESTINATION ${config_dir})
install(DIRECTORY include/smelt DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS smelt RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

# `smelt completions SHELL` prints them; each shell has a folder where it looks, and a file name that it expects.
set(completion_files)
function(smelt_completions shell file destination)
  set(made ${CMAKE_BINARY_DIR}/completions/${file})
  add_custom_command(OUTPUT ${made} COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/completions
    COMMAND smelt completions ${shell} > ${made} DEPENDS smelt VERBATIM)
  set(completion_files ${completion_files} ${made} PARENT_SCOPE)
  install(FILES ${made} DESTINATION ${CMAKE_INSTALL_DATADIR}/${destination})
endfunction()
smelt_completions(bash smelt bash-completion/completions)
smelt_completions(zsh _smelt zsh/site-functions)
smelt_completions(fish smelt.fish fish/vendor_completions.d)
add_custom_target(smelt_completion_files ALL DEPENDS ${completion_files})

install(DIRECTORY share/smelt DESTINATION ${CMAKE_INSTALL_DATADIR})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
