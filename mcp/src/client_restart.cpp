// A connection that ended by itself and begins again, as often as its transport allows.

#include "client_impl.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace wherry::inline v0::mcp {

using namespace detail;
using boost::system::error_code;

void client::impl::interrupt(error why) {
  if (gone) return;
  if (reopening) {  // it ended while it began again: reopen() decides
    ended_again = why;
    return fail_all(why);
  }
  auto const wait = opened ? over->reopens(why) : std::nullopt;
  if (!wait) return lose(std::move(why));
  ++generation;
  lists.clear();
  why.message += "; it is started again, and whether this call was carried out is not known";
  fail_all(why);
  reopening = std::make_shared<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
  asio::co_spawn(executor, reopen(*wait), [](std::exception_ptr) {});
}

task<result<void>> client::impl::reopened() {
  auto const self = shared_from_this();
  while (auto const ring = reopening) {
    error_code ec;
    co_await ring->async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (gone) break;
    if (reopening == ring) co_return error(errc::cancelled, "the call was cancelled", "mcp.client");
  }
  if (gone) co_return *gone;
  co_return result<void>{};
}

task<void> client::impl::reopen(std::chrono::milliseconds pause_time) {
  auto const self = shared_from_this();
  revision const* known = agreed;
  while (!gone) {
    error_code ec;
    pause.expires_after(pause_time);
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (gone) break;
    ended_again.reset();
    auto begun = co_await begin(known);
    if (gone || (begun && !ended_again)) break;
    known = nullptr;  // it may be another program now
    auto why = begun ? std::move(*ended_again) : std::move(begun).error();
    auto const again = over->reopens(why);
    if (again)
      pause_time = *again;
    else
      lose(std::move(why));
  }
  auto const ring = std::exchange(reopening, nullptr);
  ring->cancel();
  if (gone) co_return;
  agreed = rev;
  tell_of_everything();
}

void client::impl::tell_of_everything() {
  if (watches) {
    std::vector<std::string> uris(watched.begin(), watched.end());
    auto again = watch(std::move(uris));
    asio::co_spawn(executor, std::move(again), [](std::exception_ptr, result<void> const&) {});
  }
  if (!options.changed) return;
  for (auto const* list : {"tools", "prompts", "resources"}) options.changed(list);
  auto const uris = watched;  // the callee may watch more
  for (auto const& uri : uris) options.changed(uri);
}

}  // namespace wherry::inline v0::mcp
