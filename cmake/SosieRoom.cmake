# A room is a folder of src/ and a static library with declared, private dependencies.
#
#   sosie_room(store SOURCES a.cc b.cc USES base index LIBS SQLite::SQLite3 PRECOMPILE <vector> TESTS a_test.cc)
#
# USES names rooms, and only those the table below allows; LIBS names third-party targets. TESTS become one gtest
# binary sosie_<room>_test. Includes are checked against the same table at every build (check_rooms.cmake).
# PRECOMPILE names third-party headers that most files of the room include and that take long to parse. A room's files are compiled several
# at a time (SOSIE_UNITY), unless SEPARATE says that some of them give one name to different things. Files still include what they use: the
# dev preset has neither.
set(SOSIE_MAY_USE_base "")
set(SOSIE_MAY_USE_text base)
set(SOSIE_MAY_USE_index base)
set(SOSIE_MAY_USE_net base)
set(SOSIE_MAY_USE_embed base text net)
set(SOSIE_MAY_USE_redis base net)
set(SOSIE_MAY_USE_store base index net redis)
set(SOSIE_MAY_USE_decide base text)
set(SOSIE_MAY_USE_cache base text index net embed redis store decide)
set(SOSIE_MAY_USE_protocol base text decide)
set(SOSIE_MAY_USE_gateway base text decide protocol cache net)

set(SOSIE_ROOMS base text index net embed redis store decide protocol cache gateway)
set(room_table "")
foreach(room ${SOSIE_ROOMS})
  list(JOIN SOSIE_MAY_USE_${room} "," allowed)
  string(APPEND room_table "${room}=${allowed}/")
endforeach()
add_custom_target(check_rooms ALL
  COMMAND ${CMAKE_COMMAND} "-DROOT=${CMAKE_SOURCE_DIR}" "-DTABLE=${room_table}" -P ${CMAKE_SOURCE_DIR}/cmake/check_rooms.cmake
  COMMENT "Checking that includes point down the room table" VERBATIM)

# What net's headers bring into every file that includes them.
set(SOSIE_ASIO_HEADERS <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/ip/tcp.hpp> <boost/asio/ssl/stream.hpp>
  <boost/asio/steady_timer.hpp>)

# Tests call optimised rooms; optimising the tests themselves is half of their compile time.
function(sosie_unoptimised target)
  target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O0>)
endfunction()

function(sosie_room name)
  cmake_parse_arguments(ARG "SEPARATE" "" "SOURCES;USES;LIBS;PRECOMPILE;TESTS;TEST_LIBS" ${ARGN})
  foreach(used ${ARG_USES})
    if(NOT used IN_LIST SOSIE_MAY_USE_${name})
      message(FATAL_ERROR "room ${name} may not use ${used}: see cmake/SosieRoom.cmake")
    endif()
  endforeach()
  list(TRANSFORM ARG_USES PREPEND sosie_ OUTPUT_VARIABLE rooms)
  add_library(sosie_${name} STATIC ${ARG_SOURCES})
  add_dependencies(sosie_${name} check_rooms)
  target_include_directories(sosie_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
  target_link_libraries(sosie_${name} PRIVATE ${rooms} ${ARG_LIBS})
  if(ARG_PRECOMPILE)
    target_precompile_headers(sosie_${name} PRIVATE ${ARG_PRECOMPILE})
  endif()
  if(NOT ARG_SEPARATE)
    set_target_properties(sosie_${name} PROPERTIES UNITY_BUILD ${SOSIE_UNITY})
  endif()
  if(SOSIE_BUILD_TESTS AND ARG_TESTS)
    add_executable(sosie_${name}_test ${ARG_TESTS})
    target_link_libraries(sosie_${name}_test PRIVATE sosie_${name} ${rooms} ${ARG_LIBS} ${ARG_TEST_LIBS} GTest::gtest GTest::gmock GTest::gtest_main)
    target_precompile_headers(sosie_${name}_test PRIVATE <gtest/gtest.h> ${ARG_PRECOMPILE})
    sosie_unoptimised(sosie_${name}_test)
    gtest_discover_tests(sosie_${name}_test DISCOVERY_TIMEOUT 60 PROPERTIES LABELS unit TIMEOUT 300)
  endif()
endfunction()

# The whole suite of a room once more under each forced instruction set, plain C++ and those of the processor.
#
#   sosie_forced_isas(index X86_64 avx2 avx512 AARCH64 neon)
function(sosie_forced_isas name)
  cmake_parse_arguments(ARG "" "" "X86_64;AARCH64" ${ARGN})
  if(NOT SOSIE_BUILD_TESTS)
    return()
  endif()
  set(isas ${ARG_X86_64})
  if(SOSIE_ON_AARCH64)
    set(isas ${ARG_AARCH64})
  endif()
  foreach(isa scalar ${isas})
    add_test(NAME ${name}_forced_${isa} COMMAND sosie_${name}_test)
    set_tests_properties(${name}_forced_${isa} PROPERTIES ENVIRONMENT SOSIE_FORCE_ISA=${isa} LABELS per_isa TIMEOUT 300)
  endforeach()
endfunction()
