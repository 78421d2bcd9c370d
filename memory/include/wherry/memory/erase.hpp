#pragma once
// Being rid of what a store knows: not only so that nothing finds it any more, but so that no byte of it is left in the
// store's files. And the other side of the same care: looking at everything, and copies.

#include <wherry/core/clock.hpp>
#include <wherry/core/id.hpp>
#include <wherry/core/result.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace wherry::inline v0 {

/// What to erase of a scope. Whatever is named goes, with all that was made from it.
struct erase_request {
  bool everything = false;  ///< The whole scope, its name included.
  std::vector<ulid> records = {};
  std::vector<std::string> sessions = {};     ///< And records that came from them, and forks that begin with them.
  std::vector<std::string> documents = {};    ///< Records with this source document.
  std::vector<std::string> subjects = {};     ///< Records about them, in any spelling that differs in form alone.
  std::vector<std::string> item_spaces = {};  ///< Namespaces of items.
};

/// What an erase did. Holds nothing of what was erased.
struct erase_receipt {
  ulid id = {};
  utc_ms time = 0;
  std::size_t records = 0;
  std::size_t sessions = 0;
  std::size_t items = 0;
  bool everything = false;
  std::vector<std::string> places = {};  ///< The erasers that ran: column families, folders, and those of the program.
  friend bool operator==(erase_receipt const&, erase_receipt const&) = default;
};

/// Erases user data that a program keeps beside the store (run files, traces, caches), told with the ids of the runs
/// whose sessions are erased; `everything`: of the whole scope.
struct eraser {
  std::string name;
  std::function<result<void>(std::vector<ulid> const& runs, bool everything)> erase;
};

/// What store::verify found.
struct verify_report {
  std::size_t scopes = 0;
  std::size_t sessions = 0;
  std::size_t events = 0;
  std::size_t records = 0;
  std::size_t items = 0;
  std::size_t postings = 0;
  std::size_t vectors = 0;
  std::size_t unreadable = 0;  ///< Scopes of an encrypted copy whose key was destroyed by an erase; not looked into.
  std::vector<std::string> problems = {};  ///< One sentence each; empty when all is well. At most verify_problems_max.
  std::size_t repaired = 0;                ///< Of the problems, how many were in derived data and are mended.
};
inline constexpr std::size_t verify_problems_max = 100;

}  // namespace wherry::inline v0
