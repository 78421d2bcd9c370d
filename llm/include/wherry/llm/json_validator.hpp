#pragma once
// Validation of JSON that comes from elsewhere (a remote model, a peer, a file) against any JSON Schema.

#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

struct json_validator_options {
  /// Text of a document that a reference names (without fragment); nothing is ever fetched. Absent: references lead
  /// into the schema itself and the metaschemas of JSON Schema only.
  std::function<std::optional<std::string>(std::string const& uri)> documents = {};
  bool assert_formats = false;      ///< "format" is checked where it is known; else only where the dialect demands it.
  std::string dialect = {};         ///< "$schema" of documents that name none; 2020-12 when empty.
  std::size_t violations_max = 16;  ///< As many are told at most.
};

/// One place where a value does not match.
struct json_violation {
  std::string instance;  ///< JSON pointer of the value; "" is the whole.
  std::string keyword;   ///< The keyword that refused it, e.g. "maximum".
  std::string schema;    ///< JSON pointer of the schema in its document, e.g. "/properties/days".
  std::string expected;  ///< "a number at most 7"
  std::string found;     ///< "9"
  friend bool operator==(json_violation const&, json_violation const&) = default;
};

/// "/days: expected a number at most 7, found 9"
std::string to_string(json_violation const& violation);

/// A schema ready to validate with. A cheap copyable handle; one thread at a time for all copies of one.
///
/// Understands JSON Schema 2020-12, 2019-09, draft 7, 6 and 4: every required keyword, $dynamicRef and $recursiveRef,
/// vocabularies, unevaluatedProperties and unevaluatedItems. Unknown keywords and formats say nothing.
class json_validator {
 public:
  /// Fails with: errc::parse_error (the schema is not JSON), errc::schema_unsupported (it is no schema, a reference
  /// leads nowhere, a pattern is not regular; the message names keyword and place). References are followed when first
  /// needed: one that leads nowhere behind another keyword is reported by validate().
  static result<json_validator> make(raw_json const& schema, json_validator_options options = {});

  /// Fails with: errc::output_invalid (no JSON, or it does not match: path is the JSON pointer, the message says what
  /// was expected and found), errc::schema_unsupported, errc::limit_reached (a reference that leads back to itself,
  /// nesting beyond json_depth_max).
  result<void> check(std::string_view text) const;
  /// All places that do not match, up to violations_max; none when the value is valid. Fails like check().
  result<std::vector<json_violation>> validate(std::string_view text) const;
  result<std::vector<json_violation>> validate_value(json const& value) const;

 private:
  struct impl;
  explicit json_validator(std::shared_ptr<impl> made) : impl_(std::move(made)) {}
  std::shared_ptr<impl> impl_;
};

}  // namespace wherry::inline v0
