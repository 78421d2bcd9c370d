#pragma once
// Where clients and tokens are kept, by issuer.

#include <wherry/core/result.hpp>
#include <wherry/mcp/oauth.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace wherry::inline v0::mcp {

/// Keeps what authorization servers gave out; what one issuer gave is never shown to another. Thread-safe.
class token_store {
 public:
  virtual ~token_store() = default;

  /// The client registered with an issuer.
  virtual result<std::optional<oauth_client>> client(std::string const& issuer) = 0;
  /// nullopt forgets it.
  virtual result<void> keep_client(std::string const& issuer, std::optional<oauth_client> const& client) = 0;
  /// The tokens for a server that were kept last, whoever gave them (oauth_tokens::issuer says).
  virtual result<std::optional<oauth_tokens>> tokens(std::string const& server_url) = 0;
  /// nullopt forgets those of every issuer.
  virtual result<void> keep_tokens(std::string const& server_url, std::optional<oauth_tokens> const& tokens) = 0;
};

/// In memory, gone with it.
std::shared_ptr<token_store> make_memory_token_store();

/// One file in `directory` (made if need be), both for their owner alone; written whole, synced and renamed, so that it
/// is never half there. Several processes may use it: every call reads and writes under a lock (errc::deadline_exceeded
/// when another process keeps that for 5 s). docs/formats.md has the format. Fails with: errc::denied when directory or
/// file belong to somebody else or are open to others; errc::io_failed; errc::corrupt_file.
result<std::shared_ptr<token_store>> open_file_token_store(std::filesystem::path directory);

}  // namespace wherry::inline v0::mcp
