#pragma once
// Header fields: an ordered list with case-insensitive names, kept in one block of text so that a connection can use it
// again and again without allocating.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

/// One header field.
struct http_field {
  std::string_view name;   ///< As it was written; compare with http_fields::same_name.
  std::string_view value;  ///< Without the white space around it.
};

/// The header fields of a message, in order. A value. Names may repeat.
/// Lifetime: views from it last until it is changed.
class http_fields {
 public:
  http_fields() = default;

  /// Adds a field after the others.
  http_fields& add(std::string_view name, std::string_view value);
  /// Adds a field and removes others of the same name.
  http_fields& set(std::string_view name, std::string_view value);
  /// Removes every field of the name. Returns: how many there were.
  std::size_t erase(std::string_view name);
  void clear() noexcept;

  /// The first field of the name; nullopt when there is none.
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  /// As find, with "" for none.
  std::string_view get(std::string_view name) const noexcept { return find(name).value_or(std::string_view{}); }
  /// How many fields have the name.
  std::size_t count(std::string_view name) const noexcept;
  /// Whether a field of the name lists the token, as in `Connection: keep-alive, upgrade`; without regard to case.
  bool lists(std::string_view name, std::string_view token) const noexcept;

  std::size_t size() const noexcept { return entries_.size(); }
  bool empty() const noexcept { return entries_.empty(); }
  http_field operator[](std::size_t i) const noexcept;

  /// Whether a name is an RFC 9110 token, and a value free of control characters other than tab and without white space
  /// at its ends. Client and server refuse to send fields that are not.
  static bool valid_name(std::string_view name) noexcept;
  static bool valid_value(std::string_view value) noexcept;
  static bool same_name(std::string_view a, std::string_view b) noexcept;
  /// nullopt, or the name of the first field that must not be sent.
  std::optional<std::string> first_invalid() const;

  friend bool operator==(http_fields const& a, http_fields const& b) noexcept;

 private:
  struct entry {
    std::size_t at = 0, name_size = 0, value_size = 0;
  };
  std::string text_;
  std::vector<entry> entries_;
};

}  // namespace wherry::inline v0
