# Instead of find_package, for a build of base/, tensor/ and kernels/ alone on a system whose libraries are for another
# processor: fmt and nlohmann-json are used as headers, GoogleTest is compiled from the source that Debian ships.
find_package(Threads REQUIRED)
add_library(fmt::fmt INTERFACE IMPORTED)
target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY)
add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED)
if(SMELT_TESTS)
  set(SMELT_GOOGLETEST /usr/src/googletest CACHE PATH "GoogleTest's source (package googletest)")
  add_subdirectory(${SMELT_GOOGLETEST} ${CMAKE_BINARY_DIR}/googletest EXCLUDE_FROM_ALL)
  target_compile_options(gtest PRIVATE -w)
  enable_testing()
endif()
