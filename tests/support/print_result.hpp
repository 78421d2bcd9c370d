#pragma once
// Lets Catch2 print any result<T>: "a value", or the error. Included before every test source.

#include <wherry/core/result.hpp>

#include <catch2/catch_tostring.hpp>

template <class T>
struct Catch::StringMaker<boost::system::result<T, wherry::error>> {
  static std::string convert(boost::system::result<T, wherry::error> const& r) {
    return r ? "a value" : "error: " + wherry::to_string(r.error());
  }
};
