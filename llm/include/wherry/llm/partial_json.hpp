#pragma once
// JSON that is still being written: what is whole already can be used before the rest is there.
//
//   w::partial<trip> so_far;
//   for (auto const& event : run)
//     if (auto* delta = std::get_if<w::answer_text>(&event))
//       for (auto const& closed : so_far.push(delta->text).value()) show(closed.path, so_far.value);

#include <wherry/core/json_fwd.hpp>
#include <wherry/core/result.hpp>
#include <wherry/llm/schema.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace wherry::inline v0 {

/// A value that has come to its end.
struct closed_value {
  std::string path;  ///< JSON pointer; "" is the whole document, after everything inside it.
  raw_json value;    ///< Its text, byte for byte.
  friend bool operator==(closed_value const&, closed_value const&) = default;
};

/// Reads a JSON text piece by piece and tells of each value when it is whole. A number is whole when the byte behind it
/// is there, or after finish(). Not thread-safe.
class partial_json {
 public:
  static constexpr std::size_t bytes_max = std::size_t{64} << 20;  ///< Of the whole text.

  partial_json();
  partial_json(partial_json&&) noexcept;
  partial_json& operator=(partial_json&&) noexcept;
  ~partial_json();

  /// The values that this piece has closed, inner ones first, in the order of the text.
  /// Fails with: errc::parse_error (byte offset in the message) where no JSON can begin so; then nothing more is read.
  /// errc::limit_reached beyond bytes_max. Duplicate keys are not looked for here: parse_json does it on the whole.
  result<std::vector<closed_value>> push(std::string_view piece);
  /// Nothing more will come. Fails with: errc::parse_error when the document is not whole.
  result<std::vector<closed_value>> finish();

  std::string const& text() const noexcept;  ///< All that came, as it came.
  bool is_whole() const noexcept;
  /// What is closed so far as one JSON document: members and items that are not whole are left out, what is open is
  /// closed. "" before anything is there.
  std::string closed_text() const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

namespace detail {
/// Reads the member at a path of one step into its field. Nothing happens for other paths.
result<bool> take_member(closed_value const& closed, shape const& type, void* out);
}  // namespace detail

/// A T whose fields are filled as they close. Fields not closed yet have their default value.
template <class T>
class partial {
 public:
  T value{};                        ///< So far.
  std::vector<std::string> closed;  ///< Names of the fields that are whole, in the order of the text.

  /// As partial_json::push(); also fails with errc::output_invalid when a closed field does not fit T.
  result<std::vector<closed_value>> push(std::string_view piece) { return take(text_.push(piece)); }
  result<std::vector<closed_value>> finish() { return take(text_.finish()); }
  std::string const& text() const noexcept { return text_.text(); }  ///< The raw text.
  bool is_whole() const noexcept { return text_.is_whole(); }

 private:
  result<std::vector<closed_value>> take(result<std::vector<closed_value>> events) {
    if (!events) return events;
    for (auto const& event : *events) {
      auto const taken = detail::take_member(event, detail::shape_of<T>, &value);
      if (!taken) return taken.error();
      if (*taken) closed.push_back(event.path.substr(1));
    }
    return events;
  }
  partial_json text_;
};

}  // namespace wherry::inline v0
