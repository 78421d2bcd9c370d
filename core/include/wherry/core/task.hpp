#pragma once
// task<T>: the one coroutine type of the public API. It is Asio's awaitable, so it can be awaited from any coroutine of
// an Asio program, raced with `||` and cancelled with Asio's cancellation.

#include <boost/asio/awaitable.hpp>

namespace wherry::inline v0 {

/// A lazily started coroutine that runs on the executor of the coroutine that awaits it.
/// g++ 12.2: give a braced struct a name before passing it to a function that is awaited.
template <class T>
using task = boost::asio::awaitable<T>;

}  // namespace wherry::inline v0
