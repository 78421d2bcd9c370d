#pragma once
// JSON Schema documents: which resources they hold, what their identifiers are, where a reference leads. Nothing is
// ever fetched: a reference leads into documents that were handed in, or nowhere.

#include <wherry/core/json.hpp>
#include <wherry/core/result.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace wherry::inline v0 {
namespace schema {

enum class draft { draft4, draft6, draft7, draft2019, draft2020 };

/// The dialect that a "$schema" names; nothing for one that is not known.
std::optional<draft> draft_of(std::string_view schema_uri);

/// A schema with an identifier of its own (the root of a document has one, if an empty one).
struct resource {
  std::string base;  ///< Absolute URI without fragment, or "" for a root without one.
  json const* root = nullptr;
  draft dialect = draft::draft2020;
  bool validates = true;        ///< type, minimum and the like are part of its vocabularies.
  bool asserts_format = false;  ///< The format-assertion vocabulary.
  bool is_recursive_anchor = false;
  std::map<std::string, json const*, std::less<>> anchors;
  std::set<std::string, std::less<>> dynamic_anchors;
};

struct place {
  json const* schema = nullptr;
  resource const* in = nullptr;
};

/// What a URI without fragment stands for; nothing when unknown. Asked for what was not added.
using loader = std::function<std::optional<std::string>(std::string const& uri)>;

class documents {
 public:
  explicit documents(loader find = {}, draft fallback = draft::draft2020)
      : find_(std::move(find)), fallback_(fallback) {}
  documents(documents const&) = delete;
  documents& operator=(documents const&) = delete;

  static constexpr std::size_t documents_max = 256;

  /// Fails with: errc::parse_error, errc::schema_unsupported.
  result<place> add_text(std::string uri, std::string_view text);
  result<place> add(std::string uri, json document);
  /// Where a reference leads from a resource. Fails with: errc::schema_unsupported; the message ends a sentence.
  result<place> resolve(resource const& from, std::string_view reference);
  /// The innermost resource a subschema belongs to, when `outer` is that of its parent.
  resource const* within(json const& schema, resource const* outer) const;
  /// Some document uses unevaluatedProperties or unevaluatedItems.
  bool uses_unevaluated() const { return uses_unevaluated_; }
  resource const* find(std::string_view uri) const;

 private:
  void collect(json const& schema, resource* in, draft dialect, int depth);
  resource* open(std::string base, json const& root, draft dialect);
  result<void> read_vocabularies(resource& of, json const& root);
  result<place> at_pointer(resource const& in, std::string_view pointer);

  loader find_;
  draft fallback_;
  std::deque<json> roots_;
  std::deque<resource> resources_;
  std::map<std::string, resource*, std::less<>> by_uri_;
  std::unordered_map<json const*, resource*> by_root_;
  bool uses_unevaluated_ = false;
  int loading_ = 0;
};

/// Calls `visit(subschema, keyword, key)` for each schema directly inside; key is a member's name or an index.
void each_subschema(json const& schema, draft dialect,
                    std::function<void(json const&, std::string const&, std::string const&)> const& visit);

/// RFC 3986, section 5; good enough for identifiers: http and urn.
std::string resolve_uri(std::string_view base, std::string_view reference);

/// The text of a metaschema that is part of JSON Schema itself.
std::optional<std::string> metaschema(std::string_view uri);

}  // namespace schema
}  // namespace wherry::inline v0
