# wherry_room(NAME [PUBLIC libs...] [PRIVATE libs...]): one library target, wherry::NAME, over NAME/src and NAME/include.
# The sources are whatever stands under src/, so that adding a file is all it takes.
function(wherry_room name)
  cmake_parse_arguments(arg "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/*.cpp)
  add_library(wherry_${name} ${sources})
  add_library(wherry::${name} ALIAS wherry_${name})
  set_target_properties(wherry_${name} PROPERTIES EXPORT_NAME ${name} VERSION ${PROJECT_VERSION} SOVERSION 0
    INSTALL_RPATH "$ORIGIN"  # rooms lie side by side
    DEFINE_SYMBOL "")        # objects of a shared library are those of a static one
  target_include_directories(wherry_${name}
    PUBLIC $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>
    PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
  target_compile_features(wherry_${name} PUBLIC cxx_std_20)
  target_link_libraries(wherry_${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  wherry_warnings(wherry_${name})
  install(TARGETS wherry_${name} EXPORT wherry)
  install(DIRECTORY include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endfunction()

# Our taste in warnings, for our own targets only; a consumer never sees it.
function(wherry_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
    -Wno-missing-field-initializers   # option structs are filled by name; the rest keeps its defaults
    # False alarms of gcc 12: Asio's coroutine frames; std::string's replace and insert (GCC bug 105651).
    $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete> $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
    # clang tells of what libstdc++'s stable_sort uses inside.
    $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
  if(WHERRY_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# wherry_tests(ROOM libs...): one Catch2 executable over tests/ROOM/*_test.cpp. Each test case becomes a ctest line, its
# tags are the labels (TestLabels.cmake).
function(wherry_tests room)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${room}_tests ${sources})
  target_link_libraries(${room}_tests PRIVATE ${ARGN} wherry_test_support Catch2::Catch2WithMain)
  target_include_directories(${room}_tests PRIVATE ${PROJECT_SOURCE_DIR}/${room}/src)
  wherry_warnings(${room}_tests)
  catch_discover_tests(${room}_tests TEST_PREFIX "${room}: "
    DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 4)
  set(labels ${CMAKE_CURRENT_BINARY_DIR}/${room}_tests_labels)
  file(GENERATE OUTPUT ${labels}_include.cmake CONTENT "set(EXECUTABLE \"$<TARGET_FILE:${room}_tests>\")
set(PREFIX \"${room}: \")
set(LABELS_FILE \"${labels}.cmake\")
include(\"${PROJECT_SOURCE_DIR}/cmake/TestLabels.cmake\")
")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES ${labels}_include.cmake)
endfunction()
