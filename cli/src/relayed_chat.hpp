#pragma once
// A chat whose store another process holds.

#include "chat_tools.hpp"
#include "settings.hpp"
#include "store_place.hpp"

#include <wherry/llm/context_source.hpp>
#include <wherry/mcp/client.hpp>
#include <wherry/memory/store.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace wherry::cli {

/// The session is carried on in a folder of this process and brought to the holder with keep(); memory is asked of the
/// holder. Both go through `wherry mcp serve` as a child, which relays to whoever holds the store and takes its place
/// when it ends. What keep() acknowledged is on disk there. Effects of tools that write are journalled in the folder
/// only, which goes with this process.
class relayed_chat {
 public:
  /// For a turn to be taken by the holder, a change of holders included.
  static constexpr std::chrono::seconds keep_time{5};

  /// Reads the session from the holder. Fails with: errc::store_busy when the holder shares the store with nobody;
  /// what mcp::client fails with.
  static result<relayed_chat> open(store_settings const& given, std::string const& session_name);

  session const& local() const noexcept { return session_; }

  /// Brings to the holder what the session has beyond what was kept. On an error it stays here and goes along the next
  /// time. Fails with: errc::conflict when another process has continued the session; errc::deadline_exceeded;
  /// errc::tool_failed with the holder's words.
  result<void> keep();
  /// Goes on in a new session that begins as this one; what was not kept yet is kept with the next keep(). Returns: the
  /// local end of the new session. Fails with: errc::already_exists; as a call.
  result<session> fork(std::string const& name);
  /// What is remembered that bears on a message, as a source of context.
  std::shared_ptr<context_source> memory() const;
  result<chat_wire::records_out> records(int newest_max) const;

 private:
  relayed_chat(mcp::client holder, temporary_store folder, scope_handle scope, session local)
      : holder_(std::move(holder)), folder_(std::move(folder)), scope_(std::move(scope)), session_(std::move(local)) {}
  result<void> fetch();
  result<chat_wire::append_in> next_batch() const;
  result<void> append(chat_wire::append_in const& batch);
  result<bool> was_taken(chat_wire::append_in const& batch) const;

  mcp::client holder_;
  temporary_store folder_;
  scope_handle scope_;
  session session_;
  std::uint64_t kept_ = 0;  ///< Events of the session that the holder has.
};

}  // namespace wherry::cli
