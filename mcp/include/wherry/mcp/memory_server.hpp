#pragma once
// A scope of a store as a server: what was said, and what is worth remembering, for any client.
//
// One process holds a store. Each client starts a server of its own, so the first holds it and listens on a socket
// inside the directory that only its owner may use; the others relay to it. When the holder ends, one of them takes its
// place.

#include <wherry/core/result.hpp>
#include <wherry/mcp/serve.hpp>
#include <wherry/mcp/server.hpp>
#include <wherry/memory/store.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace wherry::inline v0::mcp {

/// Adds the tools `remember`, `recall`, `forget`, `list_sessions` and `read_session` of a scope, and `memory`: its text
/// files by the commands view, create, str_replace, insert, delete and rename.
void add_memory(server& s, scope_handle scope);

struct shared_store_options {
  std::filesystem::path directory;
  scope_name scope = {};
  std::string profile = {};  ///< What `make` should know beside the scope: the names of tools, say.
  /// Makes the server of a client: of this process, or of one that relays here with its own scope and profile. Those
  /// come from another process of the same user that was started like this one; nothing a client sends becomes a scope.
  std::function<server(scope_handle scope, std::string const& profile)> make = {};
  stdio_options stdio = {};
  std::chrono::milliseconds takeover_time{5'000};  ///< For a new holder to be there; beyond, serving ends.
};

/// Serves one client on standard input and output, as holder or relay, until its input ends.
///
/// A client in the handshake era does not notice a change of holders: its session is begun again with the new one.
/// Calls that were under way when a holder died are answered with an error that says so; what a call had acknowledged
/// is on disk. Fails with: what store::open fails with, errc::store_busy excepted; errc::io_failed.
result<void> serve_shared_store(shared_store_options options);

/// Lets others relay to a program that holds a store for purposes of its own: listens on the socket inside the store's
/// directory, on a thread of its own, and serves each relay with the server that `make` gives for its scope and profile
/// (see shared_store_options::make; called on that thread).
///
/// Move-only. Its end closes the socket and the connections: calls under way are not answered here, and relays take
/// over once the store is closed. Lifetime: keeps the store open.
class store_share {
 public:
  using maker = std::function<server(scope_handle scope, std::string const& profile)>;
  /// Fails with: the system's code when there can be no socket in the directory.
  static result<store_share> start(store const& db, maker make);
  store_share(store_share&&) noexcept;
  store_share& operator=(store_share&&) noexcept;
  ~store_share();

 private:
  struct impl;
  explicit store_share(std::unique_ptr<impl> i) noexcept;
  std::unique_ptr<impl> impl_;
};

}  // namespace wherry::inline v0::mcp
