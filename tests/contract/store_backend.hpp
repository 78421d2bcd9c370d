#pragma once
// What every backend of the store promises, as an interface that a test can ask of any of them: scopes by name, commits
// of several changes that happen all or not at all, and reads. Values are the store's own.

#include <wherry/memory/transaction.hpp>

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace wherry_test {

struct append_change {
  std::string session;
  std::uint64_t expected_seq = 0;
  std::vector<std::string> payloads = {};
};
struct put_change {
  wherry::record what;
};
struct remember_change {
  wherry::record what;
};
struct forget_change {
  wherry::ulid id;
};
struct item_change {
  std::string space, key;
  std::optional<std::string> value = {};  ///< Absent: it is taken away.
  std::optional<std::uint64_t> expected_version = {};
  wherry::utc_ms expires = 0;
};
struct effect_change {
  wherry::effect_record what;
};
struct job_change {
  wherry::outbox_job what;
};
struct finish_change {
  wherry::ulid id;
};
using change = std::variant<append_change, put_change, remember_change, forget_change, item_change, effect_change,
                            job_change, finish_change>;

struct seen_session {
  std::string name;
  std::uint64_t last_seq = 0;
  bool forked = false;
  friend bool operator==(seen_session const&, seen_session const&) = default;
};

/// A found record by its score against the best one, without any of the bounded factors.
struct seen_hit {
  wherry::ulid id;
  double score = 0;
};

/// Thread-safe but for reopen. Reads of a scope that nothing was written to find nothing.
class store_backend {
 public:
  template <class T>
  using result = wherry::result<T>;

  virtual ~store_backend() = default;
  /// Closes it and opens it again; whatever was committed is there.
  virtual void reopen() = 0;

  /// Returns: what became of each remember_change.
  virtual result<std::vector<wherry::remember_report>> commit(wherry::scope_name const& scope,
                                                              std::vector<change> changes) = 0;
  virtual result<void> fork(wherry::scope_name const& scope, std::string const& from, std::string const& to,
                            std::uint64_t at) = 0;
  virtual result<std::optional<wherry::outbox_job>> claim(wherry::scope_name const& scope, std::string const& kind,
                                                          std::chrono::milliseconds lease) = 0;
  virtual result<wherry::erase_receipt> erase(wherry::scope_name const& scope,
                                              wherry::erase_request const& request) = 0;

  virtual result<std::vector<std::string>> events(wherry::scope_name const& scope, std::string const& session) = 0;
  virtual result<std::vector<seen_session>> sessions(wherry::scope_name const& scope) = 0;
  virtual result<std::vector<wherry::record>> records(wherry::scope_name const& scope, wherry::ulid const& after,
                                                      std::size_t limit) = 0;
  virtual result<std::optional<wherry::record>> record(wherry::scope_name const& scope, wherry::ulid const& id) = 0;
  virtual result<std::optional<wherry::item>> item(wherry::scope_name const& scope, std::string const& space,
                                                   std::string const& key) = 0;
  virtual result<std::vector<wherry::item>> items(wherry::scope_name const& scope, std::string const& space,
                                                  std::string const& prefix, std::string const& after,
                                                  std::size_t limit) = 0;
  virtual result<std::vector<wherry::effect_record>> unfinished(wherry::scope_name const& scope) = 0;
  virtual result<std::optional<wherry::effect_record>> effect(wherry::scope_name const& scope,
                                                              std::string const& key) = 0;
  virtual result<std::vector<wherry::outbox_job>> jobs(wherry::scope_name const& scope) = 0;
  /// BM25 alone: no neighbours, phrases or factors.
  virtual result<std::vector<seen_hit>> recall(wherry::scope_name const& scope, wherry::recall_query query) = 0;
};

}  // namespace wherry_test
