#pragma once
// What a server offers, frozen: sorted, and written down as the lists that clients ask for.

#include <wherry/mcp/server.hpp>
#include <wherry/tools/detail/shared_validator.hpp>

#include "json_view.hpp"

#include <array>
#include <mutex>

namespace wherry::inline v0::mcp {

struct tool::data {
  std::string name, title, description;
  std::vector<icon> icons;
  raw_json input, output, meta;
  std::shared_ptr<wherry::detail::shared_validator> output_check;  ///< Of an output schema given by hand.
  bool reads = false;
  std::optional<bool> destructive, idempotent, open_world;
  bool runs_inline = false;
  std::optional<std::chrono::milliseconds> limit;
  task_support tasks = task_support::none;
  task_start start = task_start::at_once;
  while_asking asking = while_asking::by_effect;
  std::vector<std::pair<std::string, std::string>> headers;  ///< Argument, header; from x-mcp-header annotations.
  detail::handler run;
};

struct resource::data {
  std::string uri, name, title, description, mime_type;
  std::vector<icon> icons;
  std::optional<annotations> notes;
  std::optional<std::size_t> size;
  raw_json meta;
  bool runs_inline = false;
  detail::handler run;
};

namespace detail {
/// A URI template, split: literals and variables in turn.
struct uri_pattern {
  struct part {
    std::string literal;   ///< Before the variable.
    std::string variable;  ///< Empty in the last part of a template that ends with a literal.
    bool rest = false;     ///< {+name}: matches slashes too.
  };
  std::vector<part> parts;
  static uri_pattern parse(std::string_view text);
  /// The variables of a URI it matches, percent-decoded; nothing otherwise.
  std::optional<uri_variables> match(std::string_view uri) const;
};
}  // namespace detail

struct resource_template::data {
  std::string uri, name, title, description, mime_type;
  std::vector<icon> icons;
  raw_json meta;
  bool runs_inline = false;
  std::map<std::string, completer> completers;
  detail::uri_pattern pattern;
  detail::handler run;
};

struct prompt::data {
  struct argument {
    std::string name, description;
    bool required = true;
  };
  std::string name, title, description;
  std::vector<icon> icons;
  std::vector<argument> arguments;
  raw_json meta;
  bool runs_inline = false;
  std::map<std::string, completer> completers;
  detail::handler run;
};

namespace detail {

struct skill_data {
  std::string uri;                                 ///< skill://path/SKILL.md
  std::string root;                                ///< skill://path
  std::string entry;                               ///< The entry of skills/list, as JSON.
  std::map<std::string, resource_contents> files;  ///< By URI.
};

template <class T>
using shared_items = std::vector<std::shared_ptr<T const>>;

/// The kinds of things that are listed.
enum class list_kind { tools, resources, templates, prompts, skills };
inline constexpr std::size_t list_kinds = 5;

/// Immutable; shared by calls under way. Everything is sorted by its key (name or URI).
struct catalog {
  shared_items<tool::data> tools;
  shared_items<resource::data> resources;
  shared_items<resource_template::data> templates;
  shared_items<prompt::data> prompts;
  shared_items<skill_data> skills;

  catalog() = default;
  catalog(catalog const& other)
      : tools(other.tools),
        resources(other.resources),
        templates(other.templates),
        prompts(other.prompts),
        skills(other.skills) {}

  std::shared_ptr<tool::data const> const* find_tool(std::string_view name) const noexcept;

  /// One page of a list: `"tools":[...]` and, unless it is the last, `,"nextCursor":"..."`. An empty cursor begins.
  /// Nothing for a cursor that no page ended with.
  std::optional<std::string> page(list_kind kind, revision const& rev, std::string_view cursor, std::size_t size) const;

 private:
  struct written {
    std::once_flag once;
    std::string text;
  };
  mutable std::array<std::array<written, 8>, list_kinds> whole_;  ///< By kind and row of the revision table.
  std::string build(list_kind kind, revision const& rev, std::size_t from, std::size_t count) const;
  std::size_t count(list_kind kind) const noexcept;
  std::string const& key(list_kind kind, std::size_t i) const noexcept;
  void append_item(std::string& out, list_kind kind, std::size_t i, revision const& rev) const;
};

/// The annotations x-mcp-header of a schema's properties (SEP-2243), or why one is not allowed.
result<std::vector<std::pair<std::string, std::string>>> header_parameters(std::string_view schema);

/// The front matter of a SKILL.md as a JSON object; nothing when it has none that can be read.
std::optional<std::string> front_matter_json(std::string_view text);

/// Reads a skill's files. See server::add_skill.
result<skill_data> make_skill(std::string path, std::vector<skill_file> files);

}  // namespace detail
}  // namespace wherry::inline v0::mcp
