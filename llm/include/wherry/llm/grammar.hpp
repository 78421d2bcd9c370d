#pragma once
// Constrained decoding: which tokens may come next, so that the finished text is in a language.
//
//   expr        what may be said: bytes, control tokens, JSON Schema, combinators. A value.
//   vocabulary  the model's tokens as a byte trie. Built once per model.
//   program     expr compiled for a vocabulary. Immutable, shared by all requests that use it.
//   matcher     where one generation stands: allowed() gives the mask, accept() moves on.
//   recogniser  expr for texts that are there already, whoever wrote them.
//
// An expr becomes a pushdown automaton over bytes whose counters and recursion are bounded. A matcher holds the set of
// its live stacks. A mask is one walk over the token trie; text inside JSON strings, where nearly every token is
// possible, is answered from sets computed once per vocabulary. Every state knows its shortest completion, so a token
// is allowed only when the rest still fits the budget: following masks with any choices ends complete, never stuck.

#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>
#include <wherry/llm/sampling.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace wherry::inline v0 {
namespace grammar {

/// In which order the members of an object may stand.
enum class member_order : std::uint8_t {
  declared,  ///< That of the schema; members beyond those it names come last.
  /// Any order of the members the schema names, those beyond them last. A member may stand at most seven places before
  /// one that the schema names earlier (so objects of up to eight members are free); one passed over by more is left
  /// out. Objects that count their members (minProperties, maxProperties) keep the declared order. Masks cost more.
  any
};

/// What a schema leaves open is bounded by these. A schema that needs more than a bound is refused at compile time.
struct bounds {
  std::size_t string_bytes = 4'096;  ///< Bytes of one JSON string or key between its quotes, escapes as written.
  std::size_t array_items = 256;     ///< Items of one array.
  std::size_t object_members = 64;   ///< Members of one object beyond those named in "properties"; fewer
                                     ///< where string_bytes leaves no room for so many names.
  std::size_t depth = 32;            ///< Nested uses of recursive definitions ("any value" is one of them).
  std::size_t number_digits = 20;    ///< Digits before and digits after the point of a number that is not an integer.
  member_order order = member_order::declared;
};

/// Free text: well-formed UTF-8 in which none of `without` occurs.
struct text_options {
  std::size_t bytes_max = 4'096;          ///< At most this many bytes.
  std::vector<std::string> without = {};  ///< Byte strings that end or must not occur in the text; none may be empty.
};

/// Bytes from `first` to `last`, both included.
struct byte_range {
  std::uint8_t first = 0;
  std::uint8_t last = 255;
};

/// What may be said. An immutable value; a copy costs a reference count.
/// Mistakes in an expression (an empty choice, an unknown rule, a schema that cannot be compiled) are told by
/// compile().
class expr {
 public:
  struct node;
  /// The empty text.
  expr();
  explicit expr(std::shared_ptr<node const> tree) : node_(std::move(tree)) {}
  node const& get() const noexcept { return *node_; }

 private:
  std::shared_ptr<node const> node_;
};

/// Exactly these bytes. Never matched by a control token that is spelled like them.
expr literal(std::string bytes);
/// One control token, by its id.
expr token(token_id id);
/// One byte out of any of the ranges.
expr one_of(std::vector<byte_range> ranges);
expr sequence(std::vector<expr> parts);
expr choice(std::vector<expr> alternatives);
expr optional(expr part);
/// `part` from `min` to `max` times, nothing between. `part` must not match the empty text.
expr repeat(expr part, std::size_t min, std::size_t max);
expr free_text(text_options options = {});

/// Text that matches a pattern: ECMA-262 as JSON Schema uses it (json_validator.hpp), linear in the text. As there, a
/// pattern without ^ and $ may stand anywhere in the text.
expr regex(std::string pattern);

struct span_options {
  std::size_t characters_max = 1'024;  ///< Of the copy.
  bool as_json = false;                ///< A JSON string with its quotes, with the escapes to_text() writes.
};
/// A piece copied from `context`: one or more characters that stand there next to each other. For citations and for
/// extraction, where the model must not invent.
/// compile() fails with errc::invalid_argument for a context that is empty, not UTF-8 or larger than 64 KiB.
/// Memory: about a hundred bytes for each byte of the context.
expr span_of(std::string context, span_options options = {});

/// The rule of that name of the nearest enclosing define().
expr rule(std::string name);
/// `body`, where rule(name) means the expression given here; rules may use each other and themselves, but not before
/// consuming something. At most `depth` uses of recursive rules stand inside each other; where parts of one expression
/// declare different depths the smallest holds for all.
expr define(std::vector<std::pair<std::string, expr>> rules, expr body, std::size_t depth = bounds{}.depth);

struct ebnf_options {
  std::size_t repeat_max = 4'096;      ///< What * and + stand for, and the most that {n,m} may ask for.
  std::size_t depth = bounds{}.depth;  ///< As in define().
};
/// A grammar as people write it. The first rule is the whole text.
///
///   list  ::= item ("," item)*        # a comment
///   item  ::= [a-z]+ | "\"" word "\""
///   word  ::= /[^"]{1,20}/            # a pattern, as in regex(), for the whole of what it stands for
///
/// Literals stand in "" or '' with the escapes \n \r \t \\ \" \' \/ \xXX \uXXXX \UXXXXXXXX (code points); classes as in
/// patterns; . is any character but a line's end; ? * + {n} {n,} {n,m} repeat what stands before them; | has the least
/// force. `=` does for `::=`, and a rule may end with `;`.
/// Fails with: errc::parse_error with line and column; errc::limit_reached beyond 1 MiB. Patterns are looked at by
/// compile(), which also refuses rules that begin with themselves and repetitions of what may be empty.
result<expr> ebnf(std::string_view text, ebnf_options const& options = {});

/// JSON values of a schema, as compact UTF-8 text: no white space, members in the order of "properties" (members beyond
/// them after), constants and keys in the form to_text() writes. Other strings may use every escape JSON has.
///
/// Keywords: those of drafts 4 to 2020-12, combined in any way; docs/structured-output.md lists what is refused.
/// Numbers with limits have no exponent; texts of a list with uniqueItems are written as to_text() writes them;
/// annotations and words that are no keywords are ignored. What cannot be decided byte by byte is
/// errc::schema_unsupported, naming keyword and JSON pointer, when the expression is compiled; nothing is ever left out
/// of a schema. Absent keywords leave open what JSON Schema leaves open: an object without "additionalProperties":
/// false takes more members. No two members of an object share a name.
expr json_schema(raw_json schema, bounds const& limits = {});

/// A model's tokens. A cheap copyable handle, thread-safe.
class vocabulary {
 public:
  /// `token_bytes[id]` is what token `id` stands for; an empty one is never allowed. `control` and `end_of_generation`
  /// (which need not be repeated in `control`) are ids that text must never produce: their bytes do not count.
  /// Fails with: errc::invalid_argument for an id outside the vocabulary or an empty vocabulary.
  static result<vocabulary> build(std::vector<std::string> token_bytes, std::span<token_id const> control,
                                  std::span<token_id const> end_of_generation);

  std::size_t size() const noexcept;
  /// Words of a mask: size() bits, 64 to a word.
  std::size_t mask_words() const noexcept { return (size() + 63) / 64; }

  struct impl;
  impl const& get() const noexcept { return *impl_; }

 private:
  explicit vocabulary(std::shared_ptr<impl const> built) : impl_(std::move(built)) {}
  std::shared_ptr<impl const> impl_;
};

class matcher;

/// An expression compiled for a vocabulary. A cheap copyable handle, thread-safe: requests share its mask cache.
class program {
 public:
  /// Tokens of the shortest answer found, without the end-of-generation token.
  std::size_t shortest_answer() const noexcept;
  /// Asked before decoding. Fails with: errc::budget_too_small when the shortest answer needs more than `tokens`.
  result<void> check_budget(std::size_t tokens) const;

  struct impl;

 private:
  friend class matcher;
  friend result<program> compile(expr const&, vocabulary const&);
  explicit program(std::shared_ptr<impl const> compiled) : impl_(std::move(compiled)) {}
  std::shared_ptr<impl const> impl_;
};

/// Compiles an expression.
///
/// Fails with: errc::schema_unsupported (keyword and JSON pointer), errc::parse_error (the schema's text is not JSON),
/// errc::invalid_argument (the expression itself, e.g. recursion that consumes nothing), errc::limit_reached (more
/// states than a program may have), errc::unsupported (the vocabulary cannot spell any answer).
/// A vocabulary that lacks single bytes works as far as its longer tokens can spell a shortest completion.
result<program> compile(expr const& expression, vocabulary const& tokens);

/// One bit per token id: bit id % 64 of word id / 64.
inline bool is_allowed(std::span<std::uint64_t const> mask, token_id id) noexcept {
  return (mask[static_cast<std::size_t>(id) / 64] >> (static_cast<std::size_t>(id) % 64) & 1) != 0;
}

/// No limit on the tokens that may follow.
inline constexpr std::size_t no_budget = static_cast<std::size_t>(-1);

/// Where one generation stands. A value: a copy is a fork. One thread at a time; copies are independent.
class matcher {
 public:
  explicit matcher(program const& program);
  matcher(matcher const& other);
  matcher(matcher&& other) noexcept;
  matcher& operator=(matcher other) noexcept;
  ~matcher();

  /// The tokens that may come next so that the answer can still be completed with `budget_tokens` tokens in all, the
  /// next one included and an end-of-generation token not counted. End-of-generation tokens are allowed exactly when
  /// the text is complete. As long as shortest_completion() <= budget_tokens, some token is allowed, and stays allowed
  /// after each allowed token with a budget smaller by one.
  /// Lifetime: the span lives until the next call on this matcher.
  std::span<std::uint64_t const> allowed(std::size_t budget_tokens = no_budget);

  /// Moves on. False, and nothing changes, when the grammar does not allow the token here (budgets are not checked).
  bool accept(token_id id);
  /// Moves on over text whose tokens are not known yet (see forced()). All or nothing.
  bool accept_bytes(std::string_view bytes);

  bool is_complete() const noexcept;  ///< What was accepted is a whole answer; more may still be possible.
  bool is_finished() const noexcept;  ///< An end-of-generation token was accepted.
  /// Tokens of the shortest completion found, without the end-of-generation token; 0 when complete.
  std::size_t shortest_completion() const;
  /// The bytes that every continuation begins with; empty where there is a choice or the text may end. Does not move.
  std::string forced() const;
  void reset();

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// Decides whether a text is in a language; needs no model. A cheap copyable handle, thread-safe.
class recogniser {
 public:
  /// Fails with: what compile() fails with; errc::invalid_argument for control tokens, which no text has.
  static result<recogniser> make(expr const& expression);

  bool matches(std::string_view text) const;
  /// Whether some text of the language begins so.
  bool begins(std::string_view text) const;
  /// Fails with: errc::output_invalid naming the first byte that cannot stand where it does, or the text's end.
  result<void> check(std::string_view text) const;

 private:
  explicit recogniser(program over_bytes) : program_(std::move(over_bytes)) {}
  program program_;
};

}  // namespace grammar
}  // namespace wherry::inline v0
