#pragma once
// How a scope's rows stand in an encrypted store. Values are sealed under the scope's key, each bound to its family and
// key, so that none can be put in another's place. Of keys, what a user said (names, terms, hashes of texts) becomes a
// keyed hash; ids, numbers and times stay, because ranges are read by them. A key that was hashed is kept whole inside
// its sealed value.

#include "aead.hpp"
#include "bytes.hpp"
#include "families.hpp"

namespace wherry::inline v0::memory_detail {

class row_cipher {
 public:
  explicit row_cipher(secret_key const& scope_key);
  ~row_cipher();
  row_cipher(row_cipher const&) = delete;
  row_cipher& operator=(row_cipher const&) = delete;

  /// The key on disk of a key in memory.
  std::string key(family f, std::string_view plain) const;
  std::string value(family f, std::string_view plain_key, std::string_view disk_key, std::string_view plain) const;
  struct row {
    std::string key, value;
  };
  /// Absent: the row was changed, or is another scope's.
  std::optional<row> open(family f, std::string_view disk_key, std::string_view disk_value) const;

  /// The range on disk in which the rows of [first, end) stand, and whether they stand there in their own order.
  struct range {
    std::string first, end;
    bool in_order = true;
  };
  range range_of(family f, std::string_view first, std::string_view end) const;

  /// Bytes of a file that belongs to the scope.
  std::string seal_file(std::string_view bytes, std::string_view name) const;
  std::optional<std::string> open_file(std::string_view sealed, std::string_view name) const;

 private:
  std::string hashed(std::string_view what) const;

  secret_key rows_, names_;
};

}  // namespace wherry::inline v0::memory_detail
