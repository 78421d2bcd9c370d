#pragma once
// What is kept in memory of a scope's records, so that recall reads the disk only for the records it returns: a table
// of all records by number, and the postings of terms that were asked for. Both are made from the store when first
// needed and follow its commits; nothing here is the only copy of anything.
//
// A record's number is allotted by the commit that writes its text and never used again: a changed text gets a new one.

#include "codec.hpp"

#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <unordered_map>

namespace wherry::inline v0::memory_detail {

struct store_state;
class vector_set;

inline constexpr std::uint32_t no_number = std::numeric_limits<std::uint32_t>::max();
/// Postings kept in memory for a scope; beyond it the kept ones are let go and read again when asked for.
inline constexpr std::size_t posting_cache_bytes_max = std::size_t{16} << 20;

/// A record without its texts.
struct known_record {
  ulid id = {};  ///< All zero: there is no such record any more.
  std::uint32_t kind = 0;
  std::uint32_t thread = no_number;  ///< Records of one source.
  std::uint32_t before = no_number;  ///< Its neighbours in that.
  std::uint32_t after = no_number;
  std::uint64_t first_seq = 0;
  std::uint64_t begin = 0;
  std::uint32_t length = 0;
  std::uint32_t profile = 0;
  record_origin origin = record_origin::user;
  float importance = 0;
  std::uint32_t proofs = 1;
  utc_ms created = 0;
  utc_ms valid_from = 0;
  utc_ms valid_to = 0;
  utc_ms expires = 0;
  utc_ms superseded_at = 0;
  std::vector<std::uint64_t> tags = {};  ///< Hashes; a match is confirmed on the record.

  bool exists() const { return id != ulid{}; }
  utc_ms since() const { return valid_from ? valid_from : created; }
};

/// The postings of a term, by number; what scoring reads lies close together.
class posting_list {
 public:
  struct entry {
    std::uint32_t number;
    std::uint32_t length;
    std::uint16_t in_text;
    std::uint16_t in_title;
    std::uint32_t positions_begin;
  };

  void add(posting const& p);
  std::vector<entry> const& entries() const { return entries_; }
  std::size_t size() const { return entries_.size(); }
  std::span<std::uint32_t const> positions(entry const& e) const;
  bool contains(std::uint32_t number) const;
  /// Gives back what growing left over.
  void shrink();
  std::size_t bytes() const {
    return entries_.capacity() * sizeof(entry) + positions_.capacity() * sizeof(std::uint32_t);
  }

 private:
  std::vector<entry> entries_;
  std::vector<std::uint32_t> positions_;
};

/// Which records may be found.
struct record_filter {
  std::vector<std::uint32_t> kinds;  ///< Empty: all.
  std::vector<std::uint64_t> tags;
  utc_ms as_of = 0;
  utc_ms known_at = 0;
  utc_ms now = 0;
  bool nothing = false;  ///< A kind was asked for that no record has.

  bool admits(known_record const& r) const;
};

std::uint64_t tag_hash(record_tag const& tag);
std::uint32_t profile_of(std::string_view kind);

class scope_index {
 public:
  explicit scope_index(ulid const& scope);
  ~scope_index();

  /// Guards everything here: shared to search, exclusive to change.
  std::shared_mutex mutex;

  /// Reads the table; `numbers` is how many were allotted. Exclusive.
  result<void> load(store_state const& store, std::uint32_t numbers);

  // After a commit that changed the records. Exclusive.
  void add(stored_record const& r);
  void change(stored_record const& r);  ///< Something other than its texts.
  void remove(std::uint32_t number);
  void add_posting(std::string const& term, posting const& p);  ///< To the kept ones only.
  void forget_postings(std::string const& term);

  std::vector<known_record> const& records() const { return records_; }
  record_filter filter(std::vector<std::string> const& kinds, std::vector<record_tag> const& tags) const;
  /// The numbers of the records that came from a document, in its order.
  std::vector<std::uint32_t> of_document(std::string_view document) const;
  std::size_t threads() const { return threads_.size(); }
  std::size_t live() const { return live_; }

  /// The vectors of a generation, read when they are first asked for. Exclusive.
  result<vector_set*> load_vectors(store_state const& store, vector_generation const& generation);
  /// Only if they were read.
  vector_set* vectors(std::uint32_t generation);

  /// The postings of a term, kept or read. Shared is enough.
  result<std::shared_ptr<posting_list const>> postings(store_state const& store, std::string const& term);

 private:
  std::uint32_t intern(std::map<std::string, std::uint32_t, std::less<>>& names, std::string_view name);
  void fill(known_record& into, stored_record const& from);
  void link(std::uint32_t number);
  void unlink(std::uint32_t number);

  ulid const scope_;
  std::vector<known_record> records_;
  std::size_t live_ = 0;
  std::map<std::string, std::uint32_t, std::less<>> kinds_;
  std::map<std::string, std::uint32_t, std::less<>> threads_;
  std::vector<std::uint32_t> thread_ends_;                        ///< The last record of each thread.
  std::map<std::uint32_t, std::unique_ptr<vector_set>> vectors_;  ///< By generation.

  std::mutex cache_mutex_;
  std::unordered_map<std::string, std::shared_ptr<posting_list>> cache_;
  std::size_t cache_bytes_ = 0;
};

}  // namespace wherry::inline v0::memory_detail
