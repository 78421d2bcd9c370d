#pragma once
// result<T>: a value or an error.

#include <wherry/core/error.hpp>

#include <boost/system/result.hpp>

namespace wherry::inline v0 {

/// A T, or the error that stood in its way. `if (r)`, `*r`, `r->member`, `r.error()`; `.value()` throws
/// wherry::exception when there is none.
template <class T>
using result = boost::system::result<T, error>;

/// Found by argument-dependent lookup when .value() is called on an error.
[[noreturn]] void throw_exception_from_error(error const& e, boost::source_location const&);

}  // namespace wherry::inline v0
