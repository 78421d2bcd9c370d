// One holder, any number of relays. See memory_server.hpp.

#include <wherry/core/detail/owned_fd.hpp>
#include <wherry/core/runtime.hpp>
#include <wherry/mcp/json_rpc.hpp>
#include <wherry/mcp/memory_server.hpp>
#include <wherry/mcp/revision.hpp>

#include "content_json.hpp"
#include "json_view.hpp"
#include "line_splitter.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <csignal>
#include <optional>
#include <set>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace wherry::inline v0::mcp {

namespace asio = boost::asio;
using namespace detail;
using boost::system::error_code;
using wherry::detail::owned_fd;

namespace {

constexpr auto look_again = std::chrono::milliseconds(20);  // between two tries to find or become the holder
constexpr std::size_t hello_bytes_max = 64 * 1024;
constexpr std::size_t relays_max = 64;
constexpr auto hello_time_ms = 2'000;
constexpr auto hello_time = std::chrono::milliseconds(hello_time_ms);

/// The socket's address; a long path is reached through the directory's descriptor, which must stay open meanwhile.
struct socket_address {
  owned_fd directory;
  sockaddr_un where{};

  explicit socket_address(std::filesystem::path const& dir) {
    where.sun_family = AF_UNIX;
    auto path = (dir / "mcp.sock").string();
    if (path.size() >= sizeof where.sun_path) {
      directory = owned_fd(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
      path = "/proc/self/fd/" + std::to_string(directory.get()) + "/mcp.sock";
    }
    path.copy(where.sun_path, sizeof where.sun_path - 1);
  }
  sockaddr const* get() const noexcept { return reinterpret_cast<sockaddr const*>(&where); }
};

bool same_owner(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

bool write_all(int fd, std::string_view text, int time_ms) {
  while (!text.empty()) {
    auto const n = ::write(fd, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      pollfd p{fd, POLLOUT, 0};
      if (::poll(&p, 1, time_ms) > 0) continue;
    }
    return false;
  }
  return true;
}

// ---------------------------------------------------------------- what a relay says first

std::string hello_line(shared_store_options const& o) {
  std::string out = "{";
  put_string(out, "tenant", o.scope.tenant);
  put_string(out, "user", o.scope.user);
  put_string(out, "agent", o.scope.agent);
  put_string(out, "profile", o.profile);
  return out + "}\n";
}

struct hello {
  scope_name scope;
  std::string profile;
};

/// One line, and nothing behind it: a relay waits for the word that it may go on.
task<result<hello>> read_hello(std::shared_ptr<owned_fd> socket) {
  asio::posix::stream_descriptor in(co_await asio::this_coro::executor, ::dup(socket->get()));
  std::string text;
  char buffer[4096];
  while (!text.ends_with('\n')) {
    if (text.size() > hello_bytes_max) co_return error(errc::limit_reached, "a relay's first line is too long");
    error_code ec;
    auto const n = co_await in.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return error(errc::io_failed, "a relay left before it said whom it relays for");
    text.append(buffer, n);
  }
  text.pop_back();
  if (check_json(text, 16) || !is_object(text)) co_return error(errc::parse_error, "a relay's first line is no object");
  hello out;
  out.scope = {.tenant = string_member(text, "tenant").value_or(""),
               .user = string_member(text, "user").value_or(""),
               .agent = string_member(text, "agent").value_or("")};
  out.profile = string_member(text, "profile").value_or("");
  co_return out;
}

// ---------------------------------------------------------------- the holder

using server_maker = std::function<server(scope_handle, std::string const&)>;

/// Serves one relay to its end. One that does not say in time what it is there for is let go.
task<void> serve_relay(std::shared_ptr<owned_fd> socket, store db, server_maker make) {
  auto const until = std::chrono::steady_clock::now() + hello_time;
  auto said = co_await with_deadline(read_hello(socket), until, "a relay's first line");
  if (!said || !write_all(socket->get(), "ready\n", 0)) co_return;  // it fits into a buffer that nothing is in
  stdio_options options{.input = socket->get(), .output = socket->get()};
  auto s = make(db.scope(said->scope), said->profile);
  auto served = co_await async_serve_stdio(std::move(s), options);
  (void)served;  // how a relay's connection ended is the relay's business
}

/// Serves relays beside the own client. Each is a connection on the holder's loop.
task<void> accept_relays(int listening, store db, server_maker make) {
  auto const executor = co_await asio::this_coro::executor;
  asio::posix::stream_descriptor waiting(executor, ::dup(listening));
  auto const under_way = std::make_shared<std::size_t>(0);
  for (;;) {
    error_code ec;
    co_await waiting.async_wait(asio::posix::stream_descriptor::wait_read,
                                asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return;
    auto socket = std::make_shared<owned_fd>(::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!*socket || !same_owner(socket->get()) || *under_way >= relays_max) continue;
    ++*under_way;
    asio::co_spawn(executor, serve_relay(socket, db, make), [under_way](std::exception_ptr) { --*under_way; });
  }
}

result<owned_fd> listen_in(std::filesystem::path const& dir) {
  socket_address const at(dir);
  owned_fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ::unlink(at.where.sun_path);  // whoever holds the store holds this name too: what lies there is a dead holder's
  auto const old_mask = ::umask(0177);
  bool const bound = socket && ::bind(socket.get(), at.get(), sizeof at.where) == 0;
  ::umask(old_mask);
  if (!bound || ::listen(socket.get(), 64) != 0)
    return error(std::error_code(errno, std::generic_category()), "cannot listen in the store's directory",
                 "mcp.serve_shared_store", dir.string());
  return socket;
}

/// Lines that bring a new server to where the client's session stands.
struct replay {
  std::string initialize, initialized;
  std::set<std::string> open;  ///< Ids of requests without an answer.
  bool input_ended = false;
  std::string unfinished;  ///< The beginning of a line of the client that had not ended.
};

/// Serves as holder: the client's lines come through a pipe, so that what was begun elsewhere can be put before them.
result<void> hold(shared_store_options const& o, store db, replay& past);

// ---------------------------------------------------------------- the relay

std::optional<owned_fd> reach_holder(shared_store_options const& o) {
  socket_address const at(o.directory);
  owned_fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket || ::connect(socket.get(), at.get(), sizeof at.where) != 0 || !same_owner(socket.get()))
    return std::nullopt;
  if (!write_all(socket.get(), hello_line(o), hello_time_ms)) return std::nullopt;
  std::string word;
  char c = 0;
  while (word.size() < 16) {
    pollfd p{socket.get(), POLLIN, 0};
    if (::poll(&p, 1, hello_time_ms) <= 0 || ::read(socket.get(), &c, 1) != 1) return std::nullopt;
    if (c == '\n') break;
    word += c;
  }
  if (word != "ready") return std::nullopt;
  return socket;
}

/// Notes what a line of the client means for a later holder.
void note_from_client(replay& past, std::string_view line) {
  auto const read = read_rpc(line);
  if (!read) return;
  if (read->kind == rpc_message::kind_type::request) {
    past.open.emplace(read->id);
    if (read->method == "initialize") past.initialize = std::string(line);
  } else if (read->kind == rpc_message::kind_type::notification && read->method == "notifications/initialized") {
    past.initialized = std::string(line);
  }
}

void note_from_holder(replay& past, std::string_view line) {
  auto const read = read_rpc(line);
  if (read && (read->kind == rpc_message::kind_type::result || read->kind == rpc_message::kind_type::error))
    past.open.erase(std::string(read->id));
}

/// Answers what a dead holder left open.
void answer_open(shared_store_options const& o, replay& past) {
  for (auto const& id : past.open) {
    auto const text = rpc_error(id, rpc_code::internal_error,
                                "the process that held the store ended before it answered; what it acknowledged is on "
                                "disk, this call may or may not have happened") +
                      "\n";
    write_all(o.stdio.output, text, 1000);
  }
  past.open.clear();
}

/// Begins the client's session again with a new server at the other end of `fd`; its answer is not the client's
/// business.
bool begin_again(int fd, replay const& past, line_splitter& lines, std::string& to_client) {
  if (past.initialize.empty()) return true;
  if (!write_all(fd, past.initialize + "\n", 1000)) return false;
  bool answered = false;
  char buffer[16 * 1024];
  while (!answered) {
    pollfd p{fd, POLLIN, 0};
    if (::poll(&p, 1, 2000) <= 0) return false;
    auto const n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) return false;
    lines.feed(
        {buffer, static_cast<std::size_t>(n)},
        [&](std::string_view line) {
          if (!answered)
            answered = true;
          else
            to_client.append(line).push_back('\n');
        },
        [] {});
  }
  return past.initialized.empty() || write_all(fd, past.initialized + "\n", 1000);
}

enum class relay_end { input_ended, holder_gone, failed };

/// Moves lines between the client and whatever is at the other end of `fd`.
relay_end move_lines(shared_store_options const& o, int fd, replay& past) {
  line_splitter from_client(message_bytes_max_default), from_holder(message_bytes_max_default);
  std::string to_client, to_holder;
  if (!begin_again(fd, past, from_holder, to_client)) return relay_end::holder_gone;
  if (!write_all(o.stdio.output, to_client, 1000)) return relay_end::failed;
  if (!past.unfinished.empty()) {
    auto const begun = std::exchange(past.unfinished, {});
    from_client.feed(begun, [](std::string_view) {}, [] {});
  }
  std::string buffer(64 * 1024, '\0');
  for (;;) {
    pollfd p[2] = {{past.input_ended ? -1 : o.stdio.input, POLLIN, 0}, {fd, POLLIN, 0}};
    if (::poll(p, 2, -1) < 0 && errno != EINTR) return relay_end::failed;
    if (p[1].revents != 0) {
      auto const n = ::read(fd, buffer.data(), buffer.size());
      if (n <= 0) {
        past.unfinished = from_client.rest();
        return past.input_ended ? relay_end::input_ended : relay_end::holder_gone;
      }
      to_client.clear();
      from_holder.feed(
          {buffer.data(), static_cast<std::size_t>(n)},
          [&](std::string_view line) {
            note_from_holder(past, line);
            to_client.append(line).push_back('\n');
          },
          [] {});
      if (!write_all(o.stdio.output, to_client, static_cast<int>(o.stdio.write_time.count()))) return relay_end::failed;
    }
    if (p[0].revents != 0) {
      auto const n = ::read(o.stdio.input, buffer.data(), buffer.size());
      if (n <= 0) {
        past.input_ended = true;
        ::shutdown(fd, SHUT_WR);  // the holder answers what is under way, then ends the connection
        continue;
      }
      to_holder.clear();
      from_client.feed(
          {buffer.data(), static_cast<std::size_t>(n)},
          [&](std::string_view line) {
            note_from_client(past, line);
            to_holder.append(line).push_back('\n');
          },
          [&] {
            write_all(o.stdio.output, rpc_error({}, rpc_code::invalid_request, "the message is too long") + "\n", 1000);
          });
      if (!write_all(fd, to_holder, static_cast<int>(o.stdio.write_time.count()))) {
        past.unfinished = from_client.rest();
        return relay_end::holder_gone;
      }
    }
  }
}

result<void> hold(shared_store_options const& o, store db, replay& past) {
  auto listening = listen_in(o.directory);
  if (!listening) return std::move(listening).error();
  // The own client is served like a relay's: over a socket pair, by a thread that moves lines. A client that was here
  // from the beginning is served directly.
  bool const fresh = past.initialize.empty() && past.unfinished.empty();
  int ends[2] = {-1, -1};
  if (!fresh && ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return error(std::error_code(errno, std::generic_category()), "no socket pair", "mcp.serve_shared_store");
  owned_fd const ours(ends[0]), theirs(ends[1]);
  asio::io_context loop(1);
  asio::co_spawn(loop, accept_relays(listening->get(), db, o.make), [](std::exception_ptr) {});
  std::optional<result<void>> outcome;
  auto options = o.stdio;
  if (!fresh) options.input = options.output = theirs.get();
  auto work = [](server s, stdio_options how, std::optional<result<void>>* into) -> task<void> {
    auto done = co_await async_serve_stdio(std::move(s), how);
    into->emplace(std::move(done));
  };
  asio::co_spawn(loop, work(o.make(db.scope(o.scope), o.profile), options, &outcome),
                 [&](std::exception_ptr) { loop.stop(); });
  std::thread mover;
  if (!fresh)
    mover = std::thread([&] {
      move_lines(o, ours.get(), past);
      ::shutdown(ours.get(), SHUT_RDWR);
    });
  loop.run();
  if (mover.joinable()) {
    ::shutdown(theirs.get(), SHUT_RDWR);
    mover.join();
  }
  return outcome ? std::move(*outcome) : result<void>{};
}

}  // namespace

result<void> serve_shared_store(shared_store_options o) {
  std::signal(SIGPIPE, SIG_IGN);
  std::error_code failed;
  std::filesystem::create_directories(o.directory, failed);
  if (failed)
    return error(failed, "the store's directory cannot be made", "mcp.serve_shared_store", o.directory.string());
  replay past;
  auto patience = std::chrono::steady_clock::now() + o.takeover_time;
  for (;;) {
    auto opened = store::open(o.directory);
    if (opened) return hold(o, std::move(*opened), past);
    if (!opened.error().is(errc::store_busy)) return std::move(opened).error();
    if (auto holder = reach_holder(o)) {
      auto const end = move_lines(o, holder->get(), past);
      if (end == relay_end::input_ended) return {};
      if (end == relay_end::failed)
        return error(errc::io_failed, "the client does not take what it is sent", "mcp.serve_shared_store");
      answer_open(o, past);
      patience = std::chrono::steady_clock::now() + o.takeover_time;
      continue;
    }
    // Somebody holds the store and does not listen yet, or no program of this kind holds it.
    if (std::chrono::steady_clock::now() > patience) return std::move(opened).error();
    std::this_thread::sleep_for(look_again);
  }
}

struct store_share::impl {
  owned_fd listening;
  asio::io_context loop{1};
  std::thread thread;

  ~impl() {
    loop.stop();
    if (thread.joinable()) thread.join();
  }
};

store_share::store_share(std::unique_ptr<impl> i) noexcept : impl_(std::move(i)) {}
store_share::store_share(store_share&&) noexcept = default;
store_share& store_share::operator=(store_share&&) noexcept = default;
store_share::~store_share() = default;

result<store_share> store_share::start(store const& db, maker make) {
  auto listening = listen_in(db.path());
  if (!listening) return std::move(listening).error();
  auto i = std::make_unique<impl>();
  i->listening = std::move(*listening);
  asio::co_spawn(i->loop, accept_relays(i->listening.get(), db, std::move(make)), [](std::exception_ptr) {});
  i->thread = std::thread([&loop = i->loop] { loop.run(); });
  return store_share(std::move(i));
}

}  // namespace wherry::inline v0::mcp
