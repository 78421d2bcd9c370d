#pragma once
// A client's inside. Everything here runs on its executor.

#include <wherry/mcp/client.hpp>
#include <wherry/mcp/json_rpc.hpp>

#include "content_json.hpp"
#include "json_view.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <map>
#include <set>
#include <thread>

namespace wherry::inline v0::mcp {

namespace detail {

namespace asio = boost::asio;

/// The thread that clients without an executor of their own share. It ends when the last of them goes.
class client_loop {
 public:
  static std::shared_ptr<client_loop> shared();
  ~client_loop();
  asio::any_io_executor executor() const;
  bool runs_here() const noexcept;

 private:
  client_loop();
  struct state;
  std::shared_ptr<state> state_;
  std::thread thread_;
};

/// A method with its params, ready to be sent as often as it takes.
struct call_plan {
  std::string method;
  std::string params = "{}";  ///< An object.
  std::string name = {};
  std::vector<std::pair<std::string, std::string>> headers = {};
  request_options options = {};
  bool opens = false;  ///< Part of how a connection begins: does not wait until it has.
};

}  // namespace detail

struct client::impl : std::enable_shared_from_this<client::impl> {
  impl(std::unique_ptr<transport> t, client_options o, std::shared_ptr<detail::client_loop> l,
       detail::asio::any_io_executor e)
      : loop(std::move(l)), executor(std::move(e)), options(std::move(o)), over(std::move(t)), pause(executor) {}

  std::shared_ptr<detail::client_loop> loop;  ///< Null when the executor is the caller's.
  detail::asio::any_io_executor executor;
  client_options options;
  std::unique_ptr<transport> over;

  revision const* rev = nullptr;
  std::atomic<revision const*> agreed{nullptr};  ///< What `rev` was when the connection had begun; from any thread.
  implementation server_info;
  std::string instructions;
  raw_json capabilities{"{}"};

  /// A request without an answer yet.
  struct waiting {
    explicit waiting(detail::asio::any_io_executor const& e) : timer(e) {}
    detail::asio::steady_timer timer;
    std::optional<result<std::string>> outcome;
    std::function<void(double, std::optional<double>, std::string_view)> progress;
    std::chrono::milliseconds time{0};
    deadline last = no_deadline;
  };
  std::map<std::string, std::shared_ptr<waiting>, std::less<>> open;
  std::uint64_t ids = 0;
  std::optional<error> gone;  ///< Why nothing can be sent any more.
  bool retried_revision = false;

  // A connection that begins again (client_restart.cpp).
  bool opened = false;                                    ///< It has begun, once.
  std::atomic<std::uint64_t> generation{0};               ///< How often it has ended by itself since.
  std::shared_ptr<detail::asio::steady_timer> reopening;  ///< While it begins again: cancelled at the end of that.
  std::optional<error> ended_again;                       ///< Meanwhile.
  detail::asio::steady_timer pause;                       ///< Before a further try.
  std::size_t held_up = 0;                                ///< Requests that wait until it has begun.
  bool watches = false;
  std::set<std::string> watched;  ///< Resources.

  /// A list that is kept. `good_until` is in the past when it must be asked for again.
  struct kept_list {
    std::vector<std::string> items;
    std::chrono::steady_clock::time_point good_until{};
  };
  std::map<std::string, kept_list, std::less<>> lists;  ///< By method.

  // ---- the connection (client.cpp)
  /// Begins for the first time.
  task<result<void>> open_up();
  /// Begins; in the era of `known` if that is not null.
  task<result<void>> begin(revision const* known);
  task<result<void>> discover();
  task<result<void>> handshake(revision const& asked);
  /// Keeps what a server said about itself, the first time.
  void keep_about(std::string_view capabilities_json, std::string_view answer, std::string_view about);
  void take(std::string text);
  void fail(std::string const& id, error why);
  void fail_all(error const& why);
  void lose(error why);

  // ---- beginning again (client_restart.cpp)
  /// The connection has ended by itself.
  void interrupt(error why);
  task<void> reopen(std::chrono::milliseconds pause_time);
  /// Waits until the connection has begun again, or will not.
  task<result<void>> reopened();
  void tell_of_everything();

  // ---- requests (client.cpp)
  std::string meta_json(std::string_view given, std::string_view progress_token) const;
  std::string own_capabilities() const;
  /// One request and its answer: the result as raw JSON.
  task<result<std::string>> exchange(detail::call_plan plan);
  /// The same, with the rounds of questions and the task it may turn into: a complete result.
  task<result<std::string>> call(detail::call_plan plan);
  task<result<std::string>> follow_task(std::string made, deadline until);
  task<void> cancel_task(std::string id);
  void notify(std::string_view method, std::string_view params);

  // ---- what the server asks (client_input.cpp)
  task<result<std::string>> answer(std::string method, std::string params);
  task<result<std::string>> answer_all(std::string requests);
  task<void> answer_request(std::string id, std::string method, std::string params);

  // ---- lists (client_lists.cpp)
  task<result<void>> watch(std::vector<std::string> uris);
  task<result<std::vector<std::string>>> list(std::string method, std::string member_name);
};

struct client::holder {
  std::shared_ptr<impl> inside;
  ~holder();
};

namespace detail {

/// Runs work on another executor and comes home with what it gave. Cancellation goes along, and is a result there.
template <class R>
task<R> run_there(asio::any_io_executor where, task<R> work) {
  auto const outcome = std::make_shared<std::optional<R>>();
  auto store = [](task<R> inner, std::shared_ptr<std::optional<R>> into) -> task<void> {
    co_await asio::this_coro::throw_if_cancelled(false);
    into->emplace(co_await std::move(inner));
  };
  auto stored = store(std::move(work), outcome);
  co_await wherry::detail::run_elsewhere(where, std::move(stored));
  co_return std::move(**outcome);
}

}  // namespace detail
}  // namespace wherry::inline v0::mcp
